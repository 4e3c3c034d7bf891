//! The pcapng format (draft-ietf-opsawg-pcapng): sections of blocks, each section with a byte order
//! and interfaces of its own.

use super::error::Fault;
use super::input::{Input, MAX_BLOCK};
use super::order::Order;
use super::{Found, LinkType, MAX_PACKET};

/// The type of a Section Header Block, the same in both byte orders.
pub(super) const MAGIC: [u8; 4] = [0x0a, 0x0d, 0x0d, 0x0a];
const SECTION_HEADER: u32 = u32::from_be_bytes(MAGIC);
const INTERFACE_DESCRIPTION: u32 = 1;
const OBSOLETE_PACKET: u32 = 2;
const SIMPLE_PACKET: u32 = 3;
const ENHANCED_PACKET: u32 = 6;

const BYTE_ORDER_MAGIC: u32 = 0x1a2b_3c4d;
/// Type and total length before the body, total length after it.
const HEAD: usize = 8;
const TRAILER: usize = 4;
/// A block of another kind is skipped and costs no memory; beyond this its length is damage.
const MAX_SKIPPED: usize = 64 << 20;
/// So that a file of nothing but interfaces can't fill the memory.
const MAX_INTERFACES: usize = 16_384;

/// The latest time that is told, in 2262: what signed nanoseconds have room for. Whoever reckons with times of a
/// capture may add hours to any of them.
const LATEST_NS: i128 = i64::MAX as i128;

const OPTION_END: u16 = 0;
const OPTION_TSRESOL: u16 = 9;
const OPTION_TSOFFSET: u16 = 14;

/// What an Interface Description Block tells.
#[derive(Clone, Copy)]
struct Interface {
    link: LinkType,
    /// Bytes captured of a packet at the most; 0: all.
    snap_len: u32,
    clock: Clock,
}

/// A pcapng of which the first section header is read.
pub(super) struct Pcapng {
    order: Order,
    interfaces: Vec<Interface>,
    /// Of the last packet.
    time_ns: u64,
}

impl Pcapng {
    pub(super) fn open(input: &mut Input) -> Result<Pcapng, Fault> {
        let mut pcapng = Pcapng { order: Order::Little, interfaces: Vec::new(), time_ns: 0 };
        pcapng.begin_section(input)?;
        Ok(pcapng)
    }

    /// Whether a packet comes next that is wholly in the buffer.
    #[inline]
    pub(super) fn is_buffered(&self, input: &Input) -> bool {
        let bytes = input.bytes();
        bytes.len() >= HEAD
            && self.order.u32(bytes, 0) == ENHANCED_PACKET
            && bytes.len() >= (self.order.u32(bytes, 4) as usize).next_multiple_of(4)
    }

    #[inline]
    pub(super) fn next(&mut self, input: &mut Input) -> Result<Option<Found>, Fault> {
        loop {
            if !input.want(HEAD) {
                return input.end_of_blocks().map(|()| None);
            }
            match self.order.u32(input.bytes(), 0) {
                ENHANCED_PACKET => return self.enhanced_packet(input).map(Some),
                SIMPLE_PACKET => return self.simple_packet(input).map(Some),
                OBSOLETE_PACKET => return self.obsolete_packet(input).map(Some),
                INTERFACE_DESCRIPTION => self.add_interface(input)?,
                SECTION_HEADER => self.begin_section(input)?,
                _ => input.skip(self.block_len(input, 0, MAX_SKIPPED)?)?,
            }
        }
    }

    /// A section's byte order must be known before its length can be read.
    fn begin_section(&mut self, input: &mut Input) -> Result<(), Fault> {
        if !input.want(16) {
            return Err(input.shortfall());
        }
        self.order = match (Order::Little.u32(input.bytes(), 8), Order::Big.u32(input.bytes(), 8)) {
            (BYTE_ORDER_MAGIC, _) => Order::Little,
            (_, BYTE_ORDER_MAGIC) => Order::Big,
            _ => return Err(Fault::Corrupt("a section header without its byte-order magic".to_owned())),
        };
        let major = self.order.u16(input.bytes(), 12);
        if major != 1 {
            return Err(Fault::Corrupt(format!("a section of pcapng version {major}; known is version 1")));
        }
        self.interfaces.clear();
        input.skip(self.block_len(input, 16, MAX_SKIPPED)?)
    }

    fn add_interface(&mut self, input: &mut Input) -> Result<(), Fault> {
        if self.interfaces.len() == MAX_INTERFACES {
            return Err(Fault::Corrupt(format!("more than {MAX_INTERFACES} interfaces in a section")));
        }
        let len = self.whole_block(input, 8)?;
        let body = &input.bytes()[HEAD..len - TRAILER];
        self.interfaces.push(Interface {
            link: LinkType(self.order.u16(body, 0)),
            snap_len: self.order.u32(body, 4),
            clock: self.clock(&body[8..])?,
        });
        input.consume(len);
        Ok(())
    }

    /// The clock that an interface's options describe.
    fn clock(&self, mut options: &[u8]) -> Result<Clock, Fault> {
        let mut clock = Clock::DEFAULT;
        while options.len() >= 4 {
            let (code, len) = (self.order.u16(options, 0), usize::from(self.order.u16(options, 2)));
            let Some(value) = options.get(4..4 + len) else {
                return Err(Fault::Corrupt("an option of an interface is longer than its block".to_owned()));
            };
            match (code, len) {
                (OPTION_END, _) => break,
                (OPTION_TSRESOL, 1) => clock.set_resolution(value[0]),
                (OPTION_TSOFFSET, 8) => {
                    clock.offset_ns = i128::from(self.order.i64(value, 0)) * 1_000_000_000
                }
                (OPTION_TSRESOL | OPTION_TSOFFSET, _) => {
                    return Err(Fault::Corrupt(format!("option {code} of an interface has {len} bytes")));
                }
                _ => {}
            }
            options = options.get(4 + len.next_multiple_of(4)..).unwrap_or_default();
        }
        Ok(clock)
    }

    fn enhanced_packet(&mut self, input: &mut Input) -> Result<Found, Fault> {
        let len = self.whole_block(input, 20)?;
        let (order, body) = (self.order, &input.bytes()[HEAD..len - TRAILER]);
        let header = Header {
            interface: order.u32(body, 0),
            ticks: Some(u64::from(order.u32(body, 4)) << 32 | u64::from(order.u32(body, 8))),
            captured: order.u32(body, 12),
            wire_len: order.u32(body, 16),
            len: 20,
        };
        self.found(input, len, header)
    }

    /// It differs from an Enhanced Packet Block in the first word.
    fn obsolete_packet(&mut self, input: &mut Input) -> Result<Found, Fault> {
        let len = self.whole_block(input, 20)?;
        let (order, body) = (self.order, &input.bytes()[HEAD..len - TRAILER]);
        let header = Header {
            interface: u32::from(order.u16(body, 0)),
            ticks: Some(u64::from(order.u32(body, 4)) << 32 | u64::from(order.u32(body, 8))),
            captured: order.u32(body, 12),
            wire_len: order.u32(body, 16),
            len: 20,
        };
        self.found(input, len, header)
    }

    /// It belongs to the first interface and tells the captured length only by that one's snapshot length.
    fn simple_packet(&mut self, input: &mut Input) -> Result<Found, Fault> {
        let len = self.whole_block(input, 4)?;
        let wire_len = self.order.u32(input.bytes(), HEAD);
        let limit = match self.interfaces.first() {
            Some(Interface { snap_len, .. }) if *snap_len > 0 => *snap_len,
            _ => u32::MAX,
        };
        let header = Header { interface: 0, ticks: None, captured: wire_len.min(limit), wire_len, len: 4 };
        self.found(input, len, header)
    }

    /// Consumes a packet's block of `len` bytes.
    #[inline]
    fn found(&mut self, input: &mut Input, len: usize, header: Header) -> Result<Found, Fault> {
        let Some(interface) = self.interfaces.get(header.interface as usize) else {
            let number = header.interface;
            return Err(Fault::Corrupt(format!("a packet of interface {number}, which is not described")));
        };
        let captured = header.captured as usize;
        if captured > MAX_PACKET || captured > len - HEAD - header.len - TRAILER {
            return Err(Fault::Corrupt(format!("a packet of {captured} bytes in a block of {len}")));
        }
        if let Some(ticks) = header.ticks {
            self.time_ns = interface.clock.time_ns(ticks);
        }
        let Header { interface: number, wire_len, .. } = header;
        let from = input.consume(len).start + HEAD + header.len;
        let data = from..from + captured;
        Ok(Found { time_ns: self.time_ns, link: interface.link, interface: number, wire_len, data })
    }

    /// Buffers the block that begins here, whose body has at least `min_body` bytes; its length.
    #[inline]
    fn whole_block(&self, input: &mut Input, min_body: usize) -> Result<usize, Fault> {
        let len = self.block_len(input, min_body, MAX_BLOCK)?;
        if !input.want(len) {
            return Err(input.shortfall());
        }
        let again = self.order.u32(input.bytes(), len - TRAILER);
        if again != self.order.u32(input.bytes(), 4) {
            return Err(Fault::Corrupt(format!("a block of {len} bytes says {again} at its end")));
        }
        Ok(len)
    }

    /// The length of the block that begins here, rounded up to whole words: some writers leave the
    /// padding out of the length that they tell.
    #[inline]
    fn block_len(&self, input: &Input, min_body: usize, max: usize) -> Result<usize, Fault> {
        let told = self.order.u32(input.bytes(), 4) as usize;
        if told < HEAD + min_body + TRAILER || told > max {
            let kind = self.order.u32(input.bytes(), 0);
            return Err(Fault::Corrupt(format!("a block of type {kind:#x} says that it has {told} bytes")));
        }
        Ok(told.next_multiple_of(4))
    }
}

/// The fields that the kinds of packet blocks have in common.
struct Header {
    interface: u32,
    /// Time in the interface's units.
    ticks: Option<u64>,
    captured: u32,
    wire_len: u32,
    /// From the body's begin to the packet.
    len: usize,
}

/// How an interface's units become nanoseconds since 1970.
#[derive(Clone, Copy)]
struct Clock {
    unit: Unit,
    offset_ns: i128,
}

#[derive(Clone, Copy)]
enum Unit {
    /// So many nanoseconds.
    Times(u64),
    /// A nanosecond is so many units.
    Part(u128),
    /// A second is two to the power of this many units.
    Binary(u8),
}

impl Clock {
    /// Without `if_tsresol` the unit is a microsecond.
    const DEFAULT: Clock = Clock { unit: Unit::Times(1000), offset_ns: 0 };

    /// `if_tsresol`: the negative power of ten of a second, or of two with the highest bit set.
    fn set_resolution(&mut self, resolution: u8) {
        let power = u32::from(resolution & 0x7f);
        self.unit = match resolution {
            0x80.. => Unit::Binary(resolution & 0x7f),
            0..=9 => Unit::Times(10_u64.pow(9 - power)),
            // From 10^-48 on all that fits into 64 bits is less than a nanosecond.
            _ => Unit::Part(10_u128.checked_pow(power - 9).unwrap_or(u128::MAX)),
        };
    }

    /// Nanoseconds since 1970; before that, 0, and of what is later than [`LATEST_NS`], that.
    #[inline]
    fn time_ns(self, ticks: u64) -> u64 {
        let ns = match self.unit {
            Unit::Times(factor) => u128::from(ticks) * u128::from(factor),
            Unit::Part(units) => u128::from(ticks) / units,
            // At most 64 + 30 bits.
            Unit::Binary(power) => (u128::from(ticks) * 1_000_000_000) >> power,
        };
        // No overflow: at most 94 bits each.
        let ns = ns as i128 + self.offset_ns;
        ns.clamp(0, LATEST_NS) as u64
    }
}
