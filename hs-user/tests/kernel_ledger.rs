//! The totals add up whenever hs-mon ends, and whatever was lost on the way. [`Watch::stop`] checks it everywhere;
//! here it is made hard.

#[path = "kernel_support/guest.rs"]
mod guest;
#[path = "../../xtask/src/lab/mod.rs"]
mod lab;
#[path = "kernel_support/scene.rs"]
mod scene;
#[path = "kernel_support/watch.rs"]
mod watch;

use std::net::{IpAddr, Ipv4Addr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::{env, fs, process, thread};

use guest::{some_unless_guest, unless_guest};
use lab::flood::Flood;
use lab::frame::{Prefix, Segment};
use lab::wire::Wire;
use lab::{Lab, Options, handshakes};
use scene::{PORT, room_for_events};
use watch::Watch;

/// SYNs without an end, as fast as they can be made, while `work` is done.
fn amid_a_flood<T>(lab: &Lab, work: impl FnOnce() -> T) -> T {
    let flood = Flood {
        sources: Prefix::new(IpAddr::V4(Ipv4Addr::new(198, 19, 0, 0)), 16),
        victim: lab.server.plan.v4_at(PORT),
        count: u64::MAX,
        rate: unless_guest("SYNs a second amid which it ends", 1_000_000, 1_000),
        seed: 1,
    };
    let (wire, over) = (Wire::open(&lab.client).expect("a wire"), AtomicBool::new(false));
    thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                flood.send(&wire, &over).expect("the flood is sent");
            }
        });
        let _end = AtItsEnd(&over);
        work()
    })
}

/// Set when it is dropped, in a panic too.
struct AtItsEnd<'a>(&'a AtomicBool);

impl Drop for AtItsEnd<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// The last totals are read while packets that were let in before are still being looked at.
#[test]
fn a_watch_that_ends_amid_a_flood_adds_up() {
    let (lab, _server) = scene::lab();
    let modes = some_unless_guest("modes of an end amid a flood", &["native", "generic", "tc"], &["native"]);
    amid_a_flood(&lab, || {
        for mode in modes {
            for _ in 0..unless_guest("ends amid a flood", 5, 2) {
                let watch =
                    Watch::start(&lab.server.ns, &format!("--iface hsm-server --mode {mode} --only stats"));
                watch.wait_for_total("begun", 500);
                watch.stop();
            }
        }
    });
}

/// Two interfaces, a table that is too small, and a configuration that is read again and again.
#[test]
fn a_watch_that_has_no_room_and_is_disturbed_adds_up() {
    let (lab, _server) = scene::lab();
    let config = env::temp_dir().join(format!("hs-mon-ledger-{}.toml", process::id()));
    fs::write(&config, "").expect("a configuration");
    let said = amid_a_flood(&lab, || {
        let args = format!(
            "--iface lo --iface hsm-server --max-flows 1024 --only stats --config {}",
            config.display()
        );
        let watch = Watch::start(&lab.server.ns, &args);
        for round in 1..=10 {
            watch.wait_for_total("begun", round * 500);
            watch.monitor.signal(libc::SIGHUP).expect("it runs");
            watch.wait_for_message("read again");
        }
        watch.stop()
    });
    fs::remove_file(&config).expect("the configuration is there");
    assert!(said.totals.get("flows_evicted") > 3_000, "{:?}", said.totals);
}

/// Completed handshakes are never left out, so those that come while hs-mon stands still fill the ring buffers.
#[test]
fn events_that_find_the_ring_buffer_full_are_counted() {
    let nobody = Options { addresses: false, neighbours: false };
    let lab = Lab::with(nobody).expect("a laboratory (root is needed)");
    let watch = Watch::start(&lab.server.ns, "--iface hsm-server --only stats");
    watch.monitor.signal(libc::SIGSTOP).expect("it stands still");
    // The ring buffers of all CPUs, together 4 MiB, are full after 40,330 of them, and that of one CPU sooner.
    let [client, server] = [&lab.client, &lab.server].map(|host| Wire::open(host).expect("a wire"));
    let from = |port| Segment::syn(lab.client.plan.v4_at(port), lab.server.plan.v4_at(PORT), 1_000);
    let syns: Vec<Segment> = (10_000..60_000).map(from).collect();
    handshakes::complete(&client, &server, &syns).expect("the frames are sent");
    watch.monitor.signal(libc::SIGCONT).expect("it goes on");
    watch.wait_for_total("tcp_segments", 150_000);
    let totals = watch.stop_after_losses().totals;
    assert_eq!(totals.get("begun"), 50_000, "{totals:?}");
    let lost = totals.get("events_lost");
    assert_eq!(totals.get("events_delivered") + lost, 50_000, "{totals:?}");
    assert!((5_000..=50_000 - room_for_events()).contains(&lost), "{totals:?}");
}
