//! An interface: how it would be watched, and which of its offloads hide something.

use std::collections::BTreeSet;

use super::super::facts::{Card, Machine};
use super::super::line::Line;
use crate::cli::Mode;
use crate::kernel::{Ingress, LinkLayer, ways};

/// Receive offloads that merge segments: the kernel's name, and the one by which ethtool switches it.
const MERGING: [(&str, &str); 2] = [("rx-lro", "lro"), ("rx-gro-hw", "rx-gro-hw")];
const VLAN_STRIPPING: &str = "rx-vlan-hw-parse";

/// What can be said of the way that `--mode auto` would take.
struct Way {
    ingress: Ingress,
    why: Option<&'static str>,
    /// Why the driver may yet refuse it, and tc be taken.
    doubt: Option<&'static str>,
}

/// Judges an interface.
pub fn interface(card: &Card, machine: &Machine) -> Vec<Line> {
    let way = way(card, machine);
    let native = way.as_ref().is_some_and(|way| way.ingress == Ingress::Native);
    let by_xdp = way.as_ref().is_some_and(|way| way.ingress != Ingress::Tc);
    let mut lines = vec![link(card), mode(card, way.as_ref()), others(card)];
    match &card.features {
        Some(features) => lines.extend([merging(card, native), vlan_tags(card, features, by_xdp)]),
        None => {
            lines.push(Line::unknown("offloads", "the kernel does not tell (ethtool by netlink: Linux 5.6)"))
        }
    }
    lines.push(queues(card));
    lines
}

/// No interface was named, and none is up.
pub fn no_interface() -> Line {
    Line::warning("link", "none is up", "name one: hs-mon doctor --iface eth0")
}

/// One that can't be watched: a failure if it was asked for.
pub fn no_such_interface(error: &anyhow::Error, asked_for: bool) -> Line {
    let found = format!("{error:#}");
    if asked_for {
        Line::fail("link", found, "name one that can be watched: ip link")
    } else {
        Line::unknown("link", found)
    }
}

fn link(card: &Card) -> Line {
    let begins = match card.interface.link_layer {
        LinkLayer::Ethernet => "Ethernet",
        LinkLayer::Loopback => "loopback",
        LinkLayer::None => "no Ethernet header",
        LinkLayer::Other(_) => "a header that hs-mon can't read",
    };
    let found = match (&card.driver, card.interface.link_layer) {
        (Some(driver), _) => format!("{begins}, driver {driver}"),
        (None, LinkLayer::Loopback) => begins.to_owned(),
        (None, _) => format!("{begins}, driver unknown"),
    };
    if card.up {
        return Line::ok("link", found);
    }
    let name = &card.interface.name;
    Line::warning(
        "link",
        format!("{found}; it is down, nothing passes"),
        format!("ip link set dev {name} up"),
    )
}

/// The first way that nothing is known to stand in.
fn way(card: &Card, machine: &Machine) -> Option<Way> {
    let possible = |ingress: Ingress| match ingress {
        Ingress::Native => card.xdp_holder.is_none() && card.native_xdp != Some(false),
        Ingress::Generic => card.xdp_holder.is_none(),
        Ingress::Tc => machine.tcx || machine.lacking_modules.is_empty(),
    };
    let (ingress, why) = ways(&card.interface, Mode::Auto).find(|(ingress, _)| possible(*ingress))?;
    let doubt = match (ingress, card.native_xdp) {
        (Ingress::Native, None) => Some("that the driver has it is not told before Linux 6.3"),
        (Ingress::Native, _) if !merged(card).is_empty() => {
            Some("some drivers refuse it beside merging, see below")
        }
        _ => None,
    };
    Some(Way { ingress, why, doubt })
}

fn mode(card: &Card, way: Option<&Way>) -> Line {
    let Some(Way { ingress, why, doubt }) = way else {
        return Line::fail("mode", "neither tc nor XDP is to be had here", "see tc above, and XDP below");
    };
    if let Some(doubt) = doubt {
        return Line::unknown("mode", format!("--mode auto takes {ingress}, or else tc: {doubt}"));
    }
    let why = why.unwrap_or_else(|| {
        if card.xdp_holder.is_some() {
            "XDP is held by another program"
        } else {
            "the driver has no native XDP"
        }
    });
    Line::ok("mode", format!("--mode auto takes {ingress} ({why})"))
}

fn others(card: &Card) -> Line {
    match &card.xdp_holder {
        None => Line::ok("XDP", "no other program"),
        Some(holder) => {
            let found = format!("held by the program {holder}; what it drops, hs-mon does not see");
            let name = &card.interface.name;
            let remedy = format!("if it is not wanted: ip link set dev {name} xdp off");
            Line::warning("XDP", found, remedy)
        }
    }
}

/// The kinds of merging that are on, under the names by which ethtool switches them.
fn merged(card: &Card) -> Vec<&'static str> {
    let on =
        |(name, _): &(&str, &str)| card.features.as_ref().is_some_and(|features| features.contains(*name));
    MERGING.into_iter().filter(on).map(|(_, switch)| switch).collect()
}

/// Segments are merged before hs-mon sees them: only those with data, never a SYN, FIN or RST.
fn merging(card: &Card, native: bool) -> Line {
    let on = merged(card);
    if on.is_empty() {
        return Line::ok("merging", "LRO and hardware GRO are off");
    }
    let found = format!("{} on; it merges data only, so no handshake is lost", on.join(" and "));
    if !native {
        return Line::ok("merging", found);
    }
    let off: Vec<String> = on.iter().map(|switch| format!("{switch} off")).collect();
    let remedy = format!("ethtool -K {} {}", card.interface.name, off.join(" "));
    Line::warning("merging", format!("{found}, but some drivers refuse native XDP beside it"), remedy)
}

/// The card takes the tag off: tc finds it beside the frame, XDP does not.
fn vlan_tags(card: &Card, features: &BTreeSet<String>, by_xdp: bool) -> Line {
    if !features.contains(VLAN_STRIPPING) {
        return Line::ok("VLAN tags", "stay in the frame (rx-vlan-hw-parse is off)");
    }
    if !by_xdp {
        return Line::ok(
            "VLAN tags",
            "taken off before hs-mon (rx-vlan-hw-parse), and tc sees them all the same",
        );
    }
    let found = "taken off before XDP (rx-vlan-hw-parse): what comes in has no `vlan`, and with --vlan-aware \
                 counts as untagged";
    if card.vlans.is_empty() {
        return Line::ok("VLAN tags", format!("{found}; no VLAN is set up here"));
    }
    let found = format!("{found}; VLANs here: {}", card.vlans.join(", "));
    Line::warning("VLAN tags", found, format!("--mode tc, or: ethtool -K {} rxvlan off", card.interface.name))
}

/// Flows are shared by all CPUs, so nothing depends on it; only two CPUs may then work at one flow.
fn queues(card: &Card) -> Line {
    if card.queues < 2 {
        return Line::ok("queues", "one receive queue");
    }
    let hash = match card.symmetric_rss {
        Some(true) => "with a symmetric hash",
        Some(false) => "with a hash that is not symmetric",
        None => "whether with a symmetric hash is unknown",
    };
    Line::ok("queues", format!("{} receive queues, {hash}; hs-mon is right with either", card.queues))
}
