//! Reads captures as a stream: pcap and pcapng, plain or compressed with gzip or zstd.
//!
//! Memory is bounded whatever the size of the file: one buffer of 256 KiB, grown once, to 1.1 MiB,
//! if a packet needs it; 64 KiB of compressed input; for zstd also the window that the compressor
//! chose (2 MiB by default, 128 MiB at the most). No packet is copied or allocated on its own.
//!
//! `input` buffers → `pcap` or `pcapng` finds the next packet → [`Reader::next`] lends it out.
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

use input::Input;
use pcap::Pcap;
use pcapng::Pcapng;

/// The longest packet that is believed. A capture of TCP stays below: libpcap's largest snapshot
/// length is 262,144 bytes, the largest BIG TCP frame 524,280 and a header. A larger number is damage.
const MAX_PACKET: usize = 1 << 20;

/// What the first bytes of a packet are, as numbered in the registry of link types
/// (<https://www.tcpdump.org/linktypes.html>). [`Reader`] passes on any of them.
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
}

/// One packet, lent by the [`Reader`] until the next one is asked for.
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
    done: bool,
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
        Ok(Reader { input, format, packets: 0, done: false })
    }

    /// The next packet, or `None` at the end, and ever after the end or an error.
    ///
    /// # Errors
    /// [`Error::Truncated`] or [`Error::Corrupt`] after the last whole packet; [`Error::Io`].
    #[expect(clippy::should_implement_trait, reason = "an Iterator can't lend from itself")]
    #[inline]
    pub fn next(&mut self) -> Result<Option<Packet<'_>>, Error> {
        if self.done {
            return Ok(None);
        }
        let found = match &mut self.format {
            Format::Pcap(pcap) => pcap.next(&mut self.input),
            Format::Pcapng(pcapng) => pcapng.next(&mut self.input),
        };
        match found {
            Ok(Some(found)) => {
                self.packets += 1;
                Ok(Some(self.lend(found)))
            }
            Ok(None) => {
                self.done = true;
                Ok(None)
            }
            Err(fault) => {
                self.done = true;
                Err(Error::new(fault, self.packets, self.input.offset()))
            }
        }
    }

    fn lend(&self, found: Found) -> Packet<'_> {
        Packet {
            number: self.packets,
            time_ns: found.time_ns,
            link: found.link,
            interface: found.interface,
            data: self.input.slice(found.data),
            wire_len: found.wire_len,
        }
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
