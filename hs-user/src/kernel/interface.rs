//! What the kernel says of an interface.

use std::collections::BTreeSet;

use anyhow::{Context, Result, anyhow, bail};
use netlink_packet_route::link::{LinkAttribute, LinkInfo, LinkMessage};

use super::{genetlink, netlink};

/// What a packet of the interface begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkLayer {
    /// An Ethernet header.
    Ethernet,
    /// An Ethernet header; each packet passes egress and ingress.
    Loopback,
    /// An IP header: tun, WireGuard, IP tunnels, PPP.
    None,
    /// Something else, which hs-mon can't read: its ARPHRD number (linux/if_arp.h).
    Other(u16),
}

/// A network interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interface {
    /// Its name.
    pub name: String,
    /// Its number.
    pub index: u32,
    /// What its packets begin with.
    pub link_layer: LinkLayer,
    /// What kind of virtual interface it is, such as `bridge`; none if a driver's device is behind it.
    pub kind: Option<String>,
}

// linux/if_arp.h
const ARPHRD_ETHER: u16 = 1;
const ARPHRD_LOOPBACK: u16 = 772;
const ARPHRD_WITHOUT_HEADER: [u16; 8] = [512, 519, 768, 769, 776, 778, 823, 65534];

impl Interface {
    /// All that there are in the network namespace of the calling thread.
    ///
    /// # Errors
    /// The kernel does not answer.
    pub fn all() -> Result<Vec<Interface>> {
        let links = netlink::all_links().context("can't ask the kernel for its interfaces")?;
        Ok(links.iter().map(Interface::of_link).collect())
    }

    /// The one of this name among `all`.
    ///
    /// # Errors
    /// There is none of this name (the error lists those there are), or its packets can't be read.
    pub fn named(name: &str, all: &[Interface]) -> Result<Interface> {
        let Some(interface) = all.iter().find(|interface| interface.name == name) else {
            let mut names: Vec<&str> = all.iter().map(|interface| interface.name.as_str()).collect();
            names.sort_unstable();
            bail!("no such interface: {}; there are: {}", name.escape_default(), names.join(", "));
        };
        interface.must_be_readable()?;
        Ok(interface.clone())
    }

    /// That hs-mon can read its packets.
    ///
    /// # Errors
    /// It can't.
    pub fn must_be_readable(&self) -> Result<()> {
        match self.link_layer {
            LinkLayer::Other(kind) => Err(anyhow!(
                "{} has link type {kind}, which hs-mon can't read; watch one with Ethernet",
                self.name
            )),
            _ => Ok(()),
        }
    }

    /// The number of the XDP program that is attached, if there is one.
    ///
    /// # Errors
    /// The kernel does not answer.
    pub fn xdp_program(&self) -> Result<Option<u32>> {
        netlink::xdp_program(self.index).with_context(|| format!("can't ask the kernel about {}", self.name))
    }

    /// Whether it is one end of a veth pair: packets come to it as skbs.
    pub fn is_veth(&self) -> bool {
        self.kind.as_deref() == Some("veth")
    }

    /// Whether the driver runs XDP itself. `None` if the kernel does not tell: before Linux 6.3.
    pub fn has_native_xdp(&self) -> Option<bool> {
        genetlink::has_native_xdp(self.index)
    }

    /// The offloads that are on, under ethtool's names. `None` if the kernel does not tell.
    pub fn active_features(&self) -> Option<BTreeSet<String>> {
        genetlink::active_features(self.index).ok()
    }

    /// Whether both directions of a connection come to the same receive queue. `None` if the kernel does not tell.
    pub fn has_symmetric_rss(&self) -> Option<bool> {
        genetlink::has_symmetric_rss(self.index)
    }

    /// As rtnetlink tells of it.
    pub(super) fn of_link(link: &LinkMessage) -> Interface {
        Interface {
            name: link.attributes.iter().find_map(name).unwrap_or_default(),
            index: link.header.index,
            link_layer: LinkLayer::of(link.header.link_layer_type.into()),
            kind: link.attributes.iter().find_map(kind),
        }
    }
}

fn kind(attribute: &LinkAttribute) -> Option<String> {
    let LinkAttribute::LinkInfo(infos) = attribute else { return None };
    infos.iter().find_map(|info| match info {
        LinkInfo::Kind(kind) => Some(kind.to_string()),
        _ => None,
    })
}

fn name(attribute: &LinkAttribute) -> Option<String> {
    match attribute {
        LinkAttribute::IfName(name) => Some(name.clone()),
        _ => None,
    }
}

impl LinkLayer {
    fn of(arphrd: u16) -> LinkLayer {
        match arphrd {
            ARPHRD_ETHER => LinkLayer::Ethernet,
            ARPHRD_LOOPBACK => LinkLayer::Loopback,
            kind if ARPHRD_WITHOUT_HEADER.contains(&kind) => LinkLayer::None,
            kind => LinkLayer::Other(kind),
        }
    }
}
