//! Segments as frames.

use std::net::IpAddr;

use hs_common::Segment;

const ETHERTYPE_IPV4: [u8; 2] = [0x08, 0x00];
const ETHERTYPE_IPV6: [u8; 2] = [0x86, 0xdd];

/// An Ethernet frame. Checksums are 0: a monitor does not check them (offloading leaves them empty).
pub fn frame(segment: &Segment) -> Vec<u8> {
    let tcp = tcp(segment);
    let mut frame = vec![2; 12];
    match (IpAddr::from(segment.src), IpAddr::from(segment.dst)) {
        (IpAddr::V4(src), IpAddr::V4(dst)) => {
            frame.extend(ETHERTYPE_IPV4);
            frame.extend(ipv4(src.octets(), dst.octets(), 6, 0, &[], &tcp));
        }
        (src, dst) => {
            frame.extend(ETHERTYPE_IPV6);
            let octets = |addr| Segment { src: addr, ..Segment::EMPTY }.src.octets();
            frame.extend(ipv6(octets(src.into()), octets(dst.into()), 6, &tcp));
        }
    }
    frame
}

/// An IPv4 packet with options and the field of fragmentation.
pub fn ipv4(src: [u8; 4], dst: [u8; 4], protocol: u8, fragment: u16, options: &[u8], body: &[u8]) -> Vec<u8> {
    let words = 5 + options.len() / 4;
    let length = (words * 4 + body.len()) as u16;
    let mut packet = vec![0x40 | words as u8, 0];
    packet.extend(length.to_be_bytes());
    packet.extend([0, 7]);
    packet.extend(fragment.to_be_bytes());
    packet.extend([64, protocol, 0, 0]);
    packet.extend(src);
    packet.extend(dst);
    packet.extend(options);
    packet.extend(body);
    packet
}

/// An IPv6 packet whose first header behind the fixed one is `next`.
pub fn ipv6(src: [u8; 16], dst: [u8; 16], next: u8, body: &[u8]) -> Vec<u8> {
    let mut packet = vec![0x60, 0, 0, 0];
    packet.extend((body.len() as u16).to_be_bytes());
    packet.extend([next, 64]);
    packet.extend(src);
    packet.extend(dst);
    packet.extend(body);
    packet
}

/// The TCP header and payload, with a Fast Open option if the segment has one.
pub fn tcp(segment: &Segment) -> Vec<u8> {
    let options: &[u8] = if segment.fast_open != 0 { &[34, 2, 1, 1] } else { &[] };
    tcp_with(segment, options)
}

/// The TCP header with these bytes of options, and the payload.
pub fn tcp_with(segment: &Segment, options: &[u8]) -> Vec<u8> {
    let words = 5 + options.len() / 4;
    let mut tcp = Vec::new();
    tcp.extend(segment.src_port.to_be_bytes());
    tcp.extend(segment.dst_port.to_be_bytes());
    tcp.extend(segment.seq.to_be_bytes());
    tcp.extend(segment.ack.to_be_bytes());
    tcp.extend(((words as u16) << 12 | segment.flags.0).to_be_bytes());
    tcp.extend(segment.window.to_be_bytes());
    tcp.extend([0; 4]);
    tcp.extend(options);
    tcp.resize(tcp.len() + segment.payload as usize, 0xda);
    tcp
}
