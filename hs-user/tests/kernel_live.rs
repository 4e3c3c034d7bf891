//! hs-mon on real interfaces, in network namespaces: the system's own TCP, frames made by hand, floods.

#[path = "kernel_support/by_hand.rs"]
mod by_hand;
#[path = "kernel_support/floods.rs"]
mod floods;
#[path = "kernel_support/guest.rs"]
mod guest;
#[path = "../../xtask/src/lab/mod.rs"]
mod lab;
#[path = "kernel_support/reload.rs"]
mod reload;
#[path = "kernel_support/watch.rs"]
mod watch;

use std::net::SocketAddr;

use lab::clients::{Clients, connect_many, connect_tally};
use lab::netns::Netns;
use lab::server::{Manner, Server};
use lab::{Host, Lab};
use serde_json::{Value, json};
use watch::{Said, Watch};

const PORT: u16 = 443;
const OTHER_PORT: u16 = 8443;
/// Nobody listens there.
const CLOSED_PORT: u16 = 81;

/// Each mode, and the hook that it ends up with on a veth.
const MODES: [(&str, &str); 4] = [
    ("auto", "tc (cheaper than XDP on veth)"),
    ("native", "native XDP"),
    ("generic", "generic XDP"),
    ("tc", "tc"),
];

fn both(host: &Host, port: u16) -> [SocketAddr; 2] {
    [host.plan.v4_at(port), host.plan.v6_at(port)]
}

fn serve(host: &Host, ports: &[u16]) -> Server {
    let addresses: Vec<SocketAddr> = ports.iter().flat_map(|port| both(host, *port)).collect();
    Server::start(&host.ns, &addresses, Manner::Close, None).expect("the server listens")
}

/// Connects so often to each address, and returns how often that was.
fn connect(ns: &Netns, addresses: &[SocketAddr], times: u64) -> u64 {
    for address in addresses {
        assert_eq!(connect_many(ns, times, *address).expect("clients run"), times, "{address}");
    }
    times * addresses.len() as u64
}

/// All of them completed, in this direction, on this interface; and SYNs are those and the repeated ones.
fn all_completed(said: &Said, number: u64, direction: &str, interface: &str) {
    all_completed_each_way(said, &[(direction, number)], interface);
}

/// The same for several directions, each with its number.
fn all_completed_each_way(said: &Said, directions: &[(&str, u64)], interface: &str) {
    said.tells_all();
    let number = directions.iter().map(|(_, number)| number).sum();
    assert_eq!(
        (said.totals.get("begun"), said.totals.get("completed")),
        (number, number),
        "{:?}",
        said.totals
    );
    let mut repeated = 0;
    for event in said.handshakes() {
        assert_eq!(event["in_iface"], interface, "{event}");
        assert!(event["handshake"]["rtt_us"]["synack"].is_u64(), "{event}");
        assert!(event["handshake"]["rtt_us"]["ack"].is_u64(), "{event}");
        repeated += event["handshake"]["syn_retransmits"].as_u64().expect("a number");
    }
    for (direction, number) in directions {
        assert_eq!(said.count(|event| event["handshake"]["direction"] == *direction), *number, "{direction}");
    }
    assert_eq!(said.totals.get("syn"), number + repeated, "{:?}", said.totals);
}

#[test]
fn every_mode_counts_what_comes_in_and_what_goes_out() {
    let lab = Lab::pair().expect("a laboratory (root is needed)");
    let _servers = [&lab.server, &lab.client].map(|host| serve(host, &[PORT]));
    let (many, few) =
        (guest::unless_guest("connections in", 50, 5), guest::unless_guest("connections out", 20, 5));
    let modes = MODES.map(|(mode, _)| mode);
    let modes = guest::some_unless_guest("modes of ordinary traffic", &modes, &["native", "tc"]);
    for (mode, hook) in MODES.into_iter().filter(|(mode, _)| modes.contains(mode)) {
        let watch = Watch::start(&lab.server.ns, &format!("--iface hsm-server --mode {mode}"));
        let inbound = connect(&lab.client.ns, &both(&lab.server, PORT), many);
        let outbound = connect(&lab.server.ns, &both(&lab.client, PORT), few);
        watch.wait_for_total("completed", inbound + outbound);
        let said = watch.stop();
        let attached = format!("hs-mon: watching hsm-server: ingress by {hook}, egress by tc");
        assert_eq!(said.stderr, [attached], "--mode {mode}");
        all_completed_each_way(&said, &[("inbound", inbound), ("outbound", outbound)], "hsm-server");
    }
}

/// Hundreds one after the other, with all that a connection has after its handshake.
#[test]
fn hundreds_of_connections_are_counted_exactly() {
    let lab = Lab::pair().expect("a laboratory (root is needed)");
    let server = serve(&lab.server, &[PORT]);
    let watch = Watch::start(&lab.server.ns, "--iface hsm-server");
    let each = guest::unless_guest("connections to each address", 150, 30);
    let number = connect(&lab.client.ns, &both(&lab.server, PORT), each);
    watch.wait_for_total("completed", number);
    all_completed(&watch.stop(), number, "inbound", "hsm-server");
    assert_eq!(server.accepted(), number);
}

/// On loopback each packet passes egress and ingress, and counts once.
#[test]
fn loopback_counts_each_packet_once() {
    let lab = Lab::pair().expect("a laboratory (root is needed)");
    let addresses: [SocketAddr; 2] =
        [([127, 0, 0, 1], PORT).into(), (std::net::Ipv6Addr::LOCALHOST, PORT).into()];
    let _server = Server::start(&lab.server.ns, &addresses, Manner::Close, None).expect("the server listens");
    let modes = ["auto", "generic", "tc"];
    for mode in guest::some_unless_guest("modes on loopback", &modes, &["auto"]) {
        let watch = Watch::start(&lab.server.ns, &format!("--iface lo --mode {mode}"));
        let number = connect(&lab.server.ns, &addresses, 25);
        watch.wait_for_total("completed", number);
        let said = watch.stop();
        all_completed(&said, number, "transit", "lo");
        assert!(
            said.stderr[0].contains(" only: on loopback each packet passes egress and ingress"),
            "{:?}",
            said.stderr
        );
        assert_eq!(
            said.stderr[0].contains("tc (loopback has no native XDP)"),
            mode == "auto",
            "{:?}",
            said.stderr
        );
    }
}

#[test]
fn refused_connections_are_counted() {
    let lab = Lab::pair().expect("a laboratory (root is needed)");
    let watch = Watch::start(&lab.server.ns, "--iface hsm-server");
    for address in both(&lab.server, CLOSED_PORT) {
        let tally = connect_tally(&lab.client.ns, 30, address).expect("clients run");
        assert_eq!(tally.refused, 30, "{tally:?}");
    }
    watch.wait_for_total("refused", 60);
    let said = watch.stop();
    said.tells_all();
    assert_eq!((said.totals.get("begun"), said.totals.get("refused")), (60, 60));
    assert!(said.handshakes().all(|event| event["handshake"]["reason"] == "rst"));
}

/// Whoever connects while hs-mon attaches is seen whole or not at all: no handshake stays open, no flood is
/// told, and nobody is warned of a one-sided view, because one hook came before the other.
#[test]
fn a_watch_that_begins_amid_traffic_tells_nothing_that_is_not_so() {
    let lab = Lab::pair().expect("a laboratory (root is needed)");
    let _server = serve(&lab.server, &[PORT]);
    // More than an emulated machine can bear would keep hs-mon itself from its work.
    let rate = guest::unless_guest("connections a second", 2_000.0, 100.0);
    let enough = guest::unless_guest("handshakes until it is enough", 200, 20);
    for host in [&lab.server, &lab.client] {
        for mode in ["native", "tc"] {
            let interface = host.plan.interface;
            let clients =
                Clients::start(&lab.client.ns, &both(&lab.server, PORT), rate).expect("clients run");
            let watch = Watch::start(&host.ns, &format!("--iface {interface} --mode {mode}"));
            watch.wait_for_total("completed", enough);
            drop(clients);
            watch.wait_for("nothing is under way", |totals| totals.get("in_progress") == 0);
            let said = watch.stop();
            let is_completed = |event: &&Value| event["handshake"]["outcome"] == "completed";
            let others: Vec<&Value> = said.events.iter().filter(|event| !is_completed(event)).collect();
            assert!(others.is_empty(), "{interface}, --mode {mode}: {others:?}; {:?}", said.totals);
            assert_eq!(said.stderr.len(), 1, "no warning: {:?}", said.stderr);
        }
    }
}

/// What the kernel side logs is handed on.
#[test]
fn debug_messages_come_from_the_kernel_side() {
    let lab = Lab::pair().expect("a laboratory (root is needed)");
    let _server = serve(&lab.server, &[PORT]);
    let watch = Watch::start(&lab.server.ns, "--iface hsm-server -vv");
    connect(&lab.client.ns, &[lab.server.plan.v4_at(PORT)], 1);
    watch.wait_for_message("hs-mon: DEBUG: event kind=1 outcome=1");
    watch.stop();
}

/// A device without link-layer header: XDP can't be had there, tc can.
#[test]
fn a_device_without_ethernet_is_watched_by_tc() {
    let lab = Lab::pair().expect("a laboratory (root is needed)");
    let ns = &lab.client.ns;
    for command in
        ["tuntap add dev hsm-tun mode tun", "link set hsm-tun up", "route add 203.0.113.0/24 dev hsm-tun"]
    {
        ns.ip(command).expect("a tun device");
    }
    let watch = Watch::start(ns, "--iface hsm-tun --half-open-after 1h");
    // Nobody is at the other end.
    let connecting =
        ns.spawn(|| std::net::TcpStream::connect_timeout(&([203, 0, 113, 9], PORT).into(), watch::SOON));
    watch.wait_for_total("begun", 1);
    let said = watch.stop();
    let attached = "hs-mon: watching hsm-tun: ingress by tc (XDP needs Ethernet), egress by tc";
    assert_eq!(said.stderr, [attached]);
    let handshake = said.handshakes().next().expect("a handshake");
    assert_eq!(handshake["handshake"]["direction"], "outbound", "{handshake}");
    assert_eq!(handshake["dest_ip"], "203.0.113.9", "{handshake}");
    // It fails at once when its device goes.
    ns.ip("link delete hsm-tun").expect("the device goes");
    drop(connecting);
}

/// A driver without native XDP: tc is the next best, and why is told.
#[test]
fn a_bridge_is_watched_by_tc() {
    let lab = Lab::pair().expect("a laboratory (root is needed)");
    let ns = &lab.client.ns;
    ns.ip("link add hsm-bridge type bridge").expect("a bridge");
    let watch = Watch::start(ns, "--iface hsm-bridge");
    // Its first totals: by then it can be ended.
    watch.wait_for_total("packets", 0);
    let said = watch.stop();
    let tried = "hs-mon:   tried before: native XDP: the driver does not support it";
    assert_eq!(said.stderr, ["hs-mon: watching hsm-bridge: ingress by tc, egress by tc", tried]);
}

/// Two interfaces, of which one sees nothing.
#[test]
fn two_interfaces_are_watched_at_once() {
    let lab = Lab::pair().expect("a laboratory (root is needed)");
    let _server = serve(&lab.server, &[PORT]);
    let watch = Watch::start(&lab.server.ns, "--iface lo --iface hsm-server");
    let number = connect(&lab.client.ns, &both(&lab.server, PORT), 10);
    watch.wait_for_total("completed", number);
    all_completed(&watch.stop(), number, "inbound", "hsm-server");
}

#[test]
fn only_the_ports_that_are_named_are_watched() {
    let lab = Lab::pair().expect("a laboratory (root is needed)");
    let _server = serve(&lab.server, &[PORT, OTHER_PORT]);
    let watch = Watch::start(&lab.server.ns, &format!("--iface hsm-server --port {OTHER_PORT},1"));
    connect(&lab.client.ns, &both(&lab.server, PORT), 20);
    let number = connect(&lab.client.ns, &both(&lab.server, OTHER_PORT), 20);
    watch.wait_for_total("completed", number);
    let said = watch.stop();
    all_completed(&said, number, "inbound", "hsm-server");
    assert!(said.handshakes().all(|event| event["dest_port"] == OTHER_PORT));
    // SYN, SYN-ACK and ACK of each of the others at the least.
    assert!(said.totals.get("filtered") >= 3 * 40, "{:?}", said.totals);
}

#[test]
fn only_the_kinds_that_are_named_are_written() {
    let lab = Lab::pair().expect("a laboratory (root is needed)");
    let _server = serve(&lab.server, &[PORT]);
    let watch = Watch::start(&lab.server.ns, "--iface hsm-server --only refused,stats");
    let number = connect(&lab.client.ns, &both(&lab.server, PORT), 5);
    connect_tally(&lab.client.ns, 5, lab.server.plan.v4_at(CLOSED_PORT)).expect("clients run");
    watch.wait_for_total("completed", number);
    watch.wait_for_total("refused", 5);
    let said = watch.stop();
    assert_eq!(said.events.len(), 5);
    assert!(said.events.iter().all(|event| event["handshake"]["outcome"] == "refused"));
    assert_eq!((said.totals.get("completed"), said.totals.get("refused")), (number, 5));
}

/// The client's ACKs are dropped before they leave it: XDP on the server would see them before any filter
/// there. When they pass again, the handshake completes late.
#[test]
fn a_handshake_without_its_ack_is_half_open_and_may_complete_late() {
    let lab = Lab::pair().expect("a laboratory (root is needed)");
    let _server = serve(&lab.server, &[PORT]);
    let families = guest::unless_guest("families of addresses of a late ACK", 2, 1);
    for address in both(&lab.server, PORT).into_iter().take(families) {
        let watch = Watch::start(&lab.server.ns, "--iface hsm-server --half-open-after 1s");
        nft(
            &lab.client.ns,
            "add table inet lab { chain out { type filter hook output priority 0; tcp flags & (syn | ack) == ack drop; }; }",
        );
        connect(&lab.client.ns, &[address], 1);
        let half_open =
            watch.wait_for_event("half-open", |event| event["handshake"]["outcome"] == "half_open");
        assert_eq!(half_open["handshake"]["reason"], "no_ack", "{half_open}");
        assert_eq!(half_open["handshake"]["direction"], "inbound", "{half_open}");
        watch.wait_for_total("half_open", 1);
        nft(&lab.client.ns, "delete table inet lab");
        let late = watch.wait_for_event("late", |event| event["handshake"]["outcome"] == "completed");
        assert_eq!(late["handshake"]["flags"], json!(["late"]), "{late}");
        assert_eq!(late["flow_id"], half_open["flow_id"]);
        let said = watch.stop();
        said.tells_all();
        let totals = ["begun", "completed", "completed_late", "half_open"].map(|name| said.totals.get(name));
        assert_eq!(totals, [1, 1, 1, 0], "{:?}", said.totals);
    }
}

fn nft(ns: &Netns, rules: &str) {
    let output = ns.command("nft").arg(rules).output().expect("nft runs");
    assert!(output.status.success(), "nft {rules}: {}", String::from_utf8_lossy(&output.stderr));
}
