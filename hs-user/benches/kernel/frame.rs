//! The frames that the shuffler starts from: it writes addresses, ports, numbers and flags over them, and
//! leaves lengths, options and data.

use crate::course::kind;

const ETHERTYPE_IPV4: [u8; 2] = [0x08, 0x00];
const ETHERTYPE_IPV6: [u8; 2] = [0x86, 0xdd];
const TCP: u8 = 6;
const UDP: u8 = 17;
/// What a flood's SYN has: a maximum segment size.
const MSS: [u8; 4] = [2, 4, 5, 180];
/// What Linux's SYN-ACK has: maximum segment size, selective acknowledgments, time stamps, window scale.
const LINUX: [u8; 20] = [2, 4, 5, 180, 4, 2, 8, 10, 0, 0, 0, 1, 0, 0, 0, 2, 1, 3, 3, 7];
/// What all the others have: time stamps.
const STAMPS: [u8; 12] = [1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 2];
const DATA_BYTES: usize = 100;

/// What is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Frame {
    Syn,
    SynAck,
    /// The ACK that completes a handshake: no data.
    Ack,
    /// A segment with data.
    Data,
    /// SYN, SYN-ACK and ACK, all of the same length.
    Handshake,
    Udp,
}

impl Frame {
    /// What the shuffler is told.
    pub fn kind(self) -> u32 {
        match self {
            Frame::Syn => kind::SYN,
            Frame::SynAck => kind::SYNACK,
            Frame::Ack | Frame::Data => kind::ACK,
            Frame::Handshake => kind::HANDSHAKE,
            Frame::Udp => kind::UDP,
        }
    }

    /// How many packets a flow takes.
    pub fn packets_per_flow(self) -> u32 {
        if self == Frame::Handshake { 3 } else { 1 }
    }

    /// The Ethernet frame.
    pub fn bytes(self, v6: bool) -> Vec<u8> {
        let payload = self.payload();
        let protocol = if self == Frame::Udp { UDP } else { TCP };
        let ethertype = if v6 { ETHERTYPE_IPV6 } else { ETHERTYPE_IPV4 };
        let ip = if v6 { ipv6(protocol, payload.len()) } else { ipv4(protocol, payload.len()) };
        [&[0x02; 12][..], &ethertype, &ip, &payload].concat()
    }

    fn payload(self) -> Vec<u8> {
        match self {
            Frame::Syn => tcp(&MSS, 0),
            // Of an ACK nobody reads them.
            Frame::SynAck | Frame::Handshake => tcp(&LINUX, 0),
            Frame::Ack => tcp(&STAMPS, 0),
            Frame::Data => tcp(&STAMPS, DATA_BYTES),
            Frame::Udp => [&[0, 0, 0, 53, 0, 8 + DATA_BYTES as u8, 0, 0][..], &[0; DATA_BYTES]].concat(),
        }
    }
}

fn tcp(options: &[u8], data: usize) -> Vec<u8> {
    let mut header = [0; 20];
    header[12] = ((20 + options.len()) as u8 / 4) << 4;
    // A window, which a SYN of length zero would be suspicious without.
    header[14] = 0xfa;
    [&header[..], options, &vec![0; data]].concat()
}

fn ipv4(protocol: u8, payload: usize) -> Vec<u8> {
    let [high, low] = (20 + payload as u16).to_be_bytes();
    let start = [0x45, 0, high, low, 0, 0, 0x40, 0, 64, protocol, 0, 0];
    [&start[..], &[0; 8]].concat()
}

fn ipv6(protocol: u8, payload: usize) -> Vec<u8> {
    let [high, low] = (payload as u16).to_be_bytes();
    let mut header = vec![0x60, 0, 0, 0, high, low, protocol, 64];
    let net = [0x20, 0x01, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    header.extend(net);
    header.extend(net);
    header
}
