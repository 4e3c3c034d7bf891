//! Where packets hide: IP, fragments, tunnels, and packets that end too early.

use std::net::{Ipv4Addr, Ipv6Addr};

use etherparse::{IpNumber, Ipv6ExtensionSlice, PacketBuilder, SlicedPacket};
use hs_common::Anomaly::TruncatedHeader;
use hs_common::packet::Captured;
use hs_common::parse::{Link, parse};
use hs_common::{Segment, TcpFlags, Unparsed};

use crate::wire;

const V4: [[u8; 4]; 2] = [[192, 0, 2, 1], [192, 0, 2, 2]];
const HOP_BY_HOP: u8 = 0;
const TCP: u8 = 6;
const ROUTING: u8 = 43;
const FRAGMENT: u8 = 44;
const AH: u8 = 51;
const DESTINATION: u8 = 60;

pub fn v6() -> [[u8; 16]; 2] {
    [1, 2].map(|last| Ipv6Addr::new(0x2001, 2, 0, 0, 0, 0, 0, last).octets())
}

/// The SYN that all these packets carry.
pub fn syn(is_v4: bool) -> Segment {
    let v6 = v6().map(Ipv6Addr::from);
    let [src, dst] = if is_v4 { V4.map(|octets| Ipv4Addr::from(octets).into()) } else { v6.map(Into::into) };
    let ports = (40_000, 80);
    Segment {
        src,
        dst,
        src_port: ports.0,
        dst_port: ports.1,
        seq: 7,
        ttl: 64,
        window: 1000,
        flags: TcpFlags::SYN,
        ..Segment::EMPTY
    }
}

pub fn read(link: Link, bytes: &[u8], on_wire: usize) -> Result<Segment, Unparsed> {
    let mut segment = Segment::EMPTY;
    parse(&Captured { data: bytes, on_wire }, link, &mut segment).map(|()| segment)
}

fn raw(bytes: &[u8]) -> Result<Segment, Unparsed> {
    read(Link::RawIp, bytes, bytes.len())
}

fn v4_packet(protocol: u8, fragment: u16, options: &[u8], body: &[u8]) -> Vec<u8> {
    wire::ipv4(V4[0], V4[1], protocol, fragment, options, body)
}

fn v6_packet(next: u8, body: &[u8]) -> Vec<u8> {
    wire::ipv6(v6()[0], v6()[1], next, body)
}

#[test]
fn ipv4_options() {
    let tcp = wire::tcp(&syn(true));
    for words in 0..=10 {
        let options = vec![1; words * 4];
        assert_eq!(raw(&v4_packet(TCP, 0, &options, &tcp)), Ok(syn(true)), "{words} words");
    }
    let mut packet = v4_packet(TCP, 0, &[], &tcp);
    packet[0] = 0x44;
    assert_eq!(raw(&packet), Err(Unparsed::BadIpHeader), "a header of 16 bytes");
    packet[0] = 0x4f;
    assert_eq!(raw(&packet), Err(Unparsed::BadIpHeader), "a header longer than the packet");
}

#[test]
fn other_builders_agree() {
    let builder =
        PacketBuilder::ethernet2([1; 6], [2; 6]).ipv4(V4[0], V4[1], 64).tcp(40_000, 80, 7, 1000).syn();
    let mut frame = Vec::new();
    builder.write(&mut frame, &[]).expect("a frame");
    assert_eq!(read(Link::Ethernet, &frame, frame.len()), Ok(syn(true)));
    let builder = PacketBuilder::ethernet2([1; 6], [2; 6]).ipv6(v6()[0], v6()[1], 64);
    let mut frame = Vec::new();
    builder.tcp(40_000, 80, 7, 1000).syn().write(&mut frame, &[0; 9]).expect("a frame");
    assert_eq!(read(Link::Ethernet, &frame, frame.len()), Ok(Segment { payload: 9, ..syn(false) }));
}

/// An extension header of so many bytes that announces `next`.
fn extension(kind: u8, next: u8, bytes: usize) -> Vec<u8> {
    let mut header = vec![0; bytes];
    header[0] = next;
    header[1] = match kind {
        AH => bytes / 4 - 2,
        FRAGMENT => 0,
        _ => bytes / 8 - 1,
    } as u8;
    header
}

/// The SYN behind these extension headers, given by kind and size.
fn behind(chain: &[(u8, usize)]) -> Vec<u8> {
    let mut body = wire::tcp(&syn(false));
    let mut next = TCP;
    for (kind, bytes) in chain.iter().rev() {
        body.splice(0..0, extension(*kind, next, *bytes));
        next = *kind;
    }
    v6_packet(next, &body)
}

#[test]
fn ipv6_extension_headers() {
    for (kind, sizes) in [
        (HOP_BY_HOP, &[8, 16, 256, 2048][..]),
        (ROUTING, &[8, 24, 40]),
        (DESTINATION, &[8, 16, 2048]),
        (FRAGMENT, &[8]),
        (AH, &[12, 16, 24, 28]),
    ] {
        for size in sizes {
            assert_eq!(raw(&behind(&[(kind, *size)])), Ok(syn(false)), "{kind} of {size} bytes");
        }
    }
}

#[test]
fn ipv6_extension_headers_in_any_order() {
    let kinds = [(HOP_BY_HOP, 8), (DESTINATION, 16), (ROUTING, 24), (FRAGMENT, 8), (AH, 24)];
    for first in kinds {
        for second in kinds {
            for third in kinds {
                let packet = behind(&[first, second, third]);
                assert_eq!(raw(&packet), Ok(syn(false)), "{first:?} {second:?} {third:?}");
            }
        }
    }
    let all = [(HOP_BY_HOP, 8), (DESTINATION, 8), (ROUTING, 24), (FRAGMENT, 8), (AH, 24), (DESTINATION, 8)];
    let packet = behind(&all);
    assert_eq!(raw(&packet), Ok(syn(false)), "the order of RFC 8200 4.1");
    let sliced = SlicedPacket::from_ip(&packet).expect("a packet");
    let etherparse::NetSlice::Ipv6(ip) = sliced.net.expect("IP") else { panic!("IPv6") };
    assert_eq!(ip.extensions().clone().into_iter().count(), all.len(), "the builder builds what it says");
    assert!(
        ip.extensions()
            .clone()
            .into_iter()
            .all(|header| !matches!(header, Ipv6ExtensionSlice::Fragment(f) if f.is_fragmenting_payload()))
    );
    assert_eq!(ip.payload().ip_number, IpNumber::TCP);
}

#[test]
fn ipv6_extension_headers_without_end() {
    assert_eq!(raw(&behind(&[(DESTINATION, 8); 6])), Ok(syn(false)));
    assert_eq!(raw(&behind(&[(DESTINATION, 8); 7])), Err(Unparsed::TooManyExtensionHeaders));
    let mut too_long = behind(&[(HOP_BY_HOP, 8)]);
    too_long[41] = 9;
    assert_eq!(raw(&too_long), Err(Unparsed::BadIpHeader), "longer than the packet");
    assert_eq!(raw(&v6_packet(HOP_BY_HOP, &[6, 0, 0, 0])), Err(Unparsed::BadIpHeader), "half a header");
    for next in [59, 50, 58, 135] {
        assert_eq!(raw(&v6_packet(next, &[0; 40])), Err(Unparsed::NotTcp), "next header {next}");
    }
}

#[test]
fn fragments() {
    let tcp = wire::tcp(&Segment { payload: 100, ..syn(true) });
    let whole = Segment { payload: 100, ..syn(true) };
    let (more, offset) = (0x2000, 1);
    assert_eq!(raw(&v4_packet(TCP, 0x4000, &[], &tcp)), Ok(whole), "don't fragment");
    assert_eq!(
        raw(&v4_packet(TCP, more, &[], &tcp[..40])),
        Ok(Segment { payload: 20, ..whole }),
        "the first"
    );
    assert_eq!(raw(&v4_packet(TCP, more | offset, &[], &tcp)), Err(Unparsed::LaterFragment));
    assert_eq!(raw(&v4_packet(TCP, offset, &[], &tcp)), Err(Unparsed::LaterFragment), "the last");
    assert_eq!(raw(&v4_packet(17, offset, &[], &tcp)), Err(Unparsed::LaterFragment), "of UDP");
    let tiny = raw(&v4_packet(TCP, more, &[], &tcp[..16])).expect("a segment");
    assert_eq!(tiny.fault(), Some(TruncatedHeader), "RFC 1858 3.1");
    assert_eq!((tiny.src_port, tiny.dst_port, tiny.flags), (40_000, 80, TcpFlags(0)));
}

#[test]
fn ipv6_fragments() {
    let table = [(0_u16, true), (1, true), (6, true), (8, false), (9, false), (0xfff8, false)];
    for (field, is_first) in table {
        let mut packet = behind(&[(FRAGMENT, 8)]);
        packet[42..44].copy_from_slice(&field.to_be_bytes());
        let expected = if is_first { Ok(syn(false)) } else { Err(Unparsed::LaterFragment) };
        assert_eq!(raw(&packet), expected, "offset and flags {field:#x}");
    }
    let mut hidden = behind(&[(FRAGMENT, 8), (DESTINATION, 8)]);
    hidden[43] = 8;
    assert_eq!(raw(&hidden), Err(Unparsed::LaterFragment), "what follows is no header");
}

#[test]
fn tunnels() {
    let inner = v4_packet(TCP, 0, &[], &wire::tcp(&syn(true)));
    for protocol in [4, 41, 47] {
        assert_eq!(raw(&v4_packet(protocol, 0, &[], &inner)), Err(Unparsed::Tunnel), "protocol {protocol}");
        assert_eq!(raw(&v6_packet(protocol, &inner)), Err(Unparsed::Tunnel), "protocol {protocol}");
    }
    for (port, expected) in [(4789_u16, Unparsed::Tunnel), (6081, Unparsed::Tunnel), (53, Unparsed::NotTcp)] {
        let mut udp = vec![0xc0, 0];
        udp.extend(port.to_be_bytes());
        udp.extend(&inner);
        assert_eq!(raw(&v4_packet(17, 0, &[], &udp)), Err(expected), "port {port}");
        assert_eq!(raw(&v6_packet(17, &udp)), Err(expected), "port {port}");
    }
    for protocol in [1, 2, 50, 89, 132] {
        assert_eq!(raw(&v4_packet(protocol, 0, &[], &inner)), Err(Unparsed::NotTcp), "protocol {protocol}");
    }
}

#[test]
fn lengths_that_differ_from_the_frame() {
    let tcp = wire::tcp(&Segment { payload: 6, ..syn(true) });
    let mut padded = v4_packet(TCP, 0, &[], &tcp[..20]);
    padded.extend([0; 6]);
    assert_eq!(raw(&padded), Ok(syn(true)), "Ethernet pads short frames");
    let mut longer = v4_packet(TCP, 0, &[], &tcp);
    longer[2..4].copy_from_slice(&1500_u16.to_be_bytes());
    assert_eq!(raw(&longer), Ok(Segment { payload: 1460, ..syn(true) }), "IP promises more than there is");
    longer[2..4].copy_from_slice(&30_u16.to_be_bytes());
    assert_eq!(raw(&longer).map(|segment| segment.fault()), Ok(Some(TruncatedHeader)), "IP promises less");
    longer[2..4].copy_from_slice(&19_u16.to_be_bytes());
    assert_eq!(raw(&longer), Err(Unparsed::BadIpHeader), "less than its own header");
    longer[2..4].copy_from_slice(&0_u16.to_be_bytes());
    assert_eq!(raw(&longer), Ok(Segment { payload: 6, ..syn(true) }), "0 before segmentation offload");
    assert_eq!(read(Link::RawIp, &longer, 100_040), Ok(Segment { payload: 100_000, ..syn(true) }), "BIG TCP");
}

#[test]
fn jumbograms() {
    let mut body = vec![TCP, 0, 0xc2, 4, 0, 1, 0x86, 0xbc];
    body.extend(wire::tcp(&syn(false)));
    let mut packet = v6_packet(HOP_BY_HOP, &body);
    packet[4..6].copy_from_slice(&[0, 0]);
    let on_wire = 40 + 8 + 20 + 100_000;
    assert_eq!(read(Link::RawIp, &packet, on_wire), Ok(Segment { payload: 100_000, ..syn(false) }));
    let mut plain = v6_packet(TCP, &wire::tcp(&syn(false)));
    plain[4..6].copy_from_slice(&[0, 0]);
    assert_eq!(raw(&plain), Ok(syn(false)), "length 0 before segmentation offload");
}

#[test]
fn a_capture_that_ends_early_is_no_broken_header() {
    let mut tcp =
        wire::tcp_with(&syn(true), &[2, 4, 5, 0xb4, 4, 2, 8, 10, 0, 0, 0, 0, 0, 0, 0, 0, 1, 3, 3, 7]);
    tcp.resize(tcp.len() + 10, 0);
    let packet = v4_packet(TCP, 0, &[], &tcp);
    let whole = Segment { payload: 10, ..syn(true) };
    for captured in 0..packet.len() {
        let seen = read(Link::RawIp, &packet[..captured], packet.len());
        match captured {
            0 => assert_eq!(seen, Err(Unparsed::ShortFrame)),
            1..40 => assert_eq!(seen, Err(Unparsed::IpTruncated), "{captured} bytes"),
            // The options are cut off, and Fast Open may have been among them.
            40..59 => assert_eq!(seen, Ok(Segment { fast_open: 1, ..whole }), "{captured} bytes"),
            _ => assert_eq!(seen, Ok(whole), "{captured} bytes"),
        }
    }
}

#[test]
fn truncated_headers() {
    let tcp = wire::tcp(&syn(true));
    for length in 0..20 {
        let segment = raw(&v4_packet(TCP, 0, &[], &tcp[..length])).expect("a segment");
        assert_eq!(segment.fault(), Some(TruncatedHeader), "{length} bytes");
        assert_eq!(segment.src_port, if length < 4 { 0 } else { 40_000 }, "{length} bytes");
    }
    for words in 0..=15_u8 {
        let mut tcp = tcp.clone();
        tcp[12] = words << 4;
        let segment = raw(&v4_packet(TCP, 0, &[], &tcp)).expect("a segment");
        assert_eq!(segment.fault(), (words != 5).then_some(TruncatedHeader), "data offset {words}");
    }
}

#[test]
fn not_ip_at_all() {
    assert_eq!(raw(&[]), Err(Unparsed::ShortFrame));
    for version in [0, 1, 5, 7, 15] {
        let mut packet = v4_packet(TCP, 0, &[], &wire::tcp(&syn(true)));
        packet[0] = version << 4 | 5;
        assert_eq!(raw(&packet), Err(Unparsed::NotIp), "version {version}");
    }
}
