//! Link layers: tags, LLC, cooked captures, loopback.

use etherparse::{LinuxSllPacketType, PacketBuilder, VlanId};
use hs_common::packet::Captured;
use hs_common::parse::{Link, parse};
use hs_common::{Segment, Unparsed, VlanTags};

use crate::parser::{read, syn, v6};
use crate::wire;

const IPV4: [u8; 2] = [0x08, 0x00];
const IPV6: [u8; 2] = [0x86, 0xdd];
/// Destination and source address.
const MACS: [u8; 12] = [2; 12];

/// EtherType and tag control information.
type Tag = ([u8; 2], u16);

/// The SYN as an IP packet.
fn packet(is_v4: bool) -> Vec<u8> {
    wire::frame(&syn(is_v4))[14..].to_vec()
}

fn joined(parts: &[&[u8]]) -> Vec<u8> {
    parts.concat()
}

fn seen(link: Link, bytes: &[u8]) -> Result<Segment, Unparsed> {
    read(link, bytes, bytes.len())
}

fn tagged(is_v4: bool, tags: [u16; 2]) -> Segment {
    Segment { vlan: VlanTags(tags), ..syn(is_v4) }
}

#[test]
fn vlan_tags() {
    const P: u16 = VlanTags::PRESENT;
    let (q, ad, old) = ([0x81, 0x00], [0x88, 0xa8], [0x91, 0x00]);
    for (is_v4, ip) in [(true, IPV4), (false, IPV6)] {
        let body = packet(is_v4);
        let frame = |tags: &[Tag]| {
            let mut frame = MACS.to_vec();
            for (kind, tci) in tags {
                frame.extend(kind);
                frame.extend(tci.to_be_bytes());
            }
            joined(&[&frame, &ip, &body])
        };
        let table: &[(&[Tag], [u16; 2])] = &[
            (&[], [0, 0]),
            (&[(q, 5)], [P | 5, 0]),
            (&[(q, 0)], [P, 0]),
            (&[(q, 0xe000)], [P, 0]),
            (&[(q, 0xffff)], [P | 0xfff, 0]),
            (&[(ad, 7), (q, 8)], [P | 7, P | 8]),
            (&[(q, 7), (q, 0)], [P | 7, P]),
            (&[(old, 7), (q, 8)], [P | 7, P | 8]),
        ];
        for (tags, expected) in table {
            assert_eq!(seen(Link::Ethernet, &frame(tags)), Ok(tagged(is_v4, *expected)), "{tags:?}");
        }
        let three = frame(&[(ad, 1), (q, 2), (q, 3)]);
        assert_eq!(seen(Link::Ethernet, &three), Err(Unparsed::VlanTooDeep));
    }
}

#[test]
fn vlan_tags_by_another_builder() {
    let id = |number| VlanId::try_new(number).expect("an identifier");
    let mut single = Vec::new();
    let builder = PacketBuilder::ethernet2([1; 6], [2; 6]).single_vlan(id(9)).ipv6(v6()[0], v6()[1], 64);
    builder.tcp(40_000, 80, 7, 1000).syn().write(&mut single, &[]).expect("a frame");
    assert_eq!(seen(Link::Ethernet, &single), Ok(tagged(false, [0x8009, 0])));
    let mut double = Vec::new();
    let builder =
        PacketBuilder::ethernet2([1; 6], [2; 6]).double_vlan(id(9), id(10)).ipv6(v6()[0], v6()[1], 64);
    builder.tcp(40_000, 80, 7, 1000).syn().write(&mut double, &[]).expect("a frame");
    assert_eq!(seen(Link::Ethernet, &double), Ok(tagged(false, [0x8009, 0x800a])));
}

#[test]
fn a_tag_that_hardware_took_off() {
    let table: [(&[u8], Option<u16>, [u16; 2]); 4] = [
        (&[], None, [0, 0]),
        (&[], Some(5), [0x8005, 0]),
        (&[], Some(0xe000), [0x8000, 0]),
        (&[0x81, 0, 0, 6], Some(5), [0x8005, 0x8006]),
    ];
    for (inner, stripped, expected) in table {
        let frame = joined(&[&MACS, inner, &IPV4, &packet(true)]);
        let mut segment = Segment::EMPTY;
        assert_eq!(parse(&Captured::whole(&frame), Link::Ethernet, &mut segment), Ok(()));
        if let Some(tci) = stripped {
            segment.vlan = segment.vlan.push_outer(tci);
        }
        assert_eq!(segment.vlan, VlanTags(expected), "{inner:?} {stripped:?}");
    }
}

#[test]
fn llc_and_snap() {
    let body = packet(true);
    let frame = |between: &[u8]| joined(&[&MACS, between, &body]);
    let snap = [0xaa, 0xaa, 3, 0, 0, 0, 0x08, 0x00];
    let tag = [0x81, 0, 0, 5];
    assert_eq!(seen(Link::Ethernet, &frame(&joined(&[&[0, 48], &snap]))), Ok(syn(true)));
    assert_eq!(
        seen(Link::Ethernet, &frame(&joined(&[&tag, &[0, 48], &snap]))),
        Ok(tagged(true, [0x8005, 0]))
    );
    let table: [&[u8]; 6] = [
        &[0, 48, 0x42, 0x42, 3, 0, 0, 0, 0, 0],
        &[0, 48, 0xaa, 0xaa, 3, 0, 0x80, 0xc2, 0x08, 0x00],
        &[0, 48, 0xaa, 0xaa, 3, 0, 0, 0, 0x08, 0x06],
        &[0x05, 0xdd, 0xaa, 0xaa, 3, 0, 0, 0, 0x08, 0x00],
        &[0x08, 0x06],
        &[0x88, 0xcc],
    ];
    for between in table {
        assert_eq!(seen(Link::Ethernet, &frame(between)), Err(Unparsed::NotIp), "{between:?}");
    }
}

#[test]
fn linux_cooked() {
    let kinds = [
        LinuxSllPacketType::HOST,
        LinuxSllPacketType::BROADCAST,
        LinuxSllPacketType::MULTICAST,
        LinuxSllPacketType::OTHERHOST,
        LinuxSllPacketType::OUTGOING,
    ];
    for kind in kinds {
        let builder = PacketBuilder::linux_sll(kind, 6, [1; 8]).ipv6(v6()[0], v6()[1], 64);
        let mut packet = Vec::new();
        builder.tcp(40_000, 80, 7, 1000).syn().write(&mut packet, &[]).expect("a packet");
        assert_eq!(seen(Link::LinuxCooked, &packet), Ok(syn(false)), "{kind:?}");
    }
    for (is_v4, ip) in [(true, IPV4), (false, IPV6)] {
        let body = packet(is_v4);
        assert_eq!(seen(Link::LinuxCooked, &joined(&[&[0; 14], &ip, &body])), Ok(syn(is_v4)));
        assert_eq!(seen(Link::LinuxCooked2, &joined(&[&ip, &[0; 18], &body])), Ok(syn(is_v4)));
        let tag = joined(&[&[0; 14], &[0x81, 0, 0, 5], &ip, &body]);
        assert_eq!(seen(Link::LinuxCooked, &tag), Ok(tagged(is_v4, [0x8005, 0])));
        let tag = joined(&[&[0x81, 0], &[0; 18], &[0, 5], &ip, &body]);
        assert_eq!(seen(Link::LinuxCooked2, &tag), Ok(tagged(is_v4, [0x8005, 0])));
    }
}

#[test]
fn bsd_loopback() {
    // AF_INET6 of NetBSD and OpenBSD, FreeBSD, macOS, and Linux, which writes such captures too.
    for (is_v4, family) in [(true, 2_u32), (false, 24), (false, 28), (false, 30), (false, 10)] {
        for bytes in [family.to_le_bytes(), family.to_be_bytes()] {
            let packet = joined(&[&bytes, &packet(is_v4)]);
            assert_eq!(seen(Link::BsdLoopback, &packet), Ok(syn(is_v4)), "family {family}");
        }
    }
    assert_eq!(seen(Link::BsdLoopback, &[2, 0, 0, 0, 0, 1, 2, 3]), Err(Unparsed::NotIp));
}

#[test]
fn raw_ip() {
    for is_v4 in [true, false] {
        assert_eq!(seen(Link::RawIp, &packet(is_v4)), Ok(syn(is_v4)));
    }
}

#[test]
fn headers_that_end_early() {
    let table = [
        (Link::Ethernet, 14),
        (Link::LinuxCooked, 16),
        (Link::LinuxCooked2, 20),
        (Link::BsdLoopback, 5),
        (Link::RawIp, 1),
    ];
    for (link, length) in table {
        for bytes in 0..length {
            assert_eq!(seen(link, &vec![0; bytes]), Err(Unparsed::ShortFrame), "{link:?}, {bytes} bytes");
        }
    }
    let tag = joined(&[&MACS, &[0x81, 0, 0]]);
    assert_eq!(seen(Link::Ethernet, &tag), Err(Unparsed::ShortFrame));
    let version_differs = joined(&[&MACS, &IPV6, &packet(true)]);
    assert_eq!(seen(Link::Ethernet, &version_differs), Err(Unparsed::BadIpHeader));
}
