//! SIGHUP in the middle of a flood: the configuration is another, and all that is known stays.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};

use serde_json::Value;

use crate::guest::unless_guest;
use crate::lab::Lab;
use crate::lab::clients::Clients;
use crate::lab::flood::Flood;
use crate::lab::frame::Prefix;
use crate::lab::wire::Wire;
use crate::watch::Watch;
use crate::{OTHER_PORT, PORT, serve};

/// A flood there shows that the detector is awake.
const THIRD_PORT: u16 = 9443;

/// A configuration file that is gone after the test.
struct Config(PathBuf);

impl Config {
    fn new(text: &str) -> Config {
        let file = std::env::temp_dir().join(format!("hs-mon-reload-{}.toml", std::process::id()));
        let config = Config(file);
        config.write(text);
        config
    }

    fn write(&self, text: &str) {
        fs::write(&self.0, text).expect("the configuration is written");
    }
}

impl Drop for Config {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

fn flood(lab: &Lab, port: u16) -> Flood {
    let sources = Prefix::new("198.19.0.0".parse().expect("an address"), 16);
    let rate = unless_guest("SYNs a second of a flood across a reload", 1_000, 300);
    // Far more than a test waits for: it ends when it is told to.
    let count = u64::from(rate) * 50;
    Flood { sources, victim: lab.server.plan.v4_at(port), count, rate, seed: u64::from(port) << 32 }
}

/// A flood in the background; the thread returns how many SYNs it had.
fn begin(lab: &Lab, port: u16, stop: &Arc<AtomicBool>) -> JoinHandle<u64> {
    let (wire, flood, stop) = (Wire::open(&lab.client).expect("a wire"), flood(lab, port), Arc::clone(stop));
    thread::spawn(move || flood.send(&wire, &stop).expect("the flood is sent"))
}

/// A short one, all of it.
fn send_some(lab: &Lab, port: u16, seed: u64) -> u64 {
    let flood = Flood { count: 2_000, seed: flood(lab, port).seed + seed, ..flood(lab, port) };
    let sent = flood.send(&Wire::open(&lab.client).expect("a wire"), &AtomicBool::new(false));
    sent.expect("the flood is sent")
}

fn is_of(event: &Value, port: u16, phase: &str) -> bool {
    event["synflood"]["victim_port"] == port && event["synflood"]["phase"] == phase
}

#[test]
fn a_reload_amid_a_flood_loses_nothing() {
    let lab = Lab::pair().expect("a laboratory (root is needed)");
    let _server = serve(&lab.server, &[PORT, OTHER_PORT, THIRD_PORT]);
    let config = Config::new("[detection]\nsensitivity = \"medium\"\n");
    let file = config.0.display();
    let watch =
        Watch::start(&lab.server.ns, &format!("--iface hsm-server --half-open-after 1s --config {file}"));
    let clients = Clients::start(&lab.client.ns, &[lab.server.plan.v4_at(PORT)], 20.0).expect("clients run");
    let stop = Arc::new(AtomicBool::new(false));
    let first = begin(&lab, PORT, &stop);
    let start = watch.wait_for_event("the first flood starts", |event| is_of(event, PORT, "start"));
    let hang_up = || watch.monitor.signal(libc::SIGHUP).expect("hs-mon gets SIGHUP");

    // What is ignored from now on is told no more.
    config.write(&format!("[[detection.except]]\nports = [{OTHER_PORT}]\nignore = true\n"));
    hang_up();
    watch.wait_for_message("[detection] read again");
    let mut sent = send_some(&lab, OTHER_PORT, 0);

    // A broken file says why, and the one before it still holds.
    config.write("[detection]\nfloor = \"much\"\n");
    hang_up();
    let why = watch.wait_for_message("the old configuration stays");
    assert!(why.contains("floor") && why.contains(&file.to_string()), "{why}");
    sent += send_some(&lab, OTHER_PORT, 1_000_000);

    // The detector is awake all the while, and the first alarm is the same one.
    sent += send_some(&lab, THIRD_PORT, 0);
    let third = watch.wait_for_event("the third flood starts", |event| is_of(event, THIRD_PORT, "start"));
    assert_eq!(third["synflood"]["id"], 2, "{third}");
    stop.store(true, Ordering::Relaxed);
    let of_first = first.join().expect("the flood was sent");
    let end = watch.wait_for_event("the first flood ends", |event| is_of(event, PORT, "end"));
    for field in ["id", "started_at"] {
        assert_eq!(start["synflood"][field], end["synflood"][field], "{end}");
    }
    assert_eq!(end["synflood"]["syn_total"], of_first, "{end}");
    watch.wait_for_event("the third flood ends", |event| is_of(event, THIRD_PORT, "end"));

    let honest = clients.stop().expect("clients ran").connected;
    watch.wait_for_total("completed", honest);
    let said = watch.stop();
    said.tells_all();
    let of_ignored = |event: &Value| event["synflood"]["victim_port"] == OTHER_PORT;
    assert_eq!(said.count(of_ignored), 0, "what is ignored is not told");
    assert_eq!(said.totals.get("alerts"), 2, "{:?}", said.totals);
    assert_eq!(said.totals.get("begun"), sent + of_first + honest, "{:?}", said.totals);
    assert_eq!(said.totals.get("completed"), honest, "{:?}", said.totals);
}
