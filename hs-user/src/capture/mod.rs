//! Reads captures as a stream: pcap and pcapng, plain or compressed with gzip or zstd.
//!
//! Memory is bounded whatever the size of the file: one buffer of 64 KiB, grown once, to 1.1 MiB,
//! if a packet needs it; 64 KiB of compressed input; for zstd also the window that the compressor
//! chose (2 MiB by default, 128 MiB at the most). No packet is copied or allocated on its own.
//!
//! `input` buffers → `pcap` or `pcapng` finds the next packet → [`Reader::next_batch`] lends it out, with those behind it.
//! The formats are read here rather than with the crate pcap-parser, which (0.17) allocates for the options
//! of each packet, reads `if_tsoffset` of a big-endian section in the wrong order, knows no binary
//! `if_tsresol` and cuts seconds to 32 bits.

mod decompress;
mod error;
mod input;
mod order;
mod pcap;
mod pcapng;

use std::fs::File;
use std::io::Read;
use std::ops::Range;
use std::path::Path;

pub use error::Error;

use hs_common::parse::Link;

use input::Input;
use pcap::Pcap;
use pcapng::Pcapng;

/// The longest packet that is believed. A capture of TCP stays below: libpcap's largest snapshot
/// length is 262,144 bytes, the largest BIG TCP frame 524,280 and a header. A larger number is damage.
const MAX_PACKET: usize = 1 << 20;

/// Packets that are lent at once: enough to look ahead, few enough to stay in the first-level cache.
const BATCH: usize = 32;

/// What the first bytes of a packet are, as numbered in the registry of link types
/// (<https://www.tcpdump.org/linktypes.html>). [`Reader`] passes on any of them;
/// [`LinkType::header`] tells which the engine reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LinkType(pub u16);

impl LinkType {
    /// BSD loopback: the address family in the byte order of the capturing host, then the IP packet.
    pub const NULL: LinkType = LinkType(0);
    /// An Ethernet frame.
    pub const ETHERNET: LinkType = LinkType(1);
    /// An IPv4 or IPv6 packet.
    pub const RAW: LinkType = LinkType(101);
    /// OpenBSD loopback: the address family in network order, then the IP packet.
    pub const LOOP: LinkType = LinkType(108);
    /// Linux "cooked" capture, version 1.
    pub const LINUX_SLL: LinkType = LinkType(113);
    /// An IPv4 packet.
    pub const IPV4: LinkType = LinkType(228);
    /// An IPv6 packet.
    pub const IPV6: LinkType = LinkType(229);
    /// Linux "cooked" capture, version 2.
    pub const LINUX_SLL2: LinkType = LinkType(276);

    /// The engine's name for it, if it knows how to read it.
    pub const fn header(self) -> Option<Link> {
        match self {
            LinkType::ETHERNET => Some(Link::Ethernet),
            LinkType::RAW | LinkType::IPV4 | LinkType::IPV6 => Some(Link::RawIp),
            // The number that some systems write into files for raw IP (pcap-linktype).
            LinkType(12 | 14) => Some(Link::RawIp),
            LinkType::LINUX_SLL => Some(Link::LinuxCooked),
            LinkType::LINUX_SLL2 => Some(Link::LinuxCooked2),
            LinkType::NULL | LinkType::LOOP => Some(Link::BsdLoopback),
            LinkType(_) => None,
        }
    }
}

/// One packet, lent by the [`Reader`] until the next ones are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packet<'a> {
    /// Its number in this capture, from 1.
    pub number: u64,
    /// When it was captured: nanoseconds since 1970. Of a packet without a time (pcapng's Simple
    /// Packet Block), the time of the packet before it.
    pub time_ns: u64,
    /// What `data` begins with.
    pub link: LinkType,
    /// The interface's index in its pcapng section; 0 in a pcap.
    pub interface: u32,
    /// The captured bytes.
    pub data: &'a [u8],
    /// How long the packet was on the wire, in bytes, as the capture tells it.
    pub wire_len: u32,
}

/// A packet that a format has found: where it is in the input's buffer.
struct Found {
    time_ns: u64,
    link: LinkType,
    interface: u32,
    wire_len: u32,
    data: Range<usize>,
}

enum Format {
    Pcap(Pcap),
    Pcapng(Pcapng),
}

/// Reads the packets of one capture, in their order.
pub struct Reader {
    input: Input,
    format: Format,
    packets: u64,
    /// The batch at hand.
    found: Vec<Found>,
    done: bool,
    /// Comes after the packets before it.
    failure: Option<Error>,
}

impl Reader {
    /// Opens a capture file.
    ///
    /// # Errors
    /// As [`Reader::from_read`], or [`Error::Io`] if the file can't be opened.
    pub fn open(path: &Path) -> Result<Reader, Error> {
        Reader::from_read(File::open(path).map_err(Error::Io)?)
    }

    /// Reads a capture from `source`, which needs no buffer of its own.
    ///
    /// # Errors
    /// [`Error::Empty`], [`Error::NotACapture`], or what is wrong with the first header.
    pub fn from_read(source: impl Read + 'static) -> Result<Reader, Error> {
        let source = decompress::recognise(Box::new(source)).map_err(Error::Io)?;
        let mut input = Input::new(source);
        let format = recognise(&mut input)?;
        let found = Vec::with_capacity(BATCH);
        Ok(Reader { input, format, packets: 0, found, done: false, failure: None })
    }

    /// The next packets, or `None` at the end, and ever after the end or an error. At least one, and as many
    /// more as are buffered: nothing is waited for.
    ///
    /// # Errors
    /// [`Error::Truncated`] or [`Error::Corrupt`] after the last whole packet; [`Error::Io`].
    pub fn next_batch(&mut self) -> Result<Option<Batch<'_>>, Error> {
        self.found.clear();
        let before = self.packets;
        while !self.done && (self.found.is_empty() || self.found.len() < BATCH && self.is_buffered()) {
            self.find_one();
        }
        if self.found.is_empty() {
            return self.failure.take().map_or(Ok(None), Err);
        }
        Ok(Some(Batch { found: &self.found, input: &self.input, before }))
    }

    fn find_one(&mut self) {
        let found = match &mut self.format {
            Format::Pcap(pcap) => pcap.next(&mut self.input),
            Format::Pcapng(pcapng) => pcapng.next(&mut self.input),
        };
        match found {
            Ok(Some(found)) => {
                self.packets += 1;
                self.found.push(found);
            }
            Ok(None) => self.done = true,
            Err(fault) => {
                self.done = true;
                self.failure = Some(Error::new(fault, self.packets, self.input.offset()));
            }
        }
    }

    /// Whether the next packet can be found without reading, which would make void what was found before.
    fn is_buffered(&self) -> bool {
        match &self.format {
            Format::Pcap(pcap) => pcap.is_buffered(&self.input),
            Format::Pcapng(pcapng) => pcapng.is_buffered(&self.input),
        }
    }
}

/// Packets that lie in the buffer at the same time, lent by the [`Reader`] until the next ones are asked for.
pub struct Batch<'a> {
    found: &'a [Found],
    input: &'a Input,
    /// Packets before these.
    before: u64,
}

impl<'a> Batch<'a> {
    /// The packets, in their order.
    pub fn packets(&self) -> impl Iterator<Item = Packet<'a>> {
        let input = self.input;
        self.found.iter().zip(self.before + 1..).map(move |(found, number)| Packet {
            number,
            time_ns: found.time_ns,
            link: found.link,
            interface: found.interface,
            data: input.slice(found.data.clone()),
            wire_len: found.wire_len,
        })
    }
}

/// Which format it is, by its first four bytes; reads the file's header.
fn recognise(input: &mut Input) -> Result<Format, Error> {
    let first = if input.want(4) { &input.bytes()[..4] } else { input.bytes() }.to_vec();
    let format = if first == pcapng::MAGIC {
        Pcapng::open(input).map(Format::Pcapng)
    } else if let Some(pcap) = Pcap::open(input, &first) {
        pcap.map(Format::Pcap)
    } else if is_cut(input, &first) {
        Err(input.shortfall())
    } else if first.is_empty() {
        return Err(Error::Empty);
    } else {
        return Err(Error::NotACapture { first });
    };
    format.map_err(|fault| Error::new(fault, 0, input.offset()))
}

/// Whether these first bytes may be all that is left of a capture.
fn is_cut(input: &Input, first: &[u8]) -> bool {
    let mut magics = pcap::MAGICS.iter().map(|(magic, _)| magic).chain([&pcapng::MAGIC]);
    let begins_well = !first.is_empty() && magics.any(|magic| magic.starts_with(first));
    first.len() < 4 && (begins_well || !input.ended_cleanly())
}
