//! The pcap format (draft-ietf-opsawg-pcap): a header of 24 bytes, then packets, each with a header
//! of its own.

use super::error::Fault;
use super::input::Input;
use super::order::Order;
use super::{Found, LinkType, MAX_PACKET};

const FILE_HEADER: usize = 24;

/// What a magic number tells.
#[derive(Clone, Copy)]
pub(super) struct Variant {
    order: Order,
    /// Nanoseconds in a unit of the time's second word.
    fraction_ns: u64,
    packet_header: usize,
}

const fn variant(order: Order, fraction_ns: u64, packet_header: usize) -> Variant {
    Variant { order, fraction_ns, packet_header }
}

/// The magic numbers as they stand in the file. The last two are A. Kuznetzov's "modified" format of
/// old Linux distributions, with eight more bytes in each packet's header.
pub(super) const MAGICS: [([u8; 4], Variant); 6] = [
    ([0xd4, 0xc3, 0xb2, 0xa1], variant(Order::Little, 1000, 16)),
    ([0xa1, 0xb2, 0xc3, 0xd4], variant(Order::Big, 1000, 16)),
    ([0x4d, 0x3c, 0xb2, 0xa1], variant(Order::Little, 1, 16)),
    ([0xa1, 0xb2, 0x3c, 0x4d], variant(Order::Big, 1, 16)),
    ([0x34, 0xcd, 0xb2, 0xa1], variant(Order::Little, 1000, 24)),
    ([0xa1, 0xb2, 0xcd, 0x34], variant(Order::Big, 1000, 24)),
];

/// A pcap of which the header is read.
pub(super) struct Pcap {
    variant: Variant,
    link: LinkType,
}

impl Pcap {
    /// Reads the file's header; `None` if `first` is no magic number of pcap.
    pub(super) fn open(input: &mut Input, first: &[u8]) -> Option<Result<Pcap, Fault>> {
        let (_, variant) = MAGICS.iter().find(|(magic, _)| magic == first)?;
        if !input.want(FILE_HEADER) {
            return Some(Err(input.shortfall()));
        }
        // Its upper half tells of a frame check sequence, which lies after the IP packet's end.
        let link = LinkType(variant.order.u32(input.bytes(), 20) as u16);
        input.consume(FILE_HEADER);
        Some(Ok(Pcap { variant: *variant, link }))
    }

    /// Whether the next packet is wholly in the buffer.
    #[inline]
    pub(super) fn is_buffered(&self, input: &Input) -> bool {
        let Variant { order, packet_header, .. } = self.variant;
        let left = input.bytes().len();
        left >= packet_header && left - packet_header >= order.u32(input.bytes(), 8) as usize
    }

    #[inline]
    pub(super) fn next(&mut self, input: &mut Input) -> Result<Option<Found>, Fault> {
        let Variant { order, fraction_ns, packet_header } = self.variant;
        if !input.want(packet_header) {
            return input.end_of_blocks().map(|()| None);
        }
        let header = &input.bytes()[..packet_header];
        let seconds = u64::from(order.u32(header, 0));
        let fraction = u64::from(order.u32(header, 4));
        let captured = order.u32(header, 8) as usize;
        let wire_len = order.u32(header, 12);
        if captured > MAX_PACKET {
            return Err(Fault::Corrupt(format!("a packet of {captured} bytes")));
        }
        if !input.want(packet_header + captured) {
            return Err(input.shortfall());
        }
        input.consume(packet_header);
        let data = input.consume(captured);
        // No overflow: both words have 32 bits.
        let time_ns = seconds * 1_000_000_000 + fraction * fraction_ns;
        Ok(Some(Found { time_ns, link: self.link, interface: 0, wire_len, data }))
    }
}
