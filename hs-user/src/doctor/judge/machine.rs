//! The kernel, what this process may do, and memory.

use aya::util::KernelVersion;
use caps::Capability;

use super::super::facts::Machine;
use super::super::line::Line;
use crate::kernel::{mib, missing_capabilities};
use crate::privilege::Outlook;

/// The first kernel with `bpf_loop`, which the programs call.
const FIRST: KernelVersion = KernelVersion::new(5, 17, 0);
/// The first kernel that hs-mon is tested on.
const TESTED: KernelVersion = KernelVersion::new(6, 1, 0);

/// Judges the machine.
pub fn machine(facts: &Machine) -> Vec<Line> {
    vec![
        kernel(facts),
        types(facts),
        jit(facts),
        privilege(facts),
        once_attached(facts),
        unprivileged(facts),
        tc(facts),
        memory(facts),
    ]
}

fn kernel(facts: &Machine) -> Line {
    let found = format!("Linux {}", facts.release);
    if facts.version < FIRST {
        Line::fail("kernel", format!("{found}: the BPF programs need 5.17"), "boot Linux 6.1 or later")
    } else if facts.version < TESTED {
        let found = format!("{found}: hs-mon is tested on 6.1 and later");
        Line::warning("kernel", found, "boot Linux 6.1 or later")
    } else {
        Line::ok("kernel", found)
    }
}

fn types(facts: &Machine) -> Line {
    let found =
        if facts.btf { "the kernel describes its types" } else { "the kernel does not describe its types" };
    Line::ok("BTF", format!("{found}; hs-mon does without"))
}

fn jit(facts: &Machine) -> Line {
    match facts.jit {
        Some(0) => Line::fail(
            "BPF compiler",
            "off, and the kernel interprets no program with a callback",
            "sysctl net.core.bpf_jit_enable=1",
        ),
        Some(_) => Line::ok("BPF compiler", "on (net.core.bpf_jit_enable)"),
        None => Line::unknown("BPF compiler", "net.core.bpf_jit_enable is not to be read here"),
    }
}

fn privilege(facts: &Machine) -> Line {
    let lacking: Vec<String> =
        missing_capabilities(facts.capabilities).iter().map(Capability::to_string).collect();
    if !lacking.is_empty() {
        let found = format!("this process lacks {}", lacking.join(", "));
        Line::fail("privilege", found, "sudo hs-mon …, or run it as a service: systemctl start hs-mon@eth0")
    } else if !facts.initial_user_namespace {
        Line::fail(
            "privilege",
            "capabilities of a user namespace (a rootless container): BPF asks for the machine's",
            "run hs-mon outside of it, or in a container that has the host's user namespace",
        )
    } else {
        Line::ok("privilege", "CAP_BPF, CAP_PERFMON, CAP_NET_ADMIN")
    }
}

/// What a watch runs as, and behind.
fn once_attached(facts: &Machine) -> Line {
    let Outlook { user, landlock, seccomp } = facts.outlook;
    let capability = match facts.keeps_net_admin {
        true => "CAP_NET_ADMIN alone, for interfaces that come later (not needed from Linux 6.6)",
        false => "no capability",
    };
    let calls = if seccomp { "seccomp" } else { "no seccomp" };
    let files = landlock.map_or("no Landlock".to_owned(), |version| format!("Landlock {version}"));
    let found = format!("user {user}, {capability}, {calls}, {files}");
    if !seccomp {
        Line::warning("once attached", found, "boot a kernel with CONFIG_SECCOMP_FILTER")
    } else if landlock.is_none() {
        Line::warning("once attached", found, "boot with lsm=landlock,… (Linux 5.13 and later)")
    } else {
        Line::ok("once attached", found)
    }
}

/// hs-mon has its capabilities, so this never stands in its way; people ask.
fn unprivileged(facts: &Machine) -> Line {
    let setting = "kernel.unprivileged_bpf_disabled";
    match facts.unprivileged_bpf_disabled {
        Some(value) => Line::ok("other users", format!("{setting}={value}; hs-mon runs with any value")),
        None => Line::unknown(
            "other users",
            format!("{setting} is not to be read here; hs-mon runs with any value"),
        ),
    }
}

fn tc(facts: &Machine) -> Line {
    if facts.tcx {
        return Line::ok("tc", "by links (tcx), which go with the process");
    }
    if facts.lacking_modules.is_empty() {
        return Line::ok(
            "tc",
            "by clsact filters: after SIGKILL they stay until the next start (tcx is in Linux 6.6)",
        );
    }
    let lacking = facts.lacking_modules.join(" and ");
    let found =
        format!("the kernel has no module {lacking}, without which nothing that is sent can be watched");
    Line::fail("tc", found, "install the package with this kernel's modules, or boot Linux 6.6 or later")
}

fn memory(facts: &Machine) -> Line {
    let maps = facts.maps_bytes;
    let found = format!("the maps take {}, whatever the traffic", mib(maps));
    let smaller = "choose a smaller --max-flows";
    if let Some(group) = facts.group_bytes.filter(|group| *group < maps) {
        let found = format!("{found}; the control group has {} left (memory.max)", mib(group));
        return Line::fail("memory", found, format!("{smaller}, or raise the limit (systemd: MemoryMax=)"));
    }
    match facts.available_bytes {
        Some(available) if available < maps => {
            Line::fail("memory", format!("{found}; the machine has {} left", mib(available)), smaller)
        }
        Some(available) if available / 4 < maps => {
            Line::warning("memory", format!("{found}: much of the {} that are left", mib(available)), smaller)
        }
        Some(available) => Line::ok("memory", format!("{found}; {} are available", mib(available))),
        None => Line::ok("memory", found),
    }
}
