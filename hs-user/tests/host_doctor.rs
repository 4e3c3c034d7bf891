//! `hs-mon doctor`, and that what it foretells comes true.

#[path = "kernel_support/guest.rs"]
mod guest;
#[path = "../../xtask/src/lab/mod.rs"]
mod lab;
#[path = "kernel_support/scene.rs"]
mod scene;
#[path = "kernel_support/watch.rs"]
mod watch;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::process::{Command, Output};

use lab::Lab;
use scene::{connect, lab, run_in};
use watch::{Watch, program};

/// The examination, and whether hs-mon would run.
fn examined(output: &Output) -> (String, Option<i32>) {
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    (String::from_utf8_lossy(&output.stdout).into_owned(), output.status.code())
}

fn doctor(lab: &Lab, args: &str) -> (String, Option<i32>) {
    examined(&run_in(lab, &format!("doctor {args}")))
}

/// One that is well under way.
fn watching(lab: &Lab, args: &str) -> Watch {
    let watch = Watch::start(&lab.server.ns, args);
    connect(lab, 1);
    watch.wait_for_total("completed", 1);
    watch
}

/// A line with this beginning, however wide its columns are, and with this in it.
#[track_caller]
fn has_line(text: &str, start: &str, part: &str) {
    let words = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
    let found = text.lines().any(|line| words(line).starts_with(start) && line.contains(part));
    assert!(found, "no line {start:?} with {part:?} in\n{text}");
}

#[test]
fn the_way_that_it_foretells_is_the_one_that_is_taken() {
    let (lab, _server) = lab();
    let (text, status) = doctor(&lab, "");
    assert_eq!(status, Some(0), "{text}");
    for heading in ["machine", "lo", "hsm-server"] {
        assert!(text.lines().any(|line| line == heading), "{heading} is missing from\n{text}");
    }
    has_line(&text, "ok link", "Ethernet, driver veth");
    assert!(!text.contains('\u{1b}'), "no colour where there is no terminal");

    let watch = watching(&lab, "--iface hsm-server");
    let said = watch.stop();
    let way = said.stderr[0].split_once("ingress by ").and_then(|(_, way)| way.split_once(", egress"));
    let (way, _) = way.expect("it says how it watches");
    has_line(&text, "ok mode", &format!("--mode auto takes {way}"));
}

#[test]
fn another_xdp_program_and_what_is_down_are_seen() {
    let (lab, _server) = lab();
    lab.server.ns.ip("link add hsm-down type veth peer name hsm-peer").expect("a veth pair");
    let first = watching(&lab, "--iface hsm-server --mode generic");
    let (text, status) = doctor(&lab, "--iface hsm-server --iface hsm-down");
    drop(first.stop());
    assert_eq!(status, Some(0), "{text}");
    has_line(&text, "warning XDP", "held by the program `hs_xdp`");
    has_line(&text, "→ if it is not wanted:", "ip link set dev hsm-server xdp off");
    has_line(&text, "ok mode", "--mode auto takes tc");
    // That one was named, and is down.
    has_line(&text, "warning link", "driver veth; it is down");
}

#[test]
fn without_an_interface_or_privilege_it_says_so_and_fails() {
    let (lab, _server) = lab();
    let (text, status) = doctor(&lab, "--iface nope0");
    assert_eq!(status, Some(1));
    has_line(&text, "FAIL link", "no such interface: nope0; there are: hsm-server, lo");

    // Where everybody may go: the build directory may be root's own.
    let copy = std::env::temp_dir().join(format!("hs-mon-doctor-{}", std::process::id()));
    fs::copy(program(), &copy).expect("the program can be copied");
    fs::set_permissions(&copy, fs::Permissions::from_mode(0o755)).expect("the copy may be run by all");
    let output = Command::new(&copy).args(["doctor", "--iface", "lo"]).uid(65_534).gid(65_534).output();
    fs::remove_file(&copy).expect("the copy can be removed");
    let (text, status) = examined(&output.expect("hs-mon runs"));
    assert_eq!(status, Some(1), "{text}");
    has_line(&text, "FAIL privilege", "lacks CAP_BPF, CAP_PERFMON, CAP_NET_ADMIN");
    // What needs no privilege is seen all the same.
    has_line(&text, "ok link", "loopback");
    has_line(&text, "ok merging", "");
}

/// The memory that was worked out beforehand is what the kernel says of the maps.
#[test]
fn the_maps_take_what_was_foretold() {
    let (lab, _server) = lab();
    for flows in ["1024", "131072"] {
        let watch = watching(&lab, &format!("--iface hsm-server --max-flows {flows} -v"));
        let kernel = maps_of(watch.monitor.pid());
        let said = watch.stop();
        let foretold = said.stderr.iter().find_map(|line| line.strip_prefix("hs-mon: the maps take "));
        let foretold = foretold.and_then(|line| line.split(' ').next()?.parse::<u64>().ok());
        let foretold = foretold.expect("-v tells the memory") << 20;
        // Told in whole MiB.
        let off = foretold.abs_diff(kernel);
        assert!(off <= (1 << 20) + kernel / 50, "{foretold} bytes foretold, {kernel} taken");
    }
}

/// Bytes of all maps that the process holds, as the kernel counts them.
fn maps_of(pid: u32) -> u64 {
    let entries = fs::read_dir(format!("/proc/{pid}/fdinfo")).expect("the process is there");
    let infos = entries.flatten().filter_map(|entry| fs::read_to_string(entry.path()).ok());
    let memory = infos.filter(|info| info.contains("map_id:")).map(|info| {
        let bytes = info.lines().find_map(|line| line.strip_prefix("memlock:"));
        bytes.and_then(|bytes| bytes.trim().parse::<u64>().ok()).expect("the kernel tells")
    });
    memory.sum()
}
