//! Others at the hooks that hs-mon holds.

use crate::guest::some_unless_guest;
use crate::lab::Lab;
use crate::scene::{connect, has_tcx, lab};
use crate::watch::Watch;

/// Runs a program in the server's namespace; what it says if it fails.
fn try_to(lab: &Lab, command: &str) -> Result<(), String> {
    let mut words = command.split_whitespace();
    let program = words.next().expect("a program");
    let output = lab.server.ns.command(program).args(words).output().expect("it runs");
    if output.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&output.stderr).into_owned()) }
}

/// What hangs on a link can't be taken away or replaced by who does not hold the link.
#[test]
fn nobody_takes_the_xdp_hook_away() {
    let (lab, _server) = lab();
    for mode in some_unless_guest("modes of a hook that others want", &["native", "generic"], &["generic"]) {
        let watch = Watch::start(&lab.server.ns, &format!("--iface hsm-server --mode {mode}"));
        for option in ["xdp", "xdpgeneric", "xdpdrv"] {
            // Where there is nothing to take off, this may be no error; that it took nothing off shows below.
            let _ = try_to(&lab, &format!("ip link set dev hsm-server {option} off"));
        }
        let option = if *mode == *"native" { "xdpdrv" } else { "xdpgeneric" };
        let refused = try_to(&lab, &format!("ip link set dev hsm-server {option} off"));
        assert!(
            refused.as_ref().is_err_and(|why| why.contains("active BPF XDP link")),
            "--mode {mode}: {refused:?}"
        );
        connect(&lab, 5);
        watch.wait_for_total("completed", 5);
        assert_eq!(watch.stop().totals.get("begun"), 5);
    }
}

/// A second hs-mon puts its XDP program where the first one watches by tc. In the stack
/// (generic) of a veth, it takes the Ethernet header from what tc sees.
#[test]
fn an_xdp_program_that_comes_later_hides_nothing_unseen() {
    let (lab, _server) = lab();
    for mode in some_unless_guest("modes of a program that comes later", &["native", "generic"], &["generic"])
    {
        let first = Watch::start(&lab.server.ns, "--iface hsm-server --mode tc");
        let second = Watch::start(&lab.server.ns, &format!("--iface hsm-server --mode {mode}"));
        connect(&lab, 5);
        second.wait_for_total("completed", 5);
        assert_eq!(second.stop().totals.get("begun"), 5);
        first.wait_for_total("completed", 5);
        assert_eq!(first.stop().totals.get("begun"), 5, "--mode {mode}");
    }
}

/// With tcx hs-mon does not hang on the qdisc; before, it says that its filters are gone, and puts them back.
#[test]
fn the_qdisc_may_be_deleted() {
    let (lab, _server) = lab();
    let watch = Watch::start(&lab.server.ns, "--iface hsm-server --mode tc");
    if has_tcx() {
        try_to(&lab, "tc qdisc add dev hsm-server clsact").expect("a qdisc");
    }
    connect(&lab, 5);
    watch.wait_for_total("completed", 5);
    try_to(&lab, "tc qdisc delete dev hsm-server clsact").expect("it is deleted");
    if !has_tcx() {
        watch.wait_for_message("warning: hsm-server: somebody removed the filters of tc");
        watch.wait_for_message("watching hsm-server");
    }
    connect(&lab, 5);
    watch.wait_for_total("completed", 10);
    assert_eq!(watch.stop().totals.get("begun"), 10);
}
