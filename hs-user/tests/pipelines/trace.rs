//! A capture with every kind of event in it, and what hs-mon tells of it.

use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;

use serde_json::Value;

use crate::build::LITTLE;
use crate::cli_support::{directory, hs_mon};
use crate::frame::{A, ACK, B, Envelope, PORT, RST, SYN, Side, Tcp, addr, i, r};

/// 2023-11-14 22:13:20 UTC.
const START: u64 = 1_700_000_000_000_000;
const SECOND: u64 = 1_000_000;

/// Clients that connect, knocks on closed ports, clients with a wrong number.
pub const COMPLETED: u64 = 20;
pub const REFUSED: u64 = 15;
pub const MALFORMED: u64 = 3;
/// Sources of the flood, each of which sends one SYN.
pub const FLOOD: u64 = 3000;
/// SYNs a second.
const FLOOD_RATE: u64 = 1000;

/// Packets with their times in microseconds.
#[derive(Default)]
struct Trace(Vec<(u64, Vec<u8>)>);

impl Trace {
    fn add(&mut self, at: u64, envelope: Envelope, tcp: &Tcp, port: u16) {
        self.0.push((at, envelope.wrap(tcp, port).ethernet()));
    }

    fn capture(mut self) -> Vec<u8> {
        self.0.sort_by_key(|(at, _)| *at);
        let mut capture = LITTLE.pcap_header(0xa1b2_c3d4, 1);
        for (at, frame) in self.0 {
            let at = START + at;
            let (seconds, micros) = ((at / SECOND) as u32, (at % SECOND) as u32);
            capture.extend(LITTLE.pcap_packet(seconds, micros, &frame, frame.len() as u32));
        }
        capture
    }
}

/// A source of the flood: each /24 has 250 of them.
fn source(number: u64) -> IpAddr {
    let number = number as u32;
    Ipv4Addr::from(u32::from(Ipv4Addr::new(198, 19, 0, 1)) + number / 250 * 256 + number % 250).into()
}

fn trace() -> Trace {
    let mut trace = Trace::default();
    for client in 0..COMPLETED {
        let envelope = if client % 2 == 0 { Envelope::V4 } else { Envelope::V6 };
        let (at, port) = (client * 400_000, 30_000 + client as u16);
        trace.add(at, envelope, &i(SYN, A, 0), port);
        trace.add(at + 300, envelope, &r(SYN | ACK, B, A + 1), port);
        trace.add(at + 900, envelope, &i(ACK, A + 1, B + 1), port);
    }
    for knock in 0..REFUSED {
        let (at, closed) = (SECOND + knock * 10_000, 8000 + knock as u16);
        let tagged = Envelope::V4.tags(&[(0x88a8, 100), (0x8100, 10)]);
        let ask = Tcp { ports: Some((40_000, closed)), ..i(SYN, A, 0) };
        let answer = Tcp { ports: Some((closed, 40_000)), ..r(RST | ACK, 0, A + 1) };
        trace.add(at, tagged, &ask, 0);
        trace.add(at + 50, tagged, &answer, 0);
    }
    for wrong in 0..MALFORMED {
        let (at, port) = (2 * SECOND + wrong * 1000, 31_000 + wrong as u16);
        trace.add(at, Envelope::V4, &i(SYN, A, 0), port);
        trace.add(at + 300, Envelope::V4, &r(SYN | ACK, B, A + 2), port);
    }
    for number in 0..FLOOD {
        let frame = Envelope::V4.between(
            source(number),
            addr(Side::R, false),
            &Tcp { ports: Some((50_000, PORT)), ..i(SYN, A, 0) }.bytes(0),
        );
        trace.0.push((3 * SECOND + number * SECOND / FLOOD_RATE, frame.ethernet()));
    }
    // Time goes on, so that the flood ends and what was left open is seen to be.
    for second in 10..40 {
        trace.add(second * SECOND, Envelope::V4, &i(ACK, 1, 1), 32_000);
    }
    trace
}

/// A directory with what `hs-mon replay --format json` writes of it, as `events.json`, and the same.
pub fn events(test: &str) -> (PathBuf, String) {
    let dir = directory(test, &[("trace.pcap", &trace().capture())]);
    let output = hs_mon(&dir, "replay --format json trace.pcap").output().expect("hs-mon runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    std::fs::write(dir.join("events.json"), &text).expect("a file of the test");
    for kind in ["handshake", "anomaly", "alert", "stats"] {
        assert!(text.contains(&format!("\"event_type\":\"{kind}\"")), "no {kind}");
    }
    (dir, text)
}

pub fn parsed(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}
