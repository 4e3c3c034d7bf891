//! What the kernel says of an interface.

use std::collections::BTreeSet;
use std::ffi::CString;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};

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
    /// Whether it is one end of a veth pair: packets come to it as skbs.
    pub is_veth: bool,
}

// linux/if_arp.h
const ARPHRD_ETHER: u32 = 1;
const ARPHRD_LOOPBACK: u32 = 772;
const ARPHRD_WITHOUT_HEADER: [u32; 8] = [512, 519, 768, 769, 776, 778, 823, 65534];

impl Interface {
    /// Looks an interface up by name.
    ///
    /// # Errors
    /// There is none of this name (the error lists those there are), or its link type is not known.
    pub fn named(name: &str) -> Result<Interface> {
        let Some(index) = index_of(name) else {
            bail!(
                "no such interface: {}; there are: {}",
                name.escape_default(),
                interface_names().join(", ")
            );
        };
        let is_veth =
            netlink::is_veth(index).with_context(|| format!("can't ask the kernel about {name}"))?;
        Ok(Interface { name: name.to_owned(), index, link_layer: link_layer(name)?, is_veth })
    }

    /// Whether there still is an interface of this number here.
    pub fn is_there(&self) -> bool {
        let mut name = [0; libc::IF_NAMESIZE];
        // SAFETY: the kernel writes a name, with its zero byte, into a buffer of the size that it asks for.
        !unsafe { libc::if_indextoname(self.index, name.as_mut_ptr()) }.is_null()
    }

    /// The number of the XDP program that is attached, if there is one.
    ///
    /// # Errors
    /// The kernel does not answer.
    pub fn xdp_program(&self) -> Result<Option<u32>> {
        netlink::xdp_program(self.index).with_context(|| format!("can't ask the kernel about {}", self.name))
    }

    /// What kind of virtual interface it is, such as `bridge`; none if a driver's device is behind it.
    pub fn kind(&self) -> Option<String> {
        netlink::kind(self.index).ok().flatten().map(|kind| kind.to_string())
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
}

fn index_of(name: &str) -> Option<u32> {
    let name = CString::new(name).ok()?;
    // SAFETY: the string ends with a zero byte and lives until the call returns.
    let index = unsafe { libc::if_nametoindex(name.as_ptr()) };
    (index != 0).then_some(index)
}

fn link_layer(name: &str) -> Result<LinkLayer> {
    let path = Path::new("/sys/class/net").join(name).join("type");
    let text = fs::read_to_string(&path).with_context(|| format!("can't read {}", path.display()))?;
    match text.trim().parse::<u32>() {
        Ok(ARPHRD_ETHER) => Ok(LinkLayer::Ethernet),
        Ok(ARPHRD_LOOPBACK) => Ok(LinkLayer::Loopback),
        Ok(kind) if ARPHRD_WITHOUT_HEADER.contains(&kind) => Ok(LinkLayer::None),
        _ => bail!("{name} has link type {}, which hs-mon can't read; watch one with Ethernet", text.trim()),
    }
}

/// The names of all interfaces here, in order.
pub fn interface_names() -> Vec<String> {
    let entries = fs::read_dir("/sys/class/net").into_iter().flatten().flatten();
    let mut names: Vec<String> =
        entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}
