//! IPv4 (RFC 791) and IPv6 with its extension headers (RFC 8200), down to the transport header.

use super::{Network, Transport};
use crate::packet::{Header, Packet};
use crate::{Addr, Segment, Unparsed};

/// The IP version that the link layer announced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Version {
    V4,
    V6,
}

const PROTO_HOP_BY_HOP: u8 = 0;
const PROTO_IPIP: u8 = 4;
const PROTO_TCP: u8 = 6;
const PROTO_UDP: u8 = 17;
const PROTO_IPV6: u8 = 41;
const PROTO_ROUTING: u8 = 43;
const PROTO_FRAGMENT: u8 = 44;
const PROTO_GRE: u8 = 47;
const PROTO_AH: u8 = 51;
const PROTO_DESTINATION: u8 = 60;
/// UDP ports of VXLAN (RFC 7348 5) and Geneve (RFC 8926 3.3).
const TUNNEL_PORTS: [u16; 2] = [4789, 6081];
/// RFC 8200 4.1 knows five kinds before TCP, destination options twice.
const MAX_EXTENSION_HEADERS: usize = 6;

const IPV4_FRAGMENT_OFFSET: u16 = 0x1fff;
const IPV6_FRAGMENT_OFFSET: u16 = 0xfff8;

#[inline(always)]
pub(super) fn parse<P: Packet>(
    packet: &P,
    network: &Network,
    segment: &mut Segment,
) -> Result<Transport, Unparsed> {
    match network.version {
        Version::V4 => v4(packet, network.offset, segment),
        Version::V6 => v6(packet, network.offset, segment),
    }
}

#[inline(always)]
fn v4<P: Packet>(packet: &P, offset: usize, segment: &mut Segment) -> Result<Transport, Unparsed> {
    let ip = packet.header::<20>(offset).ok_or(Unparsed::IpTruncated)?;
    let header_length = usize::from(ip.u8(0) & 0x0f) * 4;
    if ip.u8(0) >> 4 != 4 || header_length < 20 {
        return Err(Unparsed::BadIpHeader);
    }
    let total_length = match usize::from(ip.be16(2)) {
        // BIG TCP over IPv4 (Linux 6.3) and captures before segmentation offload: too long for the field.
        0 => packet.on_wire().saturating_sub(offset),
        length => length,
    };
    let length = total_length.checked_sub(header_length).ok_or(Unparsed::BadIpHeader)?;
    let fragment = ip.be16(6);
    segment.src = Addr::from_v4_word(ip.ne32(12));
    segment.dst = Addr::from_v4_word(ip.ne32(16));
    segment.ttl = ip.u8(8);
    let transport = Transport { offset: offset + header_length, length };
    let later = fragment & IPV4_FRAGMENT_OFFSET != 0;
    deliver(packet, ip.u8(9), later, transport)
}

#[inline(always)]
fn v6<P: Packet>(packet: &P, offset: usize, segment: &mut Segment) -> Result<Transport, Unparsed> {
    let ip = packet.header::<40>(offset).ok_or(Unparsed::IpTruncated)?;
    if ip.u8(0) >> 4 != 6 {
        return Err(Unparsed::BadIpHeader);
    }
    let length = match usize::from(ip.be16(4)) {
        // A jumbogram (RFC 2675) or BIG TCP (Linux 5.19): the frame tells.
        0 => packet.on_wire().saturating_sub(offset + 40),
        length => length,
    };
    segment.src = Addr::from_v6_words(ip.ne64(8), ip.ne64(16));
    segment.dst = Addr::from_v6_words(ip.ne64(24), ip.ne64(32));
    segment.ttl = ip.u8(7);
    let transport = Transport { offset: offset + 40, length };
    match ip.u8(6) {
        PROTO_TCP => Ok(transport),
        next => behind_extensions(packet, next, transport),
    }
}

/// Walks the extension headers. Each is at least 8 bytes, and their number is bounded.
#[inline(always)]
fn behind_extensions<P: Packet>(packet: &P, first: u8, at: Transport) -> Result<Transport, Unparsed> {
    let mut next = first;
    let mut later_fragment = false;
    let mut at = at;
    let mut count = 0;
    while is_extension(next) && !later_fragment {
        if count == MAX_EXTENSION_HEADERS {
            return Err(Unparsed::TooManyExtensionHeaders);
        }
        if at.length < 8 {
            return Err(Unparsed::BadIpHeader);
        }
        let header = packet.header::<8>(at.offset).ok_or(Unparsed::IpTruncated)?;
        let units = usize::from(header.u8(1));
        let size = match next {
            PROTO_FRAGMENT => 8,
            // RFC 4302 2.2: counted in 32-bit words, minus 2.
            PROTO_AH => (units + 2) * 4,
            _ => (units + 1) * 8,
        };
        later_fragment = next == PROTO_FRAGMENT && header.be16(2) & IPV6_FRAGMENT_OFFSET != 0;
        at.length = at.length.checked_sub(size).ok_or(Unparsed::BadIpHeader)?;
        at.offset = packet.settle(at.offset + size);
        at.length = packet.forget(at.length);
        next = header.u8(0);
        count += 1;
    }
    deliver(packet, next, later_fragment, at)
}

#[inline(always)]
fn is_extension(next: u8) -> bool {
    matches!(next, PROTO_HOP_BY_HOP | PROTO_ROUTING | PROTO_FRAGMENT | PROTO_AH | PROTO_DESTINATION)
}

/// Sorts by protocol: TCP goes on, the rest is counted under its name.
#[inline(always)]
fn deliver<P: Packet>(packet: &P, protocol: u8, later: bool, at: Transport) -> Result<Transport, Unparsed> {
    match protocol {
        PROTO_TCP if later => Err(Unparsed::LaterFragment),
        PROTO_TCP => Ok(at),
        PROTO_IPIP | PROTO_IPV6 | PROTO_GRE => Err(Unparsed::Tunnel),
        PROTO_UDP if !later && is_tunnel_port(packet, at.offset) => Err(Unparsed::Tunnel),
        _ if later => Err(Unparsed::LaterFragment),
        _ => Err(Unparsed::NotTcp),
    }
}

#[inline(always)]
fn is_tunnel_port<P: Packet>(packet: &P, offset: usize) -> bool {
    packet.header::<4>(offset).is_some_and(|udp| TUNNEL_PORTS.contains(&udp.be16(2)))
}
