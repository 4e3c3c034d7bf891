//! Bytes to segment: link layer, IP, TCP. Every read is checked by [`Packet::header`], every loop
//! is bounded, so no byte string makes the parser read out of bounds, loop or panic.

mod ip;
mod link;
mod options;
pub(crate) mod tcp;

pub use link::Link;
pub use options::MAX_OPTION_BYTES;

use crate::packet::Packet;
use crate::{Segment, Unparsed};

/// Parses one packet whose first byte is that of a `link` header. A tag that hardware took off the frame is
/// the caller's to add ([`VlanTags::push_outer`](crate::VlanTags::push_outer)). The segment is written in place: the kernel has no
/// stack to spare for copies.
#[inline(always)]
pub fn parse<P: Packet>(packet: &P, link: Link, segment: &mut Segment) -> Result<(), Unparsed> {
    // What one layer passes on to the next is either settled or lies in the segment, so that the verifier
    // follows each layer once and not once for each way through the one before.
    let mut network = link::parse(packet, link, segment)?;
    network.offset = packet.settle(network.offset);
    let mut transport = ip::parse(packet, &network, segment)?;
    transport.offset = packet.settle(transport.offset);
    transport.length = packet.forget(transport.length);
    tcp::parse(packet, &transport, segment)
}

/// Where the IP header begins, and what the link layer said of it besides the VLAN tags.
#[derive(Clone, Copy)]
struct Network {
    offset: usize,
    version: ip::Version,
}

/// Where the TCP header begins, and what IP said of it besides addresses and TTL.
#[derive(Clone, Copy)]
struct Transport {
    offset: usize,
    /// Bytes of TCP header and payload that IP promises; of a fragmented packet, in this fragment.
    length: usize,
}
