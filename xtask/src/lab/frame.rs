//! TCP segments made by hand, with the checksums they should have.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// The TCP flags by their bits.
pub mod flag {
    /// No more data from the sender.
    pub const FIN: u8 = 0x01;
    /// Synchronize sequence numbers.
    pub const SYN: u8 = 0x02;
    /// Reset the connection.
    pub const RST: u8 = 0x04;
    /// Push.
    pub const PSH: u8 = 0x08;
    /// The acknowledgement number counts.
    pub const ACK: u8 = 0x10;
    /// The urgent pointer counts.
    pub const URG: u8 = 0x20;
}

/// The option of nearly every SYN: a maximum segment size of 1460 bytes.
pub const MSS_1460: [u8; 4] = [2, 4, 5, 180];

const ETHERTYPE_IPV4: u16 = 0x0800;
const ETHERTYPE_IPV6: u16 = 0x86dd;
const PROTOCOL_TCP: u8 = 6;
const HOPS: u8 = 64;

/// A hardware address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mac(pub [u8; 6]);

impl fmt::Display for Mac {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

/// A block of addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Prefix {
    base: IpAddr,
    length: u8,
}

impl Prefix {
    /// `base/length`.
    pub const fn new(base: IpAddr, length: u8) -> Prefix {
        Prefix { base, length }
    }

    /// How many bits are free.
    pub const fn host_bits(&self) -> u32 {
        let all: u32 = if self.base.is_ipv4() { 32 } else { 128 };
        all.saturating_sub(self.length as u32)
    }

    /// The address with this prefix, and the rest from `bits`.
    pub fn address(&self, bits: u128) -> IpAddr {
        match self.base {
            IpAddr::V4(base) => {
                let host = u32::MAX.checked_shr(self.length.into()).unwrap_or(0);
                IpAddr::V4(Ipv4Addr::from_bits(base.to_bits() & !host | bits as u32 & host))
            }
            IpAddr::V6(base) => {
                let host = u128::MAX.checked_shr(self.length.into()).unwrap_or(0);
                IpAddr::V6(Ipv6Addr::from_bits(base.to_bits() & !host | bits & host))
            }
        }
    }

    /// Whether all of `other` lies in this one.
    pub fn holds(&self, other: &Prefix) -> bool {
        let same_family = self.base.is_ipv4() == other.base.is_ipv4();
        let start = |bits| Prefix { base: other.base, length: self.length }.address(bits);
        same_family && other.length >= self.length && start(0) == self.address(0)
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{}/{}", self.base, self.length)
    }
}

/// A TCP segment with its addresses, which are of one family.
#[derive(Clone, Debug)]
pub struct Segment {
    /// The sender.
    pub src: SocketAddr,
    /// The receiver.
    pub dst: SocketAddr,
    /// See [`flag`].
    pub flags: u8,
    /// Sequence number.
    pub seq: u32,
    /// Acknowledgement number.
    pub ack: u32,
    /// Window, not scaled.
    pub window: u16,
    /// TCP options, a multiple of four bytes and 40 at the most.
    pub options: Vec<u8>,
    /// Data.
    pub payload: Vec<u8>,
}

impl Segment {
    /// Without options and data.
    pub fn new(src: SocketAddr, dst: SocketAddr, flags: u8, seq: u32, ack: u32) -> Segment {
        Segment { src, dst, flags, seq, ack, window: 64_240, options: Vec::new(), payload: Vec::new() }
    }

    /// A SYN as clients send it.
    pub fn syn(src: SocketAddr, dst: SocketAddr, seq: u32) -> Segment {
        Segment { options: MSS_1460.to_vec(), ..Segment::new(src, dst, flag::SYN, seq, 0) }
    }

    /// The answer to `self` with these flags: the other way round, and it acknowledges all of it.
    pub fn answer(&self, flags: u8, seq: u32) -> Segment {
        let counted = u32::from(self.flags & flag::SYN != 0) + u32::from(self.flags & flag::FIN != 0);
        let ack = self.seq.wrapping_add(counted).wrapping_add(self.payload.len() as u32);
        Segment::new(self.dst, self.src, flags, seq, ack)
    }

    /// The Ethernet frame.
    pub fn frame(&self, from: Mac, to: Mac) -> Vec<u8> {
        let ethertype = if self.src.is_ipv4() { ETHERTYPE_IPV4 } else { ETHERTYPE_IPV6 };
        let header = [&to.0[..], &from.0, &ethertype.to_be_bytes()].concat();
        [header, self.packet()].concat()
    }

    /// The IP packet.
    ///
    /// # Panics
    /// If the addresses are of two families: a mistake of the caller.
    pub fn packet(&self) -> Vec<u8> {
        match (self.src.ip(), self.dst.ip()) {
            (IpAddr::V4(src), IpAddr::V4(dst)) => {
                let tcp = self.tcp(&[src.octets(), dst.octets()].concat());
                [ipv4_header(src, dst, tcp.len()), tcp].concat()
            }
            (IpAddr::V6(src), IpAddr::V6(dst)) => {
                let tcp = self.tcp(&[src.octets(), dst.octets()].concat());
                [ipv6_header(src, dst, tcp.len()), tcp].concat()
            }
            _ => panic!("{} and {} are not of one family", self.src, self.dst),
        }
    }

    /// The segment, with a checksum over it and the addresses.
    fn tcp(&self, addresses: &[u8]) -> Vec<u8> {
        let offset = (20 + self.options.len()) / 4;
        let mut tcp = Vec::with_capacity(offset * 4 + self.payload.len());
        tcp.extend(self.src.port().to_be_bytes());
        tcp.extend(self.dst.port().to_be_bytes());
        tcp.extend(self.seq.to_be_bytes());
        tcp.extend(self.ack.to_be_bytes());
        tcp.extend([(offset as u8) << 4, self.flags]);
        tcp.extend(self.window.to_be_bytes());
        tcp.extend([0; 4]);
        tcp.extend(&self.options);
        tcp.extend(&self.payload);
        let pseudo = sum(addresses) + u64::from(PROTOCOL_TCP) + tcp.len() as u64;
        let checksum = folded(pseudo + sum(&tcp));
        tcp[16..18].copy_from_slice(&checksum.to_be_bytes());
        tcp
    }
}

/// The responder's ISN, if the frame is a SYN-ACK to this SYN's ports; without IP options before it.
pub fn isn_of_synack(frame: &[u8], syn: &Segment) -> Option<u32> {
    let ip_header = if syn.src.is_ipv4() { 20 } else { 40 };
    let tcp = frame.get(14 + ip_header..)?;
    let ports = [syn.dst.port().to_be_bytes(), syn.src.port().to_be_bytes()].concat();
    let is_answer = tcp.get(..4)? == ports && *tcp.get(13)? == flag::SYN | flag::ACK;
    let isn = tcp.get(4..8)?.try_into().ok()?;
    is_answer.then_some(u32::from_be_bytes(isn))
}

fn ipv4_header(src: Ipv4Addr, dst: Ipv4Addr, payload: usize) -> Vec<u8> {
    let length = (20 + payload) as u16;
    let mut header = vec![0x45, 0];
    header.extend(length.to_be_bytes());
    // No identification, do not fragment.
    header.extend([0, 0, 0x40, 0, HOPS, PROTOCOL_TCP, 0, 0]);
    header.extend(src.octets());
    header.extend(dst.octets());
    let checksum = folded(sum(&header));
    header[10..12].copy_from_slice(&checksum.to_be_bytes());
    header
}

fn ipv6_header(src: Ipv6Addr, dst: Ipv6Addr, payload: usize) -> Vec<u8> {
    let mut header = vec![0x60, 0, 0, 0];
    header.extend((payload as u16).to_be_bytes());
    header.extend([PROTOCOL_TCP, HOPS]);
    header.extend(src.octets());
    header.extend(dst.octets());
    header
}

/// The sum of the 16-bit words, the last one filled up with zero.
fn sum(bytes: &[u8]) -> u64 {
    let word = |pair: &[u8]| u64::from(pair[0]) << 8 | u64::from(pair.get(1).copied().unwrap_or(0));
    bytes.chunks(2).map(word).sum()
}

/// The complement of the sum with its carries added in (RFC 1071).
fn folded(mut sum: u64) -> u16 {
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}
