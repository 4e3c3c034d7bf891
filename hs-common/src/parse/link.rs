//! The link layer: Ethernet with VLAN tags and LLC/SNAP, Linux cooked, BSD loopback, raw IP.

use super::Network;
use super::ip::Version;
use crate::packet::{Header, Packet};
use crate::{Segment, Unparsed, VlanTags};

/// What the first byte of a packet belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Link {
    /// An Ethernet frame, tagged or not (IEEE 802.3, 802.1Q, 802.1ad).
    Ethernet = 0,
    /// An IP header: tun, WireGuard, PPP devices; DLT_RAW.
    RawIp = 1,
    /// Linux cooked capture v1 (LINKTYPE_LINUX_SLL).
    LinuxCooked = 2,
    /// Linux cooked capture v2 (LINKTYPE_LINUX_SLL2).
    LinuxCooked2 = 3,
    /// Four bytes of address family in either byte order (LINKTYPE_NULL, LINKTYPE_LOOP).
    BsdLoopback = 4,
}

impl Link {
    /// The code that crosses the kernel boundary.
    pub const fn code(self) -> u32 {
        self as u32
    }

    /// The link type of a code; any that is not known is Ethernet.
    #[inline(always)]
    pub const fn from_code(code: u32) -> Link {
        match code {
            1 => Link::RawIp,
            2 => Link::LinuxCooked,
            3 => Link::LinuxCooked2,
            4 => Link::BsdLoopback,
            _ => Link::Ethernet,
        }
    }
}

const ETHERTYPE_IPV4: u16 = 0x0800;
const ETHERTYPE_IPV6: u16 = 0x86dd;
/// 802.1Q, 802.1ad, and the one that switches used before 802.1ad.
const ETHERTYPES_VLAN: [u16; 3] = [0x8100, 0x88a8, 0x9100];
/// A type field up to this is an 802.3 length (IEEE 802.3 3.2.6).
const MAX_802_3_LENGTH: u16 = 1500;
/// LLC header that announces SNAP with an Ethernet type: DSAP, SSAP, control, and the first byte of
/// OUI 00-00-00 (RFC 1042).
const SNAP: u32 = 0xaaaa_0300;

#[inline(always)]
pub(super) fn parse<P: Packet>(packet: &P, link: Link, segment: &mut Segment) -> Result<Network, Unparsed> {
    segment.vlan = VlanTags::NONE;
    match link {
        Link::Ethernet => {
            let header = packet.header::<14>(0).ok_or(Unparsed::ShortFrame)?;
            tagged(packet, header.be16(12), 14, segment)
        }
        Link::RawIp => raw(packet, 0),
        Link::LinuxCooked => {
            let header = packet.header::<16>(0).ok_or(Unparsed::ShortFrame)?;
            tagged(packet, header.be16(14), 16, segment)
        }
        Link::LinuxCooked2 => {
            let header = packet.header::<20>(0).ok_or(Unparsed::ShortFrame)?;
            tagged(packet, header.be16(0), 20, segment)
        }
        Link::BsdLoopback => {
            packet.header::<4>(0).ok_or(Unparsed::ShortFrame)?;
            raw(packet, 4)
        }
    }
}

/// Follows up to two VLAN tags to the network layer.
#[inline(always)]
fn tagged<P: Packet>(
    packet: &P,
    ethertype: u16,
    offset: usize,
    segment: &mut Segment,
) -> Result<Network, Unparsed> {
    // The common case first: it must not pay for tags.
    if let Some(version) = version_of(ethertype) {
        return Ok(Network { offset, version });
    }
    let (mut ethertype, mut offset) = (ethertype, offset);
    let mut depth = 0;
    while ETHERTYPES_VLAN.contains(&ethertype) {
        if depth == 2 {
            return Err(Unparsed::VlanTooDeep);
        }
        let tag = packet.header::<4>(offset).ok_or(Unparsed::ShortFrame)?;
        segment.vlan = segment.vlan.push(tag.be16(0));
        ethertype = tag.be16(2);
        offset += 4;
        depth += 1;
    }
    if ethertype <= MAX_802_3_LENGTH {
        let llc = packet.header::<8>(offset).ok_or(Unparsed::NotIp)?;
        if llc.be32(0) != SNAP || llc.be16(4) != 0 {
            return Err(Unparsed::NotIp);
        }
        ethertype = llc.be16(6);
        offset += 8;
    }
    let version = version_of(ethertype).ok_or(Unparsed::NotIp)?;
    Ok(Network { offset, version })
}

#[inline(always)]
fn version_of(ethertype: u16) -> Option<Version> {
    match ethertype {
        ETHERTYPE_IPV4 => Some(Version::V4),
        ETHERTYPE_IPV6 => Some(Version::V6),
        _ => None,
    }
}

/// Without an Ethernet type the first half byte tells the version. BSD's address family would too,
/// but AF_INET6 has a different number on each of them.
#[inline(always)]
fn raw<P: Packet>(packet: &P, offset: usize) -> Result<Network, Unparsed> {
    let first = packet.header::<1>(offset).ok_or(Unparsed::ShortFrame)?;
    let version = match first.u8(0) >> 4 {
        4 => Version::V4,
        6 => Version::V6,
        _ => return Err(Unparsed::NotIp),
    };
    Ok(Network { offset, version })
}
