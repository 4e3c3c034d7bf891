//! Handshakes of strangers that pass through: a client and a server that are not there, both played from one end of the
//! cable. Each completes, and a completed one is always told, so this is how many events are made.

use std::net::SocketAddr;

use crate::lab::frame::{Segment, flag};
use crate::lab::wire::{BATCH, Wire};
use crate::lab::{Host, NET_V4};

const A: u32 = 1_000_000;
const B: u32 = 2_000_000;
/// Addresses of [`NET_V4`] that no host has begin there.
const STRANGERS: u32 = 0x0001_0000;
const SERVER: u32 = 0x0000_ff00;
const PORTS: u32 = 10_000;

/// Sends so many from `host`, the first with this number; no two numbers are of the same client.
pub fn pass_through(host: &Host, first: u32, count: u32) {
    let wire = Wire::open(host).expect("a wire");
    let numbers: Vec<u32> = (first..first + count).collect();
    for numbers in numbers.chunks(BATCH) {
        let frames: Vec<Vec<u8>> = numbers
            .iter()
            .flat_map(|number| handshake(*number))
            .map(|segment| wire.frame(&segment))
            .collect();
        wire.send_frames(&frames).expect("the frames are sent");
    }
}

fn handshake(number: u32) -> [Segment; 3] {
    let address = |bits: u32, port: u32| SocketAddr::new(NET_V4.address(u128::from(bits)), port as u16);
    let client = address(STRANGERS + number / PORTS, 20_000 + number % PORTS);
    let server = address(SERVER, 443);
    [
        Segment::new(client, server, flag::SYN, A, 0),
        Segment::new(server, client, flag::SYN | flag::ACK, B, A + 1),
        Segment::new(client, server, flag::ACK, A + 1, B + 1),
    ]
}
