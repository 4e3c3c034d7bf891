//! What goes wrong around hs-mon: no privilege, no such interface, others at the same hook, signals, interfaces
//! that go down or away.

#[path = "kernel_faults/clocks.rs"]
mod clocks;
#[path = "kernel_support/guest.rs"]
mod guest;
#[path = "kernel_faults/hooks.rs"]
mod hooks;
#[path = "kernel_faults/killed.rs"]
mod killed;
#[path = "../../xtask/src/lab/mod.rs"]
mod lab;
#[path = "kernel_faults/limits.rs"]
mod limits;
#[path = "kernel_support/objects.rs"]
mod objects;
#[path = "kernel_support/passing.rs"]
mod passing;
#[path = "kernel_support/scene.rs"]
mod scene;
#[path = "kernel_support/watch.rs"]
mod watch;

use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use std::{env, fs};

use guest::some_unless_guest;
use lab::clients::connect_many;
use objects::Objects;
use scene::{PORT, connect, failed, has_tcx, is_over, lab, run_in, wait_until};
use watch::{SOON, Watch, program};

#[test]
fn an_unknown_interface_is_answered_with_those_there_are() {
    let (lab, _server) = lab();
    let expected = ["no such interface: nope0; there are: hsm-server, lo"];
    failed(&run_in(&lab, "--iface nope0"), &expected);
    // The good one is not attached to either.
    failed(&run_in(&lab, "--iface hsm-server --iface nope0"), &expected);
}

#[test]
fn a_mode_that_the_driver_lacks_is_an_error() {
    let (lab, _server) = lab();
    let why = "can't attach to lo by native XDP: the driver does not support it";
    failed(&run_in(&lab, "--iface lo --mode native"), &[why]);
}

#[test]
fn a_user_without_privilege_is_told_what_to_do() {
    // Where everybody may go: the build directory may be root's own.
    let copy = env::temp_dir().join(format!("hs-mon-{}", std::process::id()));
    fs::copy(program(), &copy).expect("the program can be copied");
    fs::set_permissions(&copy, fs::Permissions::from_mode(0o755)).expect("the copy may be run by all");
    for args in [&["--iface", "lo"][..], &["--iface", "lo", "--mode", "tc"]] {
        let output = Command::new(&copy).args(args).current_dir("/").uid(65_534).gid(65_534).output();
        failed(&output.expect("hs-mon runs"), &["root", "CAP_BPF", "try sudo"]);
    }
    fs::remove_file(&copy).expect("the copy can be removed");
}

/// The first holds the XDP hook. The second says so, names the program, and takes tc.
#[test]
fn two_on_one_interface_both_see_everything() {
    let (lab, _server) = lab();
    let first = Watch::start(&lab.server.ns, "--iface hsm-server --mode native");
    let held = "hsm-server is held by the XDP program `hs_xdp` (id ";
    for mode in some_unless_guest("modes that are held", &["native", "generic"], &["generic"]) {
        let output = run_in(&lab, &format!("--iface hsm-server --mode {mode}"));
        failed(&output, &["can't attach to hsm-server by ", held, "--mode tc"]);
    }
    let second = Watch::start(&lab.server.ns, "--iface hsm-server");
    connect(&lab, 20);
    for (watch, ingress) in [(first, "native XDP"), (second, "tc (cheaper than XDP on veth)")] {
        watch.wait_for_total("completed", 20);
        let said = watch.stop();
        assert_eq!(said.totals.get("begun"), 20, "{:?}", said.totals);
        let attached = format!("hs-mon: watching hsm-server: ingress by {ingress}, egress by tc");
        assert_eq!(said.stderr, [attached]);
    }
}

/// Whatever ends it, nothing of it stays in the kernel, and the next one starts as the first did. Without tcx,
/// filters stay after SIGKILL: they hang on a qdisc. The next start replaces them. (In each mode once killed, the
/// last time by the same as the first, which ends well.)
#[test]
fn nothing_stays_behind() {
    let (lab, _server) = lab();
    let egress_filters = || {
        let mut tc = lab.server.ns.command("tc");
        let output = tc.args(["filter", "show", "dev", "hsm-server", "egress"]).output().expect("tc runs");
        // A filter's line may name it twice, as a filter and as a program.
        String::from_utf8_lossy(&output.stdout).lines().filter(|line| line.contains("hs_tc_egress")).count()
    };
    let modes = ["tc", "native", "generic", "tc"];
    for (number, mode) in modes.iter().enumerate() {
        let watch = Watch::start(&lab.server.ns, &format!("--iface hsm-server --mode {mode}"));
        assert_eq!(egress_filters(), usize::from(!has_tcx()), "--mode {mode}, start {number}");
        connect(&lab, 10);
        watch.wait_for_total("completed", 10);
        let objects = Objects::of(watch.monitor.pid());
        assert_eq!(objects.has_links(), has_tcx() || *mode != "tc", "--mode {mode}: {objects:?}");
        if number + 1 < modes.len() {
            watch.monitor.signal(libc::SIGKILL).expect("it is there to be killed");
            let finished = watch.monitor.wait(SOON).expect("it ends");
            assert_eq!(finished.status.code(), None, "a signal ended it");
            if has_tcx() {
                wait_until("all programs, maps and links are gone", || objects.left().is_empty());
            } else {
                wait_until("all links are gone", || objects.left_links().is_empty());
            }
        } else {
            let totals = watch.stop().totals;
            assert_eq!((totals.get("begun"), totals.get("completed")), (10, 10), "{totals:?}");
            wait_until("all programs, maps and links are gone", || objects.left().is_empty());
            assert_eq!(egress_filters(), 0, "--mode {mode}");
        }
    }
}

#[test]
fn signals_and_the_duration_end_it_with_its_totals() {
    let (lab, _server) = lab();
    for signal in [libc::SIGINT, libc::SIGTERM] {
        let watch = Watch::start(&lab.server.ns, "--iface hsm-server");
        connect(&lab, 3);
        watch.wait_for_total("completed", 3);
        assert_eq!(watch.stop_by(signal).totals.get("completed"), 3);
    }
    let output = run_in(&lab, "--iface hsm-server --duration 200ms --format json -q");
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(String::from_utf8_lossy(&output.stderr), "", "-q is quiet");
    let last = String::from_utf8_lossy(&output.stdout).lines().last().map(watch::json);
    assert_eq!(last.expect("totals")["event_type"], "stats");
}

/// Whoever has read that it watches may end it.
#[test]
fn a_signal_as_soon_as_it_watches_ends_it_with_its_totals() {
    let (lab, _server) = lab();
    for _ in 0..5 {
        Watch::start(&lab.server.ns, "--iface hsm-server").stop_by(libc::SIGTERM);
    }
}

/// A handshake under way when it ends is half-open, by shutdown.
#[test]
fn the_end_is_an_outcome_too() {
    let (lab, _server) = lab();
    let watch = Watch::start(&lab.server.ns, "--iface hsm-server --half-open-after 1h");
    let wire = lab::wire::Wire::open(&lab.client).expect("a wire");
    // A source that nobody has, so that the SYN-ACK stays unanswered.
    let syn = lab::frame::Segment::syn(([198, 19, 0, 9], 4000).into(), lab.server.plan.v4_at(PORT), 7);
    wire.send(&syn).expect("the SYN is sent");
    watch.wait_for_total("synack", 1);
    let said = watch.stop();
    let handshake = &said.handshakes().next().expect("a handshake")["handshake"];
    assert_eq!((&handshake["outcome"], &handshake["reason"]), (&"half_open".into(), &"shutdown".into()));
}

/// Ends with the status of `child`, which must end by itself.
fn status_of(child: &mut Child) -> Option<i32> {
    wait_until("hs-mon ends", || is_over(child.id()));
    child.wait().expect("hs-mon ended").code()
}

/// Whoever read us has enough: `hs-mon … | head`.
#[test]
fn a_closed_pipe_ends_it_quietly() {
    let (lab, _server) = lab();
    for format in ["text", "json"] {
        let mut command = lab.server.ns.command(program());
        command.args(["--iface", "hsm-server", "--quiet", "--stats-interval", "50ms", "--format", format]);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("hs-mon starts");
        drop(child.stdout.take());
        assert_eq!(status_of(&mut child), Some(0), "{format}");
        let stderr = child.wait_with_output().expect("hs-mon ended").stderr;
        assert_eq!(String::from_utf8_lossy(&stderr), "", "{format}");
    }
}

#[test]
fn an_interface_may_go_down_and_come_up() {
    let (lab, _server) = lab();
    for mode in some_unless_guest("modes of an interface that goes down", &["native", "tc"], &["native"]) {
        let watch = Watch::start(&lab.server.ns, &format!("--iface hsm-server --mode {mode}"));
        connect(&lab, 5);
        lab.server.ns.ip("link set hsm-server down").expect("it goes down");
        let answer = lab.client.ns.enter(|| {
            TcpStream::connect_timeout(&lab.server.plan.v4_at(PORT), Duration::from_millis(300)).is_ok()
        });
        assert!(!answer.expect("the namespace is there"), "nothing passes while it is down");
        lab.server.ns.ip("link set hsm-server up").expect("it comes up");
        wait_until("the network is back", || {
            connect_many(&lab.client.ns, 1, lab.server.plan.v4_at(PORT)).is_ok_and(|made| made == 1)
        });
        connect(&lab, 5);
        watch.wait_for_total("completed", 11);
        watch.stop();
    }
}

/// Of two interfaces, the one that is left is watched on.
#[test]
fn an_interface_that_goes_away_takes_no_other_with_it() {
    let (lab, _server) = lab();
    lab.server.ns.ip("link add hsm-spare type veth peer name hsm-spare-peer").expect("a second cable");
    let watch = Watch::start(&lab.server.ns, "--iface hsm-spare --iface hsm-server");
    lab.server.ns.ip("link delete hsm-spare").expect("it goes away");
    let warning = watch.wait_for_message("warning");
    assert!(warning.starts_with("hs-mon: warning: interface hsm-spare is gone"), "{warning}");
    assert!(!warning.contains("nothing is watched"), "{warning}");
    connect(&lab, 5);
    watch.wait_for_total("completed", 5);
    watch.stop();
}

/// How often a process has gone to sleep by itself. One that spins does not, however little time it is given.
fn times_asleep(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("the process is there");
    let count = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
    count.and_then(|count| count.trim().parse().ok()).expect("a count")
}

/// It says so, once; goes on, at rest; tells what it saw, and ends well.
#[test]
fn an_interface_may_go_away() {
    let modes = ["native", "generic", "tc"];
    for mode in some_unless_guest("modes of an interface that goes away", &modes, &["native"]) {
        let (lab, _server) = lab();
        let watch = Watch::start(&lab.server.ns, &format!("--iface hsm-server --mode {mode}"));
        connect(&lab, 5);
        watch.wait_for_total("completed", 5);
        // The other end goes with it.
        lab.client.ns.ip("link delete hsm-client").expect("it goes away");
        let warning = watch.wait_for_message("warning");
        assert!(warning.starts_with("hs-mon: warning: interface hsm-server is gone"), "{warning}");
        assert!(warning.contains("nothing is watched until then"), "{warning}");
        let lines = watch.monitor.lines().len();
        let before = times_asleep(watch.monitor.pid());
        wait_until("totals are still told", || watch.monitor.lines().len() > lines + 20);
        let slept = times_asleep(watch.monitor.pid()) - before;
        assert!(
            slept >= 20,
            "--mode {mode}: it slept {slept} times in the time of 20 totals, with nothing to do"
        );
        let said = watch.stop();
        assert_eq!((said.totals.get("begun"), said.totals.get("completed")), (5, 5), "{:?}", said.totals);
        let warnings = said.stderr.iter().filter(|line| line.contains("warning")).count();
        assert_eq!(warnings, 1, "--mode {mode}: {:?}", said.stderr);
    }
}
