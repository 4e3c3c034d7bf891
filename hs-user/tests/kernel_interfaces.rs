//! Several interfaces, and interfaces that come and go: removed and made again, renamed, moved elsewhere, new.

#[path = "kernel_support/guest.rs"]
mod guest;
#[path = "../../xtask/src/lab/mod.rs"]
mod lab;
#[path = "kernel_support/scene.rs"]
mod scene;
#[path = "kernel_support/watch.rs"]
mod watch;

use hs_common::Config;
use hs_mon::cli::Mode;
use hs_mon::kernel::{Interface, Kernel, Options};
use lab::Lab;
use lab::server::Server;
use scene::{connect, failed, has_tcx, lab, run_in};
use serde_json::Value;
use watch::{Said, Watch};

/// The server's end of the cable.
const CABLE: &str = "hsm-server";

/// Makes the cable anew, with the same names.
fn plug_in_again(lab: &Lab) {
    lab.plug_in(lab::Options::default()).expect("a new cable");
}

/// Interfaces that completed handshakes were told of, without repetitions.
fn told_interfaces(said: &Said) -> Vec<&str> {
    let mut names: Vec<&str> = said.handshakes().filter_map(|event| event["in_iface"].as_str()).collect();
    names.dedup();
    names
}

fn completed(event: &Value) -> bool {
    event["handshake"]["outcome"] == "completed"
}

/// Connects so often, and waits until all of it is counted.
fn connect_and_count(lab: &Lab, watch: &Watch, times: u64, total: u64) {
    connect(lab, times);
    watch.wait_for_total("completed", total);
}

/// Starts a watch that has something to wait for, and waits until it says so.
fn launch(lab: &Lab, args: &str, says: &str) -> Watch {
    let watch = Watch::launch(&lab.server.ns, args);
    watch.wait_for_message(says);
    watch
}

fn count_of(said: &Said, part: &str) -> usize {
    said.stderr.iter().filter(|line| line.contains(part)).count()
}

#[test]
fn one_that_is_removed_and_made_again_is_attached_to_again() {
    let (lab, _server) = lab();
    let watch = Watch::start(&lab.server.ns, "--iface hsm-server");
    connect_and_count(&lab, &watch, 3, 3);
    for round in 1..=2 {
        lab.server.ns.ip("link delete hsm-server").expect("it goes away");
        let warning = watch.wait_for_message("is gone");
        assert!(warning.starts_with("hs-mon: warning: interface hsm-server is gone"), "{warning}");
        assert!(warning.contains("it is watched again once it is back; nothing is watched"), "{warning}");
        plug_in_again(&lab);
        watch.wait_for_message("hs-mon: watching hsm-server: ingress by ");
        connect_and_count(&lab, &watch, 3, 3 + 3 * round);
    }
    let said = watch.stop();
    said.tells_all();
    assert_eq!((said.totals.get("begun"), said.count(completed)), (9, 9), "{:?}", said.totals);
    assert_eq!(told_interfaces(&said), [CABLE]);
    assert_eq!((count_of(&said, "is gone"), count_of(&said, "watching")), (2, 3), "{:?}", said.stderr);
}

#[test]
fn one_that_is_renamed_is_watched_on_under_its_new_name() {
    let (lab, _server) = lab();
    let watch = Watch::start(&lab.server.ns, "--iface hsm-server");
    connect_and_count(&lab, &watch, 2, 2);
    lab.server.ns.ip("link set hsm-server down").expect("it goes down");
    lab.server.ns.ip("link set hsm-server name hsm-renamed").expect("it is renamed");
    lab.server.ns.ip("link set hsm-renamed up").expect("it comes up");
    let line = watch.wait_for_message("is called");
    assert_eq!(line, "hs-mon: interface hsm-server is called hsm-renamed now; it is still watched");
    connect_and_count(&lab, &watch, 2, 4);
    let said = watch.stop();
    assert_eq!(told_interfaces(&said), [CABLE, "hsm-renamed"]);
    assert_eq!(said.totals.get("begun"), 4, "{:?}", said.totals);
    lab.server.ns.ip("link set hsm-renamed down").expect("it goes down");
    lab.server.ns.ip("link set hsm-renamed name hsm-server").expect("it has its name back");
}

/// What is attached to it would travel with it, and go on counting elsewhere.
#[test]
fn one_that_moves_to_another_namespace_is_let_go() {
    let (lab, _server) = lab();
    let watch = Watch::start(&lab.server.ns, "--iface hsm-server");
    connect_and_count(&lab, &watch, 2, 2);
    let elsewhere = lab::netns::Netns::create(format!("{}-e", lab.server.ns.name())).expect("a namespace");
    lab.server.ns.ip(&format!("link set hsm-server netns {}", elsewhere.name())).expect("it moves");
    watch.wait_for_message("hs-mon: warning: interface hsm-server is gone");
    let before = watch.wait_for("totals", |_| true).get("packets");
    for line in ["link set lo up", "address add 198.18.0.1/30 dev hsm-server", "link set hsm-server up"] {
        elsewhere.ip(line).expect("it is set up elsewhere");
    }
    let address = lab.server.plan.v4_at(scene::PORT);
    let _server =
        Server::start(&elsewhere, &[address], lab::server::Manner::Close, None).expect("a server elsewhere");
    connect(&lab, 2);
    let said = watch.stop();
    assert_eq!((said.totals.get("completed"), said.totals.get("packets")), (2, before), "{:?}", said.totals);
    elsewhere.ip("link delete hsm-server").expect("the cable is taken out");
}

#[test]
fn a_pattern_that_fits_nothing_waits_and_those_that_come_are_watched() {
    let (lab, _server) = lab();
    lab.server.ns.ip("link delete hsm-server").expect("no cable yet");
    let watch = launch(&lab, "--iface hsm-s*", "hs-mon: no interface fits hsm-s* yet; waiting for one");
    plug_in_again(&lab);
    watch.wait_for_message("hs-mon: watching hsm-server: ");
    connect_and_count(&lab, &watch, 3, 3);
    lab.server.ns.ip("link add hsm-spare type veth peer name x-spare").expect("a second cable");
    watch.wait_for_message("hs-mon: watching hsm-spare: ");
    lab.server.ns.ip("link delete hsm-spare").expect("it goes away");
    // No name was asked for, so this is no warning.
    watch.wait_for_message("hs-mon: interface hsm-spare is gone");
    let said = watch.stop();
    assert_eq!(told_interfaces(&said), [CABLE]);
    assert_eq!(said.totals.get("begun"), 3, "{:?}", said.totals);
    assert_eq!(count_of(&said, "x-spare"), 0, "{:?}", said.stderr);
}

#[test]
fn any_is_all_but_loopback() {
    let (lab, _server) = lab();
    lab.server.ns.ip("link add hsm-spare type veth peer name hsm-peer").expect("another interface");
    let watch = launch(&lab, "--iface any", "hs-mon: watching ");
    (0..2).for_each(|_| drop(watch.wait_for_message("hs-mon: watching ")));
    connect_and_count(&lab, &watch, 3, 3);
    let said = watch.stop();
    assert_eq!((count_of(&said, "watching"), count_of(&said, "watching lo:")), (3, 0), "{:?}", said.stderr);
    assert_eq!(told_interfaces(&said), [CABLE]);
}

/// Places are held at the hooks while programs load: what is not taken after all must not stay there.
#[test]
fn a_place_that_nobody_takes_is_let_go() {
    let (lab, _server) = lab();
    lab.server.ns.ip("link add hsm-spare type veth peer name hsm-peer").expect("another interface");
    let held_by_xdp = |taken_by: Mode| {
        let all = Interface::all().expect("the interfaces");
        let both = [CABLE, "hsm-spare"].map(|name| Interface::named(name, &all).expect("it is there"));
        let held = || both.each_ref().map(|at| at.xdp_program().expect("the kernel tells").is_some());
        let options = Options { config: Config::DEFAULT, replaying: false, log_level: 0 };
        let mut kernel = Kernel::load(&options).expect("the kernel takes the object");
        kernel.prepare(&both, false, Mode::Generic);
        let prepared = held();
        kernel.attach(&both[0], taken_by).expect("it is attached");
        let attached = held();
        kernel.release_places();
        [prepared, attached, held()]
    };
    // Where filters are no links, nothing is held.
    let held = has_tcx();
    for (taken_by, attached) in [(Mode::Generic, true), (Mode::Tc, false)] {
        let found = lab.server.ns.enter(|| held_by_xdp(taken_by)).expect("the namespace is there");
        assert_eq!(found, [[held; 2], [attached, held], [attached, false]], "{taken_by:?}");
    }
}

/// A bridge and its port: each packet passes both.
#[test]
fn what_passes_two_interfaces_is_counted_once() {
    let (lab, _server) = lab();
    lab.server
        .ns
        .ip_all(&[
            "link add hsm-bridge type bridge".to_owned(),
            "link set hsm-bridge addrgenmode none".to_owned(),
            "link set hsm-server master hsm-bridge".to_owned(),
            format!("address delete {}/30 dev hsm-server", lab.server.plan.v4),
            format!("address add {}/30 dev hsm-bridge", lab.server.plan.v4),
            "link set hsm-bridge up".to_owned(),
        ])
        .expect("a bridge");
    for (args, port) in [("--iface any", CABLE), ("--iface hsm-bridge --iface hsm-server", CABLE)] {
        let watch = launch(&lab, args, "hs-mon: watching ");
        watch.wait_for_message("hs-mon: watching ");
        connect_and_count(&lab, &watch, 5, 5);
        let said = watch.stop();
        said.tells_all();
        assert_eq!(told_interfaces(&said), [port]);
        for event in said.handshakes() {
            let again = ["syn_retransmits", "synack_retransmits"].map(|key| event["handshake"][key].as_u64());
            assert_eq!(
                (again, &event["handshake"]["direction"]),
                ([Some(0); 2], &"inbound".into()),
                "{event}"
            );
        }
        let totals = &said.totals;
        assert_eq!(
            (totals.get("begun"), totals.get("syn"), totals.get("seen_again")),
            (5, 10, 10),
            "{totals:?}"
        );
    }
}

/// Many come and go at once: each is let go, and what stays is watched on.
#[test]
fn interfaces_that_come_and_go_fast_leave_nothing_behind() {
    let (lab, _server) = lab();
    let many = guest::unless_guest("cables that come and go", 40, 10);
    let watch = launch(&lab, "--iface *", "hs-mon: watching ");
    watch.wait_for_message("hs-mon: watching ");
    // By then it has opened, and closed, all that it needs for itself.
    watch.wait_for("totals", |_| true);
    let descriptors = || {
        let fds = std::fs::read_dir(format!("/proc/{}/fd", watch.monitor.pid()));
        fds.map_or(0, Iterator::count)
    };
    let before = descriptors();
    let each = |action: &dyn Fn(u32) -> String| (0..many).map(action).collect::<Vec<_>>();
    lab.server
        .ns
        .ip_all(&each(&|n| format!("link add hsm-d{n} type veth peer name hsm-p{n}")))
        .expect("they come");
    // Both ends of each; by links from Linux 6.6 on, of which each holds a descriptor.
    (0..2 * many).for_each(|_| drop(watch.wait_for_message("watching hsm-")));
    assert!(!has_tcx() || descriptors() >= before + 4 * many as usize);
    lab.server.ns.ip_all(&each(&|n| format!("link delete hsm-d{n}"))).expect("they go");
    (0..2 * many).for_each(|_| drop(watch.wait_for_message("is gone")));
    assert_eq!(descriptors(), before);
    connect_and_count(&lab, &watch, 3, 3);
    watch.stop();
}

/// Started where there is nothing to see, it watches elsewhere, and serves its metrics where it was started.
#[test]
fn another_network_namespace_is_watched_by_name_and_by_path() {
    let (lab, _server) = lab();
    let server = lab.server.ns.name();
    for netns in [server.to_owned(), format!("/run/netns/{server}")] {
        let watch =
            Watch::start(&lab.client.ns, &format!("--iface hsm-server --netns {netns} --metrics 9435"));
        connect_and_count(&lab, &watch, 3, 3);
        let address = std::net::SocketAddr::from(([127, 0, 0, 1], 9435));
        let served = |ns: &lab::netns::Netns| ns.enter(|| std::net::TcpStream::connect(address).is_ok());
        assert!(served(&lab.client.ns).expect("the namespace is there"), "where it was started");
        assert!(!served(&lab.server.ns).expect("the namespace is there"), "and not where it watches");
        let said = watch.stop();
        assert_eq!((said.totals.get("begun"), told_interfaces(&said)), (3, vec![CABLE]));
        said.handshakes().for_each(|event| assert_eq!(event["handshake"]["direction"], "inbound", "{event}"));
    }
    let none = run_in(&lab, "--iface hsm-server --netns hsm-nowhere");
    failed(&none, &["no such network namespace: hsm-nowhere; `ip netns` knows ", server]);
}
