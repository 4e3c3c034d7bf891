//! Spoofed SYN floods, with honest clients among them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::atomic::AtomicBool;

use serde_json::Value;

use crate::guest::unless_guest;
use crate::lab::Lab;
use crate::lab::clients::Clients;
use crate::lab::flood::Flood;
use crate::lab::frame::Prefix;
use crate::lab::process::resident_bytes;
use crate::lab::wire::Wire;
use crate::watch::Watch;
use crate::{PORT, both, serve};

/// What the two buffers of output, which stay as large as the largest burst was, may yet grow, in bytes: each has room for
/// a mebibyte and for the block that exceeds it.
const OUTPUT: u64 = 2 * ((1 << 20) + (1 << 17));
/// What else the program may keep of two floods, in bytes.
const GROWTH: u64 = 1 << 18;
/// Honest handshakes, of 20 a second, that may be under way at once.
const UNDER_WAY: u64 = 4;

fn syns() -> u64 {
    unless_guest("SYNs of a flood", 10_000, 2_000)
}

fn rate() -> u32 {
    unless_guest("SYNs a second", 5_000, 1_000)
}

fn flood(lab: &Lab, v6: bool, seed: u64) -> Flood {
    let sources = if v6 {
        Prefix::new(IpAddr::V6(Ipv6Addr::new(0x2001, 2, 0, 0xff, 0, 0, 0, 0)), 64)
    } else {
        Prefix::new(IpAddr::V4(Ipv4Addr::new(198, 19, 0, 0)), 16)
    };
    let plan = lab.server.plan;
    let victim = if v6 { plan.v6_at(PORT) } else { plan.v4_at(PORT) };
    Flood { sources, victim, count: syns(), rate: rate(), seed }
}

fn resident(pid: u32) -> u64 {
    resident_bytes(pid).expect("the process is there")
}

fn is_phase<'a>(phase: &'a str, id: u64) -> impl Fn(&Value) -> bool + 'a {
    move |event| event["synflood"]["phase"] == phase && event["synflood"]["id"] == id
}

/// Sends a flood, waits until it was told from start to end, and returns how many SYNs it had.
fn sent_and_told(lab: &Lab, watch: &Watch, flood: &Flood, id: u64) -> u64 {
    let wire = Wire::open(&lab.client).expect("a wire");
    let sent = flood.send(&wire, &AtomicBool::new(false)).expect("the flood is sent");
    assert!(sent >= flood.count / 2, "the machine is too slow for a flood: {sent} SYNs");
    let start = watch.wait_for_event("the flood starts", is_phase("start", id));
    let end = watch.wait_for_event("the flood ends", is_phase("end", id));
    for event in [&start, &end] {
        assert_eq!(event["dest_ip"], flood.victim.ip().to_string(), "{event}");
        assert_eq!(event["synflood"]["victim_port"], PORT, "{event}");
        assert_eq!(event["alert"]["signature"], "SYN flood", "{event}");
    }
    assert_eq!(end["synflood"]["kind"], "spoofed", "{end}");
    // By HyperLogLog, with a standard error of 0.8 %; a /16 is drawn from, so that some come twice.
    let sources = end["synflood"]["sources_estimate"].as_u64().expect("a number");
    assert!((sent * 85 / 100..sent * 108 / 100).contains(&sources), "{sources} of {sent} sources: {end}");
    // Less what was answered: an honest handshake that is under way when the count begins or ends may be on one side only.
    let total = end["synflood"]["syn_total"].as_u64().expect("a number");
    assert!(total.abs_diff(sent) <= UNDER_WAY, "{total} of {sent} SYNs: {end}");
    // The victim is this very host: it says itself what it did.
    assert!(end["synflood"]["backlog_limit"].as_u64().is_some_and(|limit| limit > 0), "{end}");
    assert!(end["synflood"]["syncookies_sent"].is_u64(), "{end}");
    sent
}

/// Equal floods, honest clients all the while: each is told, counters are exact, every client completes, and memory
/// does not grow from the first to the last.
fn floods_are_told_and_counted(v6: bool) {
    let lab = Lab::pair().expect("a laboratory (root is needed)");
    let _server = serve(&lab.server, &[PORT]);
    let watch = Watch::start(&lab.server.ns, "--iface hsm-server --half-open-after 1s");
    let clients = Clients::start(&lab.client.ns, &both(&lab.server, PORT), 20.0).expect("clients run");
    watch.wait_for_total("completed", 4);

    let floods = unless_guest("floods", 3, 1);
    let (mut sent, mut kept) = (0, Vec::new());
    for number in 1..=floods {
        sent += sent_and_told(&lab, &watch, &flood(&lab, v6, number * 1_000_000), number);
        kept.push(resident(watch.monitor.pid()));
    }
    if let [first, .., last] = kept[..] {
        assert!(last <= first + OUTPUT + GROWTH, "bytes after each flood: {kept:?}");
    }

    let tally = clients.stop().expect("clients ran");
    assert_eq!((tally.refused, tally.failed), (0, 0), "{tally:?}");
    watch.wait_for_total("completed", tally.connected);
    let said = watch.stop();
    said.tells_all();
    let honest = tally.connected;
    let repeated = |event: &Value| event["handshake"]["syn_retransmits"].as_u64().unwrap_or(0);
    let repeated: u64 = said.handshakes().map(repeated).sum();
    assert_eq!(said.totals.get("begun"), sent + honest, "{:?}", said.totals);
    assert_eq!(said.totals.get("syn"), sent + honest + repeated, "{:?}", said.totals);
    assert_eq!(said.totals.get("completed"), honest, "{:?}", said.totals);
    assert_eq!(said.totals.get("half_open"), sent, "{:?}", said.totals);
    assert_eq!(said.totals.get("flows_evicted"), 0, "{:?}", said.totals);
    assert_eq!(said.totals.get("alerts"), floods, "{:?}", said.totals);
    let completed = said.count(|event| event["handshake"]["outcome"] == "completed");
    assert_eq!(completed, honest, "completed handshakes are told one by one, in a flood too");
}

#[test]
fn floods_are_told_and_counted_by_ipv4() {
    floods_are_told_and_counted(false);
}

#[test]
fn floods_are_told_and_counted_by_ipv6() {
    floods_are_told_and_counted(true);
}

/// A table that is far too small: what was pushed out is counted, the oldest first, and no event is lost.
#[test]
fn a_flood_that_overflows_the_table_is_counted_exactly() {
    let lab = Lab::pair().expect("a laboratory (root is needed)");
    let _server = serve(&lab.server, &[PORT]);
    let watch = Watch::start(&lab.server.ns, "--iface hsm-server --max-flows 1024");
    let sent = sent_and_told(&lab, &watch, &flood(&lab, false, 1), 1);
    let said = watch.stop();
    said.tells_all();
    assert_eq!(said.totals.get("begun"), sent, "{:?}", said.totals);
    assert_eq!(said.totals.get("half_open"), sent, "{:?}", said.totals);
    assert!(said.totals.get("flows_evicted") > 0, "{:?}", said.totals);
}
