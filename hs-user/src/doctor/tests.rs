//! Facts in, lines out.

use std::collections::BTreeSet;

use aya::util::KernelVersion;

use super::facts::{Card, Machine};
use super::judge;
use super::line::{Line, Verdict};
use crate::kernel::{Interface, LinkLayer};
use crate::privilege::Outlook;

const MIB: u64 = 1 << 20;

/// A machine that has all it takes.
fn good() -> Machine {
    Machine {
        release: "6.12.3".to_owned(),
        version: KernelVersion::new(6, 12, 3),
        btf: true,
        jit: Some(1),
        capabilities: 1 << 39 | 1 << 38 | 1 << 12,
        initial_user_namespace: true,
        outlook: Outlook { user: "nobody", landlock: Some(6), seccomp: true },
        keeps_net_admin: false,
        unprivileged_bpf_disabled: Some(2),
        tcx: true,
        lacking_modules: vec!["cls_bpf", "sch_ingress"],
        maps_bytes: 45 * MIB,
        available_bytes: Some(4096 * MIB),
        group_bytes: None,
    }
}

/// A network card with a driver that runs XDP.
fn card() -> Card {
    Card {
        interface: Interface {
            name: "eth0".to_owned(),
            index: 2,
            link_layer: LinkLayer::Ethernet,
            kind: None,
        },
        up: true,
        driver: Some("ixgbe".to_owned()),
        xdp_holder: None,
        native_xdp: Some(true),
        features: Some(BTreeSet::new()),
        vlans: Vec::new(),
        queues: 8,
        symmetric_rss: Some(false),
    }
}

fn features(names: &[&str]) -> Option<BTreeSet<String>> {
    Some(names.iter().map(|name| (*name).to_owned()).collect())
}

fn about<'a>(lines: &'a [Line], subject: &str) -> &'a Line {
    lines
        .iter()
        .find(|line| line.subject == subject)
        .unwrap_or_else(|| panic!("nothing of {subject}: {lines:?}"))
}

/// Of one subject: the verdict, what is said, and what is advised.
#[track_caller]
fn says(lines: &[Line], subject: &str, verdict: Verdict, finding: &str, remedy: &str) {
    let line = about(lines, subject);
    assert_eq!(line.verdict, verdict, "{line:?}");
    assert!(line.finding.contains(finding), "{finding:?} is not in {line:?}");
    assert!(
        line.remedy.as_deref().unwrap_or_default().contains(remedy),
        "{remedy:?} is not advised by {line:?}"
    );
}

#[test]
fn where_all_is_well_nothing_is_advised() {
    let lines = [judge::machine(&good()), judge::interface(&card(), &good())].concat();
    assert_eq!(lines.len(), 14);
    for line in lines {
        assert_eq!((line.verdict, &line.remedy), (Verdict::Ok, &None), "{line:?}");
    }
}

#[test]
fn each_fault_of_a_machine_has_its_verdict_and_its_remedy() {
    use Verdict::{Fail, Unknown, Warning};
    type Change = fn(&mut Machine);
    let table: [(Change, &str, Verdict, &str, &str); 17] = [
        (|m| m.version = KernelVersion::new(5, 10, 0), "kernel", Fail, "need 5.17", "6.1"),
        (|m| m.version = KernelVersion::new(5, 19, 0), "kernel", Warning, "tested on 6.1", "6.1"),
        (|m| m.jit = Some(0), "BPF compiler", Fail, "off", "sysctl net.core.bpf_jit_enable=1"),
        (|m| m.jit = None, "BPF compiler", Unknown, "not to be read", ""),
        (|m| m.capabilities = 0, "privilege", Fail, "CAP_BPF, CAP_PERFMON, CAP_NET_ADMIN", "sudo"),
        // CAP_SYS_ADMIN stands for two of the three.
        (|m| m.capabilities = 1 << 21, "privilege", Fail, "lacks CAP_NET_ADMIN", "sudo"),
        (|m| m.capabilities = 1 << 21 | 1 << 12, "privilege", Verdict::Ok, "CAP_BPF", ""),
        (|m| m.initial_user_namespace = false, "privilege", Fail, "user namespace", "container"),
        (|_| {}, "once attached", Verdict::Ok, "user nobody, no capability, seccomp, Landlock 6", ""),
        (|m| m.keeps_net_admin = true, "once attached", Verdict::Ok, "CAP_NET_ADMIN alone, for", ""),
        (|m| m.outlook.landlock = None, "once attached", Warning, "no Landlock", "lsm=landlock"),
        (|m| m.outlook.seccomp = false, "once attached", Warning, "no seccomp", "CONFIG_SECCOMP_FILTER"),
        (|m| m.tcx = false, "tc", Fail, "cls_bpf and sch_ingress", "modules"),
        (|m| m.group_bytes = Some(20 * MIB), "memory", Fail, "has 20 MiB left", "MemoryMax="),
        (|m| m.available_bytes = Some(44 * MIB), "memory", Fail, "has 44 MiB left", "--max-flows"),
        (|m| m.available_bytes = Some(100 * MIB), "memory", Warning, "100 MiB", "--max-flows"),
        (|m| m.available_bytes = None, "memory", Verdict::Ok, "45 MiB", ""),
    ];
    for (change, subject, verdict, finding, remedy) in table {
        let mut machine = good();
        change(&mut machine);
        says(&judge::machine(&machine), subject, verdict, finding, remedy);
    }
}

#[test]
fn without_tcx_the_modules_decide() {
    let machine = Machine { tcx: false, lacking_modules: Vec::new(), ..good() };
    says(&judge::machine(&machine), "tc", Verdict::Ok, "SIGKILL", "");
}

#[test]
fn each_fault_of_an_interface_has_its_verdict_and_its_remedy() {
    use Verdict::{Ok, Unknown, Warning};
    type Change = fn(&mut Card);
    let stripped = |card: &mut Card| card.features = features(&["rx-vlan-hw-parse"]);
    let _: Change = stripped;
    let table: [(Change, &str, Verdict, &str, &str); 16] = [
        (|c| c.up = false, "link", Warning, "down", "ip link set dev eth0 up"),
        (|c| c.driver = None, "link", Ok, "driver unknown", ""),
        (|_| {}, "mode", Ok, "native XDP (the driver has it)", ""),
        (|c| c.native_xdp = Some(false), "mode", Ok, "takes tc (the driver has no native XDP)", ""),
        (|c| c.native_xdp = None, "mode", Unknown, "before Linux 6.3", ""),
        (
            |c| c.interface.kind = Some("veth".to_owned()),
            "mode",
            Ok,
            "takes tc (cheaper than XDP on veth)",
            "",
        ),
        (|c| c.interface.link_layer = LinkLayer::None, "mode", Ok, "takes tc (XDP needs Ethernet)", ""),
        (|c| c.xdp_holder = Some("`x`".to_owned()), "mode", Ok, "takes tc (XDP is held", ""),
        (|c| c.xdp_holder = Some("`x`".to_owned()), "XDP", Warning, "program `x`", "dev eth0 xdp off"),
        (|c| c.features = None, "offloads", Unknown, "does not tell", ""),
        (
            |c| c.features = features(&["rx-lro", "rx-gro-hw"]),
            "merging",
            Warning,
            "lro and rx-gro-hw on",
            "-K eth0 lro off rx-gro-hw off",
        ),
        (
            |c| c.features = features(&["rx-lro"]),
            "mode",
            Unknown,
            "native XDP, or else tc: some drivers refuse",
            "",
        ),
        (stripped, "VLAN tags", Ok, "--vlan-aware", ""),
        (|c| c.queues = 1, "queues", Ok, "one receive queue", ""),
        (|c| c.symmetric_rss = Some(true), "queues", Ok, "8 receive queues, with a symmetric hash", ""),
        (|c| c.symmetric_rss = None, "queues", Ok, "unknown", ""),
    ];
    for (change, subject, verdict, finding, remedy) in table {
        let mut card = card();
        change(&mut card);
        says(&judge::interface(&card, &good()), subject, verdict, finding, remedy);
    }
}

/// The tag is lost to XDP alone, and matters where there are VLANs.
#[test]
fn tags_that_the_card_takes_off_are_a_matter_of_the_mode() {
    let mut card = Card { features: features(&["rx-vlan-hw-parse", "rx-lro"]), ..card() };
    card.vlans = vec!["eth0.10".to_owned()];
    says(
        &judge::interface(&card, &good()),
        "VLAN tags",
        Verdict::Warning,
        "eth0.10",
        "ethtool -K eth0 rxvlan off",
    );
    card.interface.kind = Some("veth".to_owned());
    let lines = judge::interface(&card, &good());
    says(&lines, "VLAN tags", Verdict::Ok, "tc sees them", "");
    says(&lines, "merging", Verdict::Ok, "no handshake is lost", "");
}

#[test]
fn an_interface_without_any_hook_is_a_failure() {
    let machine = Machine { tcx: false, ..good() };
    let card = Card { xdp_holder: Some("`x`".to_owned()), ..card() };
    says(&judge::interface(&card, &machine), "mode", Verdict::Fail, "neither tc nor XDP", "XDP");
}

#[test]
fn an_interface_that_is_not_there_is_a_failure_only_if_it_was_asked_for() {
    let error = anyhow::anyhow!("no such interface");
    assert_eq!(judge::no_such_interface(&error, true).verdict, Verdict::Fail);
    assert_eq!(judge::no_such_interface(&error, false).verdict, Verdict::Unknown);
}

#[test]
fn a_line_is_plain_or_coloured_and_its_remedy_stands_below() {
    let line = Line::fail("tc", "is missing", "install it");
    let written = |colour| {
        let mut out = Vec::new();
        line.write(colour, &mut out).expect("writing to memory");
        String::from_utf8(out).expect("UTF-8")
    };
    assert_eq!(written(false), "  FAIL     tc            is missing\n                        → install it\n");
    assert!(written(true).contains("\u{1b}["));
}
