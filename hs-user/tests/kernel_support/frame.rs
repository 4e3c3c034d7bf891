//! Frames byte by byte. Checksums are 0: a monitor does not check them (offloading leaves them empty).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Who sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The initiator.
    I,
    /// The responder.
    R,
}

/// The initial sequence numbers of both sides.
pub const A: u32 = 1000;
pub const B: u32 = 5000;

pub const FIN: u16 = 0x01;
pub const SYN: u16 = 0x02;
pub const RST: u16 = 0x04;
pub const PSH: u16 = 0x08;
pub const ACK: u16 = 0x10;
pub const URG: u16 = 0x20;
pub const ECE: u16 = 0x40;
pub const CWR: u16 = 0x80;

pub const PROTO_TCP: u8 = 6;
/// The port of the responder.
pub const PORT: u16 = 443;

/// The address of a side.
pub fn addr(side: Side, v6: bool) -> IpAddr {
    let last = if side == Side::I { 7 } else { 1 };
    if v6 {
        Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, last).into()
    } else {
        Ipv4Addr::new(198, 51, 100, last as u8).into()
    }
}

/// A segment.
#[derive(Clone, Copy, Debug)]
pub struct Tcp {
    pub from: Side,
    pub flags: u16,
    pub seq: u32,
    pub ack: u32,
    pub payload: usize,
    pub window: u16,
    pub options: &'static [u8],
    /// The data offset in words, if it is not the true one.
    pub offset: Option<u16>,
    /// Source and destination ports, if they are not those of the sides.
    pub ports: Option<(u16, u16)>,
}

/// A segment of the initiator.
pub const fn i(flags: u16, seq: u32, ack: u32) -> Tcp {
    Tcp {
        from: Side::I,
        flags,
        seq,
        ack,
        payload: 0,
        window: 64_240,
        options: &[],
        offset: None,
        ports: None,
    }
}

/// A segment of the responder.
pub const fn r(flags: u16, seq: u32, ack: u32) -> Tcp {
    Tcp { from: Side::R, ..i(flags, seq, ack) }
}

impl Tcp {
    pub const fn data(self, payload: usize) -> Tcp {
        Tcp { payload, ..self }
    }

    pub const fn options(self, options: &'static [u8]) -> Tcp {
        Tcp { options, ..self }
    }

    pub const fn offset(self, words: u16) -> Tcp {
        Tcp { offset: Some(words), ..self }
    }

    /// Header and payload; `port` is the initiator's.
    pub fn bytes(&self, port: u16) -> Vec<u8> {
        let sides = if self.from == Side::I { (port, PORT) } else { (PORT, port) };
        let (source, destination) = self.ports.unwrap_or(sides);
        let words = self.offset.unwrap_or(5 + self.options.len() as u16 / 4);
        let mut tcp = [source.to_be_bytes(), destination.to_be_bytes()].concat();
        tcp.extend([self.seq.to_be_bytes(), self.ack.to_be_bytes()].concat());
        tcp.extend([(words << 12 | self.flags).to_be_bytes(), self.window.to_be_bytes()].concat());
        tcp.extend([0; 4]);
        tcp.extend(self.options);
        tcp.resize(tcp.len() + self.payload, 0xda);
        tcp
    }
}

/// A frame without the two addresses that stand first in Ethernet.
#[derive(Clone, Debug)]
pub struct Frame {
    /// From the type field to the network layer: types, tags, LLC and SNAP.
    pub link: Vec<u8>,
    /// The network layer.
    pub packet: Vec<u8>,
}

impl Frame {
    pub fn ethernet(&self) -> Vec<u8> {
        [&[2; 12], &self.link[..], &self.packet].concat()
    }

    /// With the header of a Linux cooked capture (LINKTYPE_LINUX_SLL).
    pub fn cooked(&self) -> Vec<u8> {
        [&[0; 14], &self.link[..], &self.packet].concat()
    }

    /// With the header of its second version, whose type field stands first.
    pub fn cooked2(&self) -> Vec<u8> {
        let (kind, rest) = self.link.split_at(2);
        [kind, &[0; 18], rest, &self.packet].concat()
    }

    /// With the address family of BSD loopback.
    pub fn bsd(&self) -> Vec<u8> {
        [&[2, 0, 0, 0], &self.packet[..]].concat()
    }

    /// Whether the packet alone tells as much as the frame: no tags, and the version that the type says.
    pub fn is_plain(&self) -> bool {
        let version = self.packet.first().map(|first| first >> 4);
        matches!((&self.link[..], version), ([0x08, 0x00], Some(4)) | ([0x86, 0xdd], Some(6)))
    }
}

/// What is around a segment.
#[derive(Clone, Copy, Debug, Default)]
pub struct Envelope {
    pub v6: bool,
    /// VLAN tags, outer first: type and tag.
    pub tags: &'static [(u16, u16)],
    /// 802.3 with LLC and SNAP in place of an Ethernet type.
    pub snap: bool,
    /// IPv4 options.
    pub options: &'static [u8],
    /// IPv6 extension headers: type, and the header with 0 for what follows it.
    pub extensions: &'static [(u8, &'static [u8])],
    /// The field of fragmentation (IPv4).
    pub fragment: u16,
}

impl Envelope {
    pub const V4: Envelope =
        Envelope { v6: false, tags: &[], snap: false, options: &[], extensions: &[], fragment: 0 };
    pub const V6: Envelope = Envelope { v6: true, ..Envelope::V4 };

    /// Both IP versions, plain.
    pub const PLAIN: [Envelope; 2] = [Envelope::V4, Envelope::V6];

    pub const fn tags(self, tags: &'static [(u16, u16)]) -> Envelope {
        Envelope { tags, ..self }
    }

    pub const fn options(self, options: &'static [u8]) -> Envelope {
        Envelope { options, ..self }
    }

    pub const fn extensions(self, extensions: &'static [(u8, &'static [u8])]) -> Envelope {
        Envelope { extensions, ..self }
    }

    pub fn wrap(self, tcp: &Tcp, port: u16) -> Frame {
        let other = if tcp.from == Side::I { Side::R } else { Side::I };
        self.between(addr(tcp.from, self.v6), addr(other, self.v6), &tcp.bytes(port))
    }

    pub fn between(self, source: IpAddr, destination: IpAddr, tcp: &[u8]) -> Frame {
        let packet = match (source, destination) {
            (IpAddr::V4(source), IpAddr::V4(destination)) => {
                ipv4([source, destination], PROTO_TCP, self.fragment, self.options, tcp)
            }
            (IpAddr::V6(source), IpAddr::V6(destination)) => {
                extended([source, destination], self.extensions, PROTO_TCP, tcp)
            }
            _ => panic!("{source} and {destination} are of different IP versions"),
        };
        self.frame(packet)
    }

    pub fn frame(self, packet: Vec<u8>) -> Frame {
        let kind: u16 = if self.v6 { 0x86dd } else { 0x0800 };
        let mut link: Vec<u8> = Vec::new();
        for (tpid, tci) in self.tags {
            link.extend([tpid.to_be_bytes(), tci.to_be_bytes()].concat());
        }
        if self.snap {
            link.extend((packet.len() as u16 + 8).to_be_bytes());
            link.extend([0xaa, 0xaa, 3, 0, 0, 0]);
        }
        link.extend(kind.to_be_bytes());
        Frame { link, packet }
    }
}

pub fn ipv4(ends: [Ipv4Addr; 2], protocol: u8, fragment: u16, options: &[u8], body: &[u8]) -> Vec<u8> {
    let words = 5 + options.len() / 4;
    let length = (words * 4 + body.len()) as u16;
    let mut packet = vec![0x40 | words as u8, 0];
    packet.extend([length.to_be_bytes(), [0, 7], fragment.to_be_bytes()].concat());
    packet.extend([64, protocol, 0, 0]);
    packet.extend(ends.iter().flat_map(Ipv4Addr::octets));
    packet.extend(options);
    packet.extend(body);
    packet
}

pub fn ipv6(ends: [Ipv6Addr; 2], next: u8, body: &[u8]) -> Vec<u8> {
    let mut packet = vec![0x60, 0, 0, 0];
    packet.extend((body.len() as u16).to_be_bytes());
    packet.extend([next, 64]);
    packet.extend(ends.iter().flat_map(Ipv6Addr::octets));
    packet.extend(body);
    packet
}

/// IPv6 with extension headers before `last`.
pub fn extended(ends: [Ipv6Addr; 2], extensions: &[(u8, &[u8])], last: u8, body: &[u8]) -> Vec<u8> {
    let mut kinds: Vec<u8> = extensions.iter().map(|(kind, _)| *kind).collect();
    kinds.push(last);
    let mut bytes = Vec::new();
    for ((_, header), next) in extensions.iter().zip(&kinds[1..]) {
        bytes.push(*next);
        bytes.extend(&header[1..]);
    }
    bytes.extend(body);
    ipv6(ends, kinds[0], &bytes)
}

/// The addresses of both sides, initiator first.
pub fn ends4() -> [Ipv4Addr; 2] {
    [Ipv4Addr::new(198, 51, 100, 7), Ipv4Addr::new(198, 51, 100, 1)]
}

pub fn ends6() -> [Ipv6Addr; 2] {
    [Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 7), Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1)]
}
