//! What was found, and nothing of what it means.

use std::collections::BTreeSet;

use aya::util::KernelVersion;

use crate::kernel::Interface;
use crate::privilege::Outlook;

/// The machine, as this process sees it.
#[derive(Clone, Debug)]
pub struct Machine {
    /// As `uname -r` tells it.
    pub release: String,
    /// What hs-mon takes it for.
    pub version: KernelVersion,
    /// Whether the kernel describes its own types.
    pub btf: bool,
    /// `net.core.bpf_jit_enable`; other network namespaces than the first don't have it.
    pub jit: Option<u32>,
    /// The effective capabilities, one bit each.
    pub capabilities: u64,
    /// Whether they count for the whole machine, and not for a user namespace.
    pub initial_user_namespace: bool,
    /// What is left once hs-mon has attached.
    pub outlook: Outlook,
    /// Whether it keeps CAP_NET_ADMIN for interfaces that come later.
    pub keeps_net_admin: bool,
    /// `kernel.unprivileged_bpf_disabled`.
    pub unprivileged_bpf_disabled: Option<u32>,
    /// Whether tc programs are attached by links (Linux 6.6).
    pub tcx: bool,
    /// The modules that tc needs without tcx, and that are neither loaded nor to be had.
    pub lacking_modules: Vec<&'static str>,
    /// What the maps will take, in bytes.
    pub maps_bytes: u64,
    /// What the kernel could give without swapping, in bytes.
    pub available_bytes: Option<u64>,
    /// What the control group of this process may still take, in bytes, if there is a limit.
    pub group_bytes: Option<u64>,
}

/// One interface.
#[derive(Clone, Debug)]
pub struct Card {
    /// The interface itself.
    pub interface: Interface,
    /// Whether it is up.
    pub up: bool,
    /// The driver, or the kind of virtual interface.
    pub driver: Option<String>,
    /// The XDP program that it carries.
    pub xdp_holder: Option<String>,
    /// Whether its driver runs XDP itself.
    pub native_xdp: Option<bool>,
    /// The offloads that are on, under ethtool's names.
    pub features: Option<BTreeSet<String>>,
    /// The VLAN interfaces on top of it.
    pub vlans: Vec<String>,
    /// Receive queues.
    pub queues: usize,
    /// Whether both directions of a connection come to the same queue.
    pub symmetric_rss: Option<bool>,
}
