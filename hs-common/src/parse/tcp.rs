//! The TCP header (RFC 9293 3.1).

use super::{Transport, options};
use crate::packet::{Header, Packet};
use crate::{Anomaly, Segment, TcpFlags, Unparsed};

/// Bytes of the header without options.
const HEADER: usize = 20;
/// Nine flags: AE is the lowest bit of what RFC 793 reserved.
const FLAGS: u16 = 0x1ff;

/// All but the options, of the header that begins `at` bytes within `head`, in a segment of `length` bytes. Returns how
/// long the header says it is.
#[inline(always)]
pub(crate) fn read(head: impl Header, at: usize, length: usize, segment: &mut Segment) -> usize {
    let word = head.be16(at + 12);
    let header_length = usize::from(word >> 12) * 4;
    segment.src_port = head.be16(at);
    segment.dst_port = head.be16(at + 2);
    segment.seq = head.be32(at + 4);
    segment.ack = head.be32(at + 8);
    segment.payload = length.saturating_sub(header_length) as u32;
    segment.window = head.be16(at + 14);
    segment.flags = TcpFlags(word & FLAGS);
    segment.fast_open = 0;
    segment.fault = 0;
    header_length
}

#[inline(always)]
pub(super) fn parse<P: Packet>(packet: &P, at: &Transport, segment: &mut Segment) -> Result<(), Unparsed> {
    if at.length < HEADER {
        return truncated(packet, at, segment);
    }
    let tcp = packet.header::<HEADER>(at.offset).ok_or(Unparsed::IpTruncated)?;
    let header_length = read(tcp, 0, at.length, segment);
    if header_length < HEADER || header_length > at.length {
        segment.fault = Anomaly::TruncatedHeader.code();
    } else if segment.flags.contains(TcpFlags::SYN) && header_length > HEADER {
        let scan = options::scan(packet, at.offset + HEADER, header_length - HEADER);
        // A capture may end within the options (68 bytes were tcpdump's default once). The SYN counts
        // all the same; one with data is not blamed for an option that may have been cut off.
        let may_be_fast_open = scan.is_cut_off() && segment.payload > 0;
        segment.fast_open = scan.fast_open() | may_be_fast_open as u8;
        segment.fault = scan.fault();
    }
    Ok(())
}

/// IP says that there are fewer than 20 bytes. What there is of the ports names the flow.
#[inline(always)]
fn truncated<P: Packet>(packet: &P, at: &Transport, segment: &mut Segment) -> Result<(), Unparsed> {
    let Segment { src, dst, vlan, ttl, .. } = *segment;
    *segment = Segment { src, dst, vlan, ttl, fault: Anomaly::TruncatedHeader.code(), ..Segment::EMPTY };
    if at.length >= 4 {
        let tcp = packet.header::<4>(at.offset).ok_or(Unparsed::IpTruncated)?;
        segment.src_port = tcp.be16(0);
        segment.dst_port = tcp.be16(2);
    }
    Ok(())
}
