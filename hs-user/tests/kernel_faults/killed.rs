//! Ended without a chance to clean up, and stopped while much happens.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use aya::programs::{SchedClassifier, tc::TcAttachType};

use crate::guest::unless_guest;
use crate::lab::Lab;
use crate::lab::flood::Flood;
use crate::lab::frame::Prefix;
use crate::lab::random::Random;
use crate::lab::wire::Wire;
use crate::passing::pass_through;
use crate::scene::{PORT, connect, has_tcx, lab, room_for_events, wait_until};
use crate::watch::{SOON, Watch};

/// Of these milliseconds after the start one is drawn: it loads for some of them, attaches, and watches.
const MOMENTS: u64 = 800;
/// The same after SIGTERM.
const LAST_MOMENTS: u64 = 40;

/// Whether any program is left at the server's end of the cable.
fn is_attached(lab: &Lab) -> bool {
    let mut ip = lab.server.ns.command("ip");
    let link = ip.args(["link", "show", "dev", "hsm-server"]).output().expect("ip runs").stdout;
    let has_xdp = String::from_utf8_lossy(&link).contains("prog/xdp");
    let has_tc = |side| {
        let query = lab.server.ns.enter(|| SchedClassifier::query_tcx("hsm-server", side));
        !query.expect("the namespace is there").expect("the kernel tells").1.is_empty()
    };
    // Without tcx, filters stay: `nothing_stays_behind` has that.
    has_xdp || (has_tcx() && (has_tc(TcAttachType::Ingress) || has_tc(TcAttachType::Egress)))
}

fn flood(lab: &Lab, stop: &AtomicBool) {
    let sources = Prefix::new("198.19.0.0".parse().expect("an address"), 16);
    let rate = unless_guest("SYNs a second amid which it is killed", 20_000, 500);
    let victim = lab.server.plan.v4_at(PORT);
    let wire = Wire::open(&lab.client).expect("a wire");
    let mut seed = 0;
    while !stop.load(Ordering::Relaxed) {
        Flood { sources, victim, count: 100_000, rate, seed }.send(&wire, stop).expect("the flood is sent");
        seed += 1_000_000;
    }
}

/// Before it attaches, between two hooks, amid a flood, while it ends: twenty moments, the same ones each time.
#[test]
fn killed_at_any_moment_it_leaves_nothing_attached() {
    let (lab, _server) = lab();
    let stop = AtomicBool::new(false);
    let mut random = Random::new(20);
    let moment = |random: &mut Random, of: u64| Duration::from_millis(u64::from(random.u32()) % of);
    thread::scope(|scope| {
        scope.spawn(|| flood(&lab, &stop));
        for round in 0..unless_guest("moments at which it is killed", 20, 4) {
            let mode = ["native", "tc", "generic"][round % 3];
            let watch = Watch::launch(&lab.server.ns, &format!("--iface hsm-server --mode {mode}"));
            thread::sleep(moment(&mut random, MOMENTS));
            if round % 4 == 3 {
                watch.monitor.signal(libc::SIGTERM).expect("it is there");
                thread::sleep(moment(&mut random, LAST_MOMENTS));
            }
            watch.monitor.signal(libc::SIGKILL).expect("it is there, or not yet waited for");
            watch.monitor.wait(SOON).expect("it ends");
            wait_until("nothing is attached", || !is_attached(&lab));
        }
        stop.store(true, Ordering::Relaxed);
    });
    let watch = Watch::start(&lab.server.ns, "--iface hsm-server");
    assert!(!has_tcx() || is_attached(&lab), "this would be seen");
    connect(&lab, 10);
    watch.wait_for_total("completed", 10);
    assert_eq!(watch.stop().totals.get("completed"), 10);
}

/// It gets no CPU for a while. The ring buffers of all CPUs hold 40,329 events, of 104 bytes each, and no CPU has more than its
/// share (here, of at least two, a half); the others are lost and counted, the totals are exact,
/// and real handshakes after that are told as ever.
#[test]
fn a_full_ring_buffer_loses_events_and_no_totals() {
    let (lab, _server) = lab();
    let watch = Watch::start(&lab.server.ns, "--iface hsm-server");
    watch.monitor.signal(libc::SIGSTOP).expect("it is there");
    pass_through(&lab.client, 0, 60_000);
    watch.monitor.signal(libc::SIGCONT).expect("it is there");
    watch.wait_for_total("completed", 60_000);
    connect(&lab, 5);
    watch.wait_for_total("completed", 60_005);
    let said = watch.stop_after_losses();
    let totals = ["begun", "completed", "events_produced", "events_suppressed"];
    assert_eq!(totals.map(|name| said.totals.get(name)), [60_005, 60_005, 60_005, 0], "{:?}", said.totals);
    let lost = said.totals.get("events_lost");
    assert!((19_000..=60_000 - room_for_events()).contains(&lost), "{:?}", said.totals);
    assert_eq!(said.handshakes().count() as u64 + lost, 60_005);
    let inbound = said.count(|event| event["handshake"]["direction"] == "inbound");
    assert_eq!(inbound, 5, "the real ones");
}
