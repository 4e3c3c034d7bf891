//! What the tests of faults have in common: a laboratory with a server, and hs-mon run to its end in it.

#![allow(dead_code, reason = "its users include all of it, and none of them uses all of it")]

use std::fs;
use std::process::Output;
use std::thread;
use std::time::{Duration, Instant};

use hs_common::shared::ring_events;

use crate::lab::Lab;
use crate::lab::clients::connect_many;
use crate::lab::server::{Manner, Server};
use crate::watch::{SOON, program};

pub const PORT: u16 = 443;

/// A laboratory, and a server in it.
pub fn lab() -> (Lab, Server) {
    let lab = Lab::pair().expect("a laboratory (root is needed)");
    let server = Server::start(&lab.server.ns, &[lab.server.plan.v4_at(PORT)], Manner::Close, None);
    (lab, server.expect("the server listens"))
}

/// All of these connections are made.
pub fn connect(lab: &Lab, times: u64) {
    let connected = connect_many(&lab.client.ns, times, lab.server.plan.v4_at(PORT));
    assert_eq!(connected.expect("clients run"), times);
}

/// Links by tcx, which go with the process, came with Linux 6.6.
pub fn has_tcx() -> bool {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").expect("proc is mounted");
    let mut numbers = release.split(['.', '-']).map_while(|number| number.parse::<u32>().ok());
    (numbers.next(), numbers.next()) >= (Some(6), Some(6))
}

/// Waits until it is so.
pub fn wait_until(what: &str, is_so: impl Fn() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < SOON, "{what} has not come true");
        thread::sleep(Duration::from_millis(20));
    }
}

/// Whether a child has ended: a zombie is over.
pub fn is_over(pid: u32) -> bool {
    fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| stat.contains(") Z "))
}

/// Runs it to its end, which must come by itself.
pub fn run_in(lab: &Lab, args: &str) -> Output {
    let mut command = lab.server.ns.command(program());
    command.args(args.split_whitespace()).output().expect("hs-mon runs")
}

/// It failed as it should: status 1, nothing on standard output, one error with all of this in it.
pub fn failed(output: &Output, parts: &[&str]) {
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "");
    let error = stderr.lines().last().expect("it says why");
    assert!(error.starts_with("hs-mon: error: "), "{stderr}");
    assert_eq!(stderr.matches("error: ").count(), 1, "one error: {stderr}");
    for part in parts {
        assert!(error.contains(part), "{part:?} is not in {error:?}");
    }
}

/// Events that find room while nobody reads, if all come by one CPU.
pub fn room_for_events() -> u64 {
    ring_events(aya::util::nr_cpus().expect("the number of CPUs") as u32)
}
