//! What the bench tells the programs, by a map: plain old data, included by both sides.

/// Which packets the shuffler makes of the one that it is given. Each CPU has its own.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C)]
pub struct Course {
    /// The flow of the next packet, from 0 to `flows`.
    pub next: u32,
    /// How many flows there are; after the last one comes the first again.
    pub flows: u32,
    /// Number of the first flow: tells the flows of one course from those of another.
    pub first: u32,
    /// What the packets are, see [`kind`].
    pub kind: u32,
    /// Of [`kind::HANDSHAKE`]: which of the three packets is next.
    pub step: u32,
    /// Where the program to be measured is in the table of jumps.
    pub target: u32,
    /// 1 if the packets are IPv6.
    pub v6: u32,
    /// Zero.
    pub padding: u32,
}

/// Kinds of packets.
pub mod kind {
    /// A SYN of the client.
    pub const SYN: u32 = 0;
    /// The server's answer.
    pub const SYNACK: u32 = 1;
    /// The client's ACK, or data: nothing but the addresses and numbers are set.
    pub const ACK: u32 = 2;
    /// All three of each flow.
    pub const HANDSHAKE: u32 = 3;
    /// No TCP.
    pub const UDP: u32 = 4;
}

/// Programs that can be measured, by their place in the table of jumps.
pub mod target {
    /// Lets the packet pass.
    pub const PASS: u32 = 0;
    /// Parses and counts.
    pub const COUNT: u32 = 1;
    /// Parses and looks the flow up in an LRU hash map.
    pub const LOOKUP: u32 = 2;
    /// Parses and puts the flow into an LRU hash map.
    pub const UPDATE: u32 = 3;
    /// hs-mon.
    pub const HS_MON: u32 = 4;
    /// How many there are.
    pub const COUNT_OF: usize = 5;
}

/// The client of a flow, a number that looks random: no two flows have the same (the multiplier is odd).
pub const fn client(flow: u32) -> u32 {
    flow.wrapping_mul(0x9e37_79b1)
}

/// The part of the client's address that differs: 17 bits, as many as 198.18.0.0/15 has.
pub const fn host(client: u32) -> u32 {
    client >> 15
}

/// The client's port.
pub const fn port(client: u32) -> u16 {
    0x8000 | client as u16 & 0x7fff
}
