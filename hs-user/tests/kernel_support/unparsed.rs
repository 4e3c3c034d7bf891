//! Packets that hold no segment, by the reason under which they are counted, and those that end early.

use hs_common::Anomaly::TruncatedHeader;
use hs_common::Unparsed::{self, *};
use hs_common::{Outcome, Reason};

use crate::case::{Case, anomaly, unanswered};
use crate::frame::{
    A, Envelope, Frame, PORT, PROTO_TCP, SYN, Side, addr, ends4, ends6, extended, i, ipv4, ipv6,
};

const UDP: u8 = 17;
const ICMP: u8 = 1;
const GRE: u8 = 47;
const IP_IN_IP: u8 = 4;
const IPV6_IN_IP: u8 = 41;
const FRAGMENT: u8 = 44;
const DESTINATION: (u8, &[u8]) = (60, &[0, 0, 1, 4, 0, 0, 0, 0]);

fn case(name: &str, why: Unparsed, frame: Frame) -> Case {
    Case::new(format!("{}: {name}", why.name()), Envelope::V4).send_raw(frame).unparsed(why)
}

fn raw(link: &[u8], packet: &[u8]) -> Frame {
    Frame { link: link.to_vec(), packet: packet.to_vec() }
}

fn v4(packet: Vec<u8>) -> Frame {
    Envelope::V4.frame(packet)
}

fn v6(packet: Vec<u8>) -> Frame {
    Envelope::V6.frame(packet)
}

fn syn4() -> Vec<u8> {
    ipv4(ends4(), PROTO_TCP, 0, &[], &i(SYN, A, 0).bytes(999))
}

fn syn6() -> Vec<u8> {
    ipv6(ends6(), PROTO_TCP, &i(SYN, A, 0).bytes(999))
}

/// UDP to this port, with a few bytes.
fn udp(port: u16) -> Vec<u8> {
    [&[0x10, 0x00], &port.to_be_bytes()[..], &[0, 16, 0, 0], &[9; 8]].concat()
}

pub fn all() -> Vec<Case> {
    [of_no_interest(), broken(), cut_short()].concat()
}

fn of_no_interest() -> Vec<Case> {
    let body = i(SYN, A, 0).bytes(999);
    vec![
        case("ARP", NotIp, raw(&[0x08, 0x06], &[0; 28])),
        case("ARP in a VLAN", NotIp, raw(&[0x81, 0x00, 0, 10, 0x08, 0x06], &[0; 28])),
        case("spanning tree, LLC without SNAP", NotIp, raw(&[0, 38, 0x42, 0x42, 3], &[0; 35])),
        case(
            "SNAP of another organisation",
            NotIp,
            raw(&[0, 38, 0xaa, 0xaa, 3, 0, 0, 0x0c, 0x20, 0], &[0; 35]),
        ),
        case("UDP", NotTcp, v4(ipv4(ends4(), UDP, 0, &[], &udp(53)))),
        case("UDP, IPv6", NotTcp, v6(ipv6(ends6(), UDP, &udp(53)))),
        case("ICMP", NotTcp, v4(ipv4(ends4(), ICMP, 0, &[], &[8, 0, 0, 0, 0, 0, 0, 0]))),
        case("no next header", NotTcp, v6(ipv6(ends6(), 59, &[0; 8]))),
        case("IPv4", LaterFragment, v4(ipv4(ends4(), PROTO_TCP, 185, &[], &body))),
        case("IPv4, the last one", LaterFragment, v4(ipv4(ends4(), PROTO_TCP, 0x1fff, &[], &body))),
        case("IPv4, of UDP", LaterFragment, v4(ipv4(ends4(), UDP, 185, &[], &udp(4789)))),
        case(
            "IPv6",
            LaterFragment,
            v6(extended(ends6(), &[(FRAGMENT, &[0, 0, 5, 0xa9, 0, 0, 0, 1])], PROTO_TCP, &body)),
        ),
        case("GRE", Tunnel, v4(ipv4(ends4(), GRE, 0, &[], &[0; 24]))),
        case("IP in IP", Tunnel, v4(ipv4(ends4(), IP_IN_IP, 0, &[], &syn4()))),
        case("IPv6 in IPv4", Tunnel, v4(ipv4(ends4(), IPV6_IN_IP, 0, &[], &syn6()))),
        case("IPv4 in IPv6", Tunnel, v6(ipv6(ends6(), IP_IN_IP, &syn4()))),
        case("VXLAN", Tunnel, v4(ipv4(ends4(), UDP, 0, &[], &udp(4789)))),
        case("Geneve, IPv6", Tunnel, v6(ipv6(ends6(), UDP, &udp(6081)))),
    ]
}

fn broken() -> Vec<Case> {
    let with = |mut packet: Vec<u8>, at: usize, byte: u8| {
        packet[at] = byte;
        packet
    };
    let seven = [DESTINATION; 7];
    vec![
        case("the tag is cut", ShortFrame, raw(&[0x81, 0x00, 0], &[])),
        case("the second tag is cut", ShortFrame, raw(&[0x88, 0xa8, 0, 100, 0x81, 0x00, 0], &[])),
        case(
            "three tags",
            VlanTooDeep,
            raw(&[0x88, 0xa8, 0, 1, 0x81, 0, 0, 2, 0x81, 0, 0, 3, 8, 0], &syn4()),
        ),
        case("version 5", BadIpHeader, v4(with(syn4(), 0, 0x55))),
        case("version 6 where IPv4 is due", BadIpHeader, v4(with(syn4(), 0, 0x65))),
        case("header of 16 bytes", BadIpHeader, v4(with(syn4(), 0, 0x44))),
        case("total length below that of the header", BadIpHeader, v4(with(syn4(), 3, 19))),
        case("version 4 where IPv6 is due", BadIpHeader, v6(with(syn6(), 0, 0x45))),
        case(
            "extension header past the packet",
            BadIpHeader,
            v6(extended(ends6(), &[(60, &[0, 9, 0, 0, 0, 0, 0, 0])], PROTO_TCP, &[])),
        ),
        case("extension header of 4 bytes", BadIpHeader, v6(ipv6(ends6(), 60, &[PROTO_TCP, 0, 1, 4]))),
        case(
            "seven extension headers",
            TooManyExtensionHeaders,
            v6(extended(ends6(), &seven, PROTO_TCP, &i(SYN, A, 0).bytes(999))),
        ),
    ]
}

/// The frame ends before the bytes that a header promises, or the IP packet does.
fn cut_short() -> Vec<Case> {
    let cut = |packet: Vec<u8>, length: usize| packet[..length].to_vec();
    let six = [DESTINATION; 6];
    let long = extended(ends6(), &six, PROTO_TCP, &i(SYN, A, 0).bytes(999));
    let mut cases = vec![
        case(
            "inside the options of IPv4",
            IpTruncated,
            v4(cut(ipv4(ends4(), PROTO_TCP, 0, &[1; 8], &[9; 20]), 24)),
        ),
        case("inside the TCP header", IpTruncated, v4(cut(syn4(), 39))),
        case("inside the TCP header, IPv6", IpTruncated, v6(cut(syn6(), 59))),
        case("inside an extension header", IpTruncated, v6(cut(long.clone(), 44))),
        case("behind six extension headers", IpTruncated, v6(cut(long, 40 + 48 + 19))),
    ];
    // A capture may end within the options: the SYN counts all the same.
    cases.push(
        Case::new("inside the TCP options", Envelope::V4)
            .send_cut(i(SYN, A, 0).options(&[2, 4, 5, 180]), 41)
            .says(unanswered(Outcome::HalfOpen, Reason::Shutdown)),
    );
    // No segment fits, but what there is of the ports is told.
    for length in [0, 3, 4, 12, 19] {
        let body = i(SYN, A, 0).bytes(999);
        let frames = [
            (false, v4(ipv4(ends4(), PROTO_TCP, 0, &[], &body[..length]))),
            (true, v6(ipv6(ends6(), PROTO_TCP, &body[..length]))),
        ];
        for (is_v6, frame) in frames {
            // An empty IPv6 payload is taken for a jumbogram, whose length the frame tells: 0 too.
            let ports = if length >= 4 { (999, PORT) } else { (0, 0) };
            let end = |side, port| (addr(side, is_v6), Some(port));
            let says =
                anomaly(Side::I, 0, TruncatedHeader).between([end(Side::I, ports.0), end(Side::R, ports.1)]);
            let name = format!("{length} bytes of TCP, IPv6: {is_v6}");
            cases.push(Case::new(name, Envelope::V4).send_raw(frame).says(says));
        }
    }
    cases
}

/// Cut inside the IP header, which a test run of tc does not take on every kernel.
pub fn cut_inside_ip() -> Vec<Case> {
    vec![
        case("inside the IPv4 header", IpTruncated, v4(syn4()[..19].to_vec())),
        case("inside the IPv6 header", IpTruncated, v6(syn6()[..39].to_vec())),
    ]
}
