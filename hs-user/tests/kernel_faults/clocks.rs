//! Clocks that are others than the kernel's.

use std::ffi::CStr;
use std::io::{self, BufRead as _, BufReader};
use std::os::unix::process::CommandExt as _;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::lab::frame::Segment;
use crate::lab::wire::Wire;
use crate::scene::{PORT, connect, lab};
use crate::watch::{json, program};

/// linux/sched.h
const CLONE_NEWTIME: libc::c_int = 0x80;
const OFFSETS: &CStr = c"/proc/self/timens_offsets";

/// Has a command run with a CLOCK_MONOTONIC that is a day ahead.
fn a_day_ahead(command: &mut Command) -> &mut Command {
    const OFFSET: &[u8] = b"monotonic 86400 0";
    let enter = || {
        // SAFETY: between fork and exec only system calls are made; the text ends with a zero byte, and the offset has
        // the length that is passed with it. Who unshares time is in the new namespace after exec.
        let done = unsafe {
            libc::unshare(CLONE_NEWTIME) == 0 && {
                let file = libc::open(OFFSETS.as_ptr(), libc::O_WRONLY);
                libc::write(file, OFFSET.as_ptr().cast(), OFFSET.len()) == OFFSET.len() as isize
                    && libc::close(file) == 0
            }
        };
        if done { Ok(()) } else { Err(io::Error::last_os_error()) }
    };
    // SAFETY: as above.
    unsafe { command.pre_exec(enter) }
}

/// A container may have a time namespace. The kernel's events have the kernel's own clock there too: handshakes of a
/// watch that would seem to begin tomorrow would not be followed.
#[test]
fn a_time_namespace_changes_nothing() {
    let (lab, _server) = lab();
    let mut command = lab.server.ns.command(program());
    // Should what is waited for not come, it ends by itself.
    command.args("--iface hsm-server --format json --half-open-after 1s --duration 30s".split(' '));
    a_day_ahead(&mut command).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("hs-mon starts");
    let stderr = BufReader::new(child.stderr.take().expect("a pipe"));
    let watching = stderr.lines().next().expect("a line").expect("text");
    assert!(watching.contains("watching hsm-server"), "{watching}");
    connect(&lab, 3);
    let wire = Wire::open(&lab.client).expect("a wire");
    let syn = Segment::syn(([198, 19, 0, 9], 4000).into(), lab.server.plan.v4_at(PORT), 7);
    wire.send(&syn).expect("the SYN is sent");
    let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
    let mut next = || lines.next().map(|line| json(&line.expect("text")));
    let events: Vec<Value> = std::iter::from_fn(&mut next).take(4).collect();
    let outcomes: Vec<&Value> = events.iter().map(|event| &event["handshake"]["outcome"]).collect();
    assert_eq!(outcomes, ["completed", "completed", "completed", "half_open"], "{events:?}");
    // SAFETY: no pointers; the process is our child and not yet waited for.
    assert_eq!(unsafe { libc::kill(child.id() as i32, libc::SIGINT) }, 0);
    let totals = next().expect("totals");
    assert_eq!(totals["stats"]["syn_before_watch"], 0, "{totals}");
    assert_eq!(child.wait().expect("it ends").code(), Some(0));
    // Its times are those of people: less than an hour from now.
    let told: jiff::Timestamp = totals["timestamp"].as_str().expect("a time").parse().expect("RFC 3339");
    let ago = jiff::Timestamp::now().duration_since(told);
    assert!(ago.as_secs().abs() < 3600, "{totals}");
}
