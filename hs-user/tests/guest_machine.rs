//! What only a machine of one's own can show: a network card's driver, 802.1Q devices, modules that are missing,
//! a kernel without its BPF compiler, memory that is short, a clock that is set back. `cargo xtask vm` runs it.

#[path = "kernel_support/guest.rs"]
mod guest;
#[path = "../../xtask/src/lab/mod.rs"]
mod lab;
#[path = "kernel_support/machine.rs"]
mod machine;
#[path = "kernel_support/processor.rs"]
mod processor;
#[path = "kernel_support/scene.rs"]
mod scene;
#[path = "kernel_support/watch.rs"]
mod watch;

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use lab::clients::connect_many;
use lab::netns::Netns;
use lab::server::{Manner, Server};
use lab::{Host, Lab};
use machine::{ClockSetBack, Confined, ProcessorOff, Setting, Without};
use processor::on_processor;
use scene::{PORT, connect, failed, has_tcx, lab, run_in, wait_until};
use serde_json::{Value, json};
use watch::{Watch, program};

/// The names of the guest's two cards, each of which receives what the other sends.
fn cards() -> [String; 2] {
    let names = std::env::var("HS_MON_VM_NICS").expect("a guest of `cargo xtask vm` names its network cards");
    let names: Vec<String> = names.split(' ').map(str::to_owned).collect();
    names.try_into().expect("two network cards")
}

/// A network card in a namespace of its own, with addresses that end with this number.
fn move_card(card: &str, number: u8) -> Netns {
    let ns = Netns::create(format!("{}{}-card{number}", lab::netns::NAME_START, std::process::id()));
    let ns = ns.expect("a network namespace");
    // The card of a namespace that has just been removed is on its way back.
    let is_here = || std::path::Path::new("/sys/class/net").join(card).exists();
    wait_until(&format!("{card} is here"), is_here);
    let moved = std::process::Command::new("ip").args(["link", "set", card, "netns", ns.name()]).status();
    assert!(moved.expect("ip runs").success(), "{card} can be moved");
    for command in [
        format!("link set {card} addrgenmode none"),
        format!("address add 192.0.2.{number}/24 dev {card}"),
        format!("address add 2001:db8::{number}/64 dev {card} nodad"),
        format!("link set {card} up"),
    ] {
        ns.ip(&command).expect("the card can be set up");
    }
    ns
}

/// A real driver: frames cross the wire between two cards.
#[test]
fn a_network_card_is_watched_by_its_driver_and_by_tc() {
    let [near, far] = cards();
    let (server, client) = (move_card(&near, 1), move_card(&far, 2));
    let addresses: [SocketAddr; 2] = [
        (Ipv4Addr::new(192, 0, 2, 1), PORT).into(),
        (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1), PORT).into(),
    ];
    let _server = Server::start(&server, &addresses, Manner::Close, None).expect("the server listens");
    // What needs no driver is shown on veth.
    for (mode, hook) in [("native", "native XDP"), ("tc", "tc")] {
        let watch = Watch::start(&server, &format!("--iface {near} --mode {mode}"));
        for address in addresses {
            assert_eq!(connect_many(&client, 5, address).expect("clients run"), 5, "{address}");
        }
        watch.wait_for_total("completed", 10);
        let said = watch.stop();
        said.tells_all();
        assert_eq!(said.stderr, [format!("hs-mon: watching {near}: ingress by {hook}, egress by tc")]);
        assert_eq!((said.totals.get("begun"), said.totals.get("completed")), (10, 10), "{:?}", said.totals);
        assert_eq!(said.count(|event| event["handshake"]["direction"] == "inbound"), 10);
    }
}

const VLAN: u16 = 5;
const VLAN_DEVICE: &str = "hsm-vlan";

/// The kernel's own VLAN device on a host's end of the cable.
fn add_vlan(host: &Host, number: u8) {
    let interface = host.plan.interface;
    for command in [
        format!("link add link {interface} name {VLAN_DEVICE} type vlan id {VLAN}"),
        format!("link set {VLAN_DEVICE} addrgenmode none"),
        format!("address add 198.18.5.{number}/24 dev {VLAN_DEVICE}"),
        format!("link set {VLAN_DEVICE} up"),
    ] {
        host.ns.ip(&command).expect("a VLAN device (module 8021q)");
    }
}

/// Tagged by the kernel's own VLAN devices, as real traffic is: on the cable, and on the device behind it. The
/// tag travels beside the frame, as behind a network card that takes it off: XDP does not see it.
#[test]
fn vlan_devices_are_watched_below_and_above() {
    let lab = Lab::pair().expect("a laboratory (root is needed)");
    add_vlan(&lab.server, 1);
    add_vlan(&lab.client, 2);
    let address = SocketAddr::from(([198, 18, 5, 1], PORT));
    let _server = Server::start(&lab.server.ns, &[address], Manner::Close, None).expect("the server listens");
    let tagged = json!([VLAN]);
    for (args, vlan) in [
        ("--iface hsm-server --mode native", &Value::Null),
        ("--iface hsm-server --mode tc", &tagged),
        ("--iface hsm-vlan", &Value::Null),
    ] {
        let watch = Watch::start(&lab.server.ns, args);
        assert_eq!(connect_many(&lab.client.ns, 5, address).expect("clients run"), 5);
        watch.wait_for_total("completed", 5);
        let said = watch.stop();
        assert_eq!((said.totals.get("begun"), said.totals.get("completed")), (5, 5), "{:?}", said.totals);
        said.handshakes().for_each(|event| assert_eq!(&event["vlan"], vlan, "{args}: {event}"));
    }
}

/// Before Linux 6.6 tc needs two modules, which are not loaded by themselves in every container.
#[test]
fn without_the_modules_of_tc_it_says_which_to_load_or_needs_none() {
    let (lab, _server) = lab();
    let cases =
        [(&["cls_bpf"][..], "modprobe cls_bpf"), (&["cls_bpf", "sch_ingress"], "modprobe sch_ingress")];
    // With tcx it needs neither: once without both shows it.
    for (missing, what) in &cases[usize::from(has_tcx())..] {
        let _without = Without::modules(missing);
        if has_tcx() {
            let watch = Watch::start(&lab.server.ns, "--iface hsm-server --mode tc");
            connect(&lab, 3);
            watch.wait_for_total("completed", 3);
            watch.stop();
        } else {
            let output = run_in(&lab, "--iface hsm-server");
            failed(&output, &["can't watch what hsm-server sends", what]);
        }
        // A qdisc of a failed start would keep its module.
        let _ = lab.server.ns.command("tc").args(["qdisc", "delete", "dev", "hsm-server", "clsact"]).output();
    }
}

/// Programs with callbacks, as of bpf_loop, are never interpreted.
#[test]
fn without_the_kernels_bpf_compiler_it_says_how_to_switch_it_on() {
    let (lab, _server) = lab();
    match Setting::change("net/core/bpf_jit_enable", "0") {
        Ok(_off) => failed(&run_in(&lab, "--iface hsm-server"), &["net.core.bpf_jit_enable=1"]),
        // CONFIG_BPF_JIT_ALWAYS_ON
        Err(error) => {
            assert_eq!(error.kind(), io::ErrorKind::InvalidInput, "{error}");
            println!("trimmed a kernel without its BPF compiler: this one can't do without");
        }
    }
}

#[test]
fn a_flow_table_that_memory_has_no_room_for_is_an_error() {
    const SMALLER: &str = "choose a smaller --max-flows";
    let (lab, _server) = lab();
    // The flow table takes more than that, and is not for the kernel's OOM killer to judge.
    let confined = Confined::to_bytes(24 << 20);
    let mut command = lab.server.ns.command(program());
    confined.confine(command.args(["--iface", "hsm-server"]));
    failed(&command.output().expect("hs-mon runs"), &[SMALLER]);
}

/// What a processor has counted stays in the totals when it is gone, and others count on.
#[test]
fn a_processor_that_goes_takes_no_totals_with_it() {
    let (lab, _server) = lab();
    let watch = Watch::start(&lab.server.ns, "--iface hsm-server");
    on_processor(1, || connect(&lab, 5));
    watch.wait_for_total("completed", 5);
    let off = ProcessorOff::number(1);
    connect(&lab, 5);
    watch.wait_for_total("completed", 10);
    drop(off);
    on_processor(1, || connect(&lab, 5));
    watch.wait_for_total("completed", 15);
    let said = watch.stop();
    said.tells_all();
    assert_eq!(said.totals.get("begun"), 15, "{:?}", said.totals);
}

/// The wall clock is for people: times between packets, and timeouts, are of another one.
#[test]
fn a_clock_that_is_set_back_changes_no_time_that_is_measured() {
    const DAY: Duration = Duration::from_secs(86_400);
    let (lab, _server) = lab();
    let watch = Watch::start(&lab.server.ns, "--iface hsm-server --half-open-after 1s");
    connect(&lab, 3);
    watch.wait_for_total("completed", 3);
    let before = watch.wait_for_event("totals", |event| event["event_type"] == "stats");
    let set_back = ClockSetBack::by(DAY);
    let lines = watch.monitor.lines().len();
    // Totals tell the new time within moments.
    wait_until("the new time is told", || {
        let lines = watch.monitor.lines().split_off(lines);
        lines.iter().any(|line| watch::json(line)["timestamp"].as_str() < before["timestamp"].as_str())
    });
    connect(&lab, 3);
    let wire = lab::wire::Wire::open(&lab.client).expect("a wire");
    let syn = lab::frame::Segment::syn(([198, 19, 0, 9], 4000).into(), lab.server.plan.v4_at(PORT), 7);
    wire.send(&syn).expect("the SYN is sent");
    let half_open = watch.wait_for_event("half-open", |event| event["handshake"]["outcome"] == "half_open");
    assert_eq!(half_open["handshake"]["reason"], "no_ack", "{half_open}");
    assert!(half_open["timestamp"].as_str() < before["timestamp"].as_str(), "{half_open}");
    let said = watch.stop();
    drop(set_back);
    assert_eq!((said.totals.get("completed"), said.totals.get("half_open")), (6, 1), "{:?}", said.totals);
    for event in said.handshakes() {
        let synack = event["handshake"]["rtt_us"]["synack"].as_u64().expect("a time");
        assert!(synack < 60_000_000, "{event}");
    }
}
