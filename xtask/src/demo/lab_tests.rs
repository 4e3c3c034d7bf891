use std::collections::HashSet;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use crate::lab::flood::Flood;
use crate::lab::frame::{MSS_1460, Mac, Prefix, Segment, flag, isn_of_synack};
use crate::lab::random::Random;
use crate::lab::{NET_V4, NET_V6};

fn address(text: &str) -> SocketAddr {
    text.parse().expect("an address")
}

/// The sum of the words with its carries, which is all ones over what carries its own checksum.
fn folded(bytes: &[u8]) -> u64 {
    let sum: u64 =
        bytes.chunks(2).map(|word| word.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte))).sum();
    (sum & 0xffff) + (sum >> 16)
}

#[test]
fn a_packet_has_the_bytes_and_checksums_it_should() {
    let syn = Segment::syn(address("198.18.0.2:40000"), address("198.18.0.1:80"), 0x0102_0304);
    let packet = syn.packet();
    assert_eq!(packet[..4], [0x45, 0, 0, 44], "24 bytes of TCP after 20 of IP");
    assert_eq!(packet[20..28], [0x9c, 0x40, 0, 80, 1, 2, 3, 4]);
    assert_eq!(packet[32..34], [6 << 4, flag::SYN]);
    assert_eq!(packet[40..], MSS_1460);
    assert_eq!(folded(&packet[..20]), 0xffff, "the header's checksum");
    let covered = [&packet[12..20], &[0, 6, 0, 24], &packet[20..]].concat();
    assert_eq!(folded(&covered), 0xffff, "the segment's checksum");
}

#[test]
fn a_synack_is_known_by_its_ports_and_flags() {
    for (client, server) in [("198.18.0.2:40000", "198.18.0.1:80"), ("[2001:2::2]:40000", "[2001:2::1]:80")] {
        let syn = Segment::syn(address(client), address(server), 7);
        let frame = |segment: &Segment| {
            let mac = Mac([2, 0, 0, 0, 0, 0]);
            segment.frame(mac, mac)
        };
        assert_eq!(isn_of_synack(&frame(&syn.answer(flag::SYN | flag::ACK, 99)), &syn), Some(99));
        assert_eq!(isn_of_synack(&frame(&syn.answer(flag::RST | flag::ACK, 99)), &syn), None);
        assert_eq!(isn_of_synack(&frame(&syn), &syn), None);
        assert_eq!(syn.answer(flag::SYN | flag::ACK, 99).ack, 8);
    }
}

#[test]
fn a_prefix_holds_what_lies_in_it() {
    let v4 = |a, b, length| Prefix::new(IpAddr::V4(Ipv4Addr::new(a, b, 0, 0)), length);
    let cases = [
        (v4(198, 18, 15), true),
        (v4(198, 19, 16), true),
        (v4(198, 20, 16), false),
        (v4(198, 18, 14), false),
        (v4(0, 0, 0), false),
        (NET_V6, false),
    ];
    for (prefix, expected) in cases {
        assert_eq!(NET_V4.holds(&prefix), expected, "{prefix}");
    }
}

#[test]
fn no_client_of_a_flood_comes_twice() {
    for (sources, victim) in [
        (NET_V4, "198.18.0.1:80"),
        (NET_V6, "[2001:2::1]:80"),
        (Prefix::new(NET_V4.address(9), 32), "198.18.0.1:80"),
    ] {
        let flood = Flood { sources, victim: address(victim), count: 30_000, rate: 1, seed: 5 };
        let mut random = Random::new(5);
        let clients: Vec<SocketAddr> =
            (0..flood.count).map(|number| flood.syn(number, &mut random).src).collect();
        assert_eq!(clients.iter().collect::<HashSet<_>>().len(), clients.len(), "{sources}");
        let whole = if sources.host_bits() > 32 { 128 } else { 32 };
        assert!(clients.iter().all(|client| sources.holds(&Prefix::new(client.ip(), whole))), "{sources}");
        let addresses = clients.iter().map(SocketAddr::ip).collect::<HashSet<_>>().len();
        assert!(sources.host_bits() == 0 || addresses > 25_000, "{addresses} addresses of {sources}");
    }
}
