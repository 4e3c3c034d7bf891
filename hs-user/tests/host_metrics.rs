//! The metrics of a live watch: that they are the totals, and that no client of theirs can hurt it.

#[path = "kernel_support/guest.rs"]
mod guest;
#[path = "../../xtask/src/lab/mod.rs"]
mod lab;
#[path = "kernel_support/scene.rs"]
mod scene;
#[path = "kernel_support/watch.rs"]
mod watch;

use std::io::Write as _;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::sync::atomic::AtomicBool;

use lab::flood::Flood;
use lab::frame::Prefix;
use lab::http::{get, sample};
use lab::netns::Netns;
use lab::wire::Wire;
use scene::{PORT, connect, failed, lab, run_in, wait_until};
use watch::Watch;

const METRICS: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 9435);
/// What a monitor that is slow, or means harm, may open at once.
const SLOW_CLIENTS: usize = 500;

fn scrape(ns: &Netns) -> String {
    get(ns, METRICS, "/metrics").expect("hs-mon answers")
}

#[test]
fn metrics_are_the_totals() {
    let (lab, _server) = lab();
    let watch = Watch::start(&lab.server.ns, "--iface hsm-server --mode native --metrics 9435");
    connect(&lab, 40);
    watch.wait_for_total("completed", 40);
    // Nothing passes any more; a retransmission of a FIN could, and is waited for.
    let completed = "hsmon_handshakes_total{outcome=\"completed\"}";
    let synack_count = "hsmon_handshake_rtt_seconds_count{part=\"synack\"}";
    wait_until("all are told", || sample(&scrape(&lab.server.ns), synack_count) >= 40.0);
    let text = scrape(&lab.server.ns);
    let said = watch.stop();
    for (name, total) in [
        (completed, "completed"),
        ("hsmon_handshakes_begun_total", "begun"),
        ("hsmon_syn_segments_total", "syn"),
        ("hsmon_synack_segments_total", "synack"),
        ("hsmon_events_produced_total", "events_produced"),
        ("hsmon_events_lost_total", "events_lost"),
    ] {
        assert!(
            (sample(&text, name) - said.totals.get(total) as f64).abs() < 0.5,
            "{name}: {:?}",
            said.totals
        );
    }
    assert!(sample(&text, "hsmon_packets_total") <= said.totals.get("packets") as f64);
    assert!((sample(&text, "hsmon_handshake_rtt_seconds_count{part=\"ack\"}") - 40.0).abs() < 0.5, "{text}");
    assert!(
        (sample(&text, "hsmon_interface_up{interface=\"hsm-server\",ingress=\"native\"}") - 1.0).abs() < 0.5
    );
    // Forty of 131,072 flows: a few of the sample's 8,192, or none.
    let used = sample(&text, "hsmon_flow_slots_used_ratio");
    assert!((0.0..0.01).contains(&used), "{used}");
}

#[test]
fn a_flood_fills_the_slots_and_names_its_victim() {
    let (lab, _server) = lab();
    let watch = Watch::start(&lab.server.ns, "--iface hsm-server --metrics 9435 --max-flows 4096");
    let victim = lab.server.plan.v4_at(PORT);
    let sources = Prefix::new(IpAddr::V4(Ipv4Addr::new(198, 19, 0, 0)), 16);
    let flood = Flood { sources, victim, count: 3_000, rate: 3_000, seed: 1 };
    let wire = Wire::open(&lab.client).expect("a wire");
    let sent = flood.send(&wire, &AtomicBool::new(false)).expect("the flood is sent");
    let active = "hsmon_alerts_active{signature=\"syn_flood\"}";
    wait_until("the flood is told", || sample(&scrape(&lab.server.ns), active) > 0.5);
    let text = scrape(&lab.server.ns);
    assert!(sample(&text, &format!("hsmon_flood_syns_per_second{{victim=\"{victim}\"}}")) > 100.0, "{text}");
    // Of so few slots all are looked at. Lines have eight, and some have had more flows than that.
    let used = sample(&text, "hsmon_flow_slots_used_ratio") * 4096.0;
    let evicted = sample(&text, "hsmon_flows_evicted_total");
    assert!((used + evicted - sent as f64).abs() < 1.0, "{used} slots, {evicted} evicted, {sent} sent");
    wait_until("it ends", || sample(&scrape(&lab.server.ns), active) < 0.5);
    let waiting = "hsmon_flow_slots_waiting_ratio";
    assert!(sample(&text, waiting) > 0.1, "{text}");
    wait_until("all have timed out", || sample(&scrape(&lab.server.ns), waiting) < 1e-9);
    // What is left of them is remembered, and is in nobody's way.
    let text = scrape(&lab.server.ns);
    assert!(sample(&text, "hsmon_flow_slots_used_ratio") * 4096.0 > used - 1.0, "{text}");
    watch.stop();
}

/// Each in the middle of its request, for as long as it is suffered.
#[test]
fn slow_clients_do_not_hurt_the_watch() {
    let (lab, _server) = lab();
    let watch = Watch::start(&lab.server.ns, "--iface hsm-server --metrics 9435");
    let slow = lab.server.ns.enter(|| {
        let client = |_| {
            let mut client = TcpStream::connect(METRICS).expect("the kernel accepts");
            client.write_all(b"GET /metrics HTTP/1.1\r\nHost: hs").expect("it can be written to");
            client
        };
        (0..SLOW_CLIENTS).map(client).collect::<Vec<_>>()
    });
    let slow = slow.expect("slow clients run");
    connect(&lab, 50);
    watch.wait_for_total("completed", 50);
    let text = scrape(&lab.server.ns);
    assert!((sample(&text, "hsmon_handshakes_total{outcome=\"completed\"}") - 50.0).abs() < 0.5, "{text}");
    let files = std::fs::read_dir(format!("/proc/{}/fd", watch.monitor.pid())).expect("it runs").count();
    assert!(files < 100, "{files} file descriptors");
    let said = watch.stop();
    drop(slow);
    said.tells_all();
    assert_eq!(said.totals.get("begun"), 50, "{:?}", said.totals);
}

#[test]
fn a_port_that_is_taken_is_an_error() {
    let (lab, _server) = lab();
    let _first = Watch::start(&lab.server.ns, "--iface hsm-server --metrics 9435");
    let why = "can't serve metrics on 127.0.0.1:9435 (--metrics): Address already in use";
    failed(&run_in(&lab, "--iface lo --metrics 9435"), &[why]);
}
