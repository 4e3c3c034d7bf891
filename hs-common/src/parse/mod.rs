//! Bytes to segment: link layer, IP, TCP. Every read is checked by [`Packet::header`], every loop
//! is bounded, so no byte string makes the parser read out of bounds, loop or panic.

mod ip;
mod link;
mod options;
mod tcp;

pub use link::Link;
pub use options::MAX_OPTION_BYTES;

use crate::packet::Packet;
use crate::{Addr, Segment, Unparsed, VlanTags};

/// Parses one packet whose first byte is that of a `link` header. `vlan_outer` is the tag that
/// hardware took off the frame, if the caller knows of one. The segment is written in place: the
/// kernel has no stack to spare for copies.
#[inline(always)]
pub fn parse<P: Packet>(
    packet: &P,
    link: Link,
    vlan_outer: Option<u16>,
    segment: &mut Segment,
) -> Result<(), Unparsed> {
    let mut network = link::parse(packet, link)?;
    if let Some(tci) = vlan_outer {
        network.vlan = network.vlan.push_outer(tci);
    }
    network.offset = packet.settle(network.offset);
    let mut transport = ip::parse(packet, &network)?;
    transport.offset = packet.settle(transport.offset);
    segment.vlan = network.vlan;
    segment.ttl = transport.ttl;
    tcp::parse(packet, &transport, segment)
}

/// Where the IP header begins, and what the link layer said of it.
#[derive(Clone, Copy)]
struct Network {
    offset: usize,
    version: ip::Version,
    vlan: VlanTags,
}

/// Where the TCP header begins, and what IP said of it.
#[derive(Clone, Copy)]
struct Transport {
    src: Addr,
    dst: Addr,
    /// TTL or hop limit.
    ttl: u8,
    offset: usize,
    /// Bytes of TCP header and payload that IP promises; of a fragmented packet, in this fragment.
    length: usize,
}
