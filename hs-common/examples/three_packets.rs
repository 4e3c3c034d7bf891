//! Two clients shake hands with a server, one of them with a wrong number, and the engine tells what it makes of it.
//!
//! `cargo run --package hs-common --example three_packets`

use std::io::{self, Write};
use std::net::{IpAddr, Ipv4Addr};

use hs_common::memory::Tracker;
use hs_common::track::Place;
use hs_common::{Config, Event, Segment, TcpFlags};

const CLIENT: Ipv4Addr = Ipv4Addr::new(198, 18, 0, 7);
const SERVER: Ipv4Addr = Ipv4Addr::new(198, 18, 0, 1);
/// The initial sequence numbers. A is the largest there is: A+1 is 0.
const A: u32 = u32::MAX;
const B: u32 = 5000;

const SYNACK: TcpFlags = TcpFlags::SYN.with(TcpFlags::ACK);
const MS: u64 = 1_000_000;

fn main() -> io::Result<()> {
    show(&mut io::stdout())
}

/// Writes a line for each event.
pub fn show(out: &mut impl Write) -> io::Result<()> {
    let mut tracker = Tracker::new(Config { max_flows: 1024, ..Config::DEFAULT });
    // The client's port, what it acknowledges, and when its SYN comes, in nanoseconds of any clock.
    for (port, acknowledged, syn_ns) in [(50_000, B + 1, 1000 * MS), (50_001, B + 2, 2000 * MS)] {
        let syn = Segment { flags: TcpFlags::SYN, seq: A, ..of_client(port) };
        let synack = Segment { flags: SYNACK, seq: B, ack: A.wrapping_add(1), ..of_server(port) };
        let ack =
            Segment { flags: TcpFlags::ACK, seq: A.wrapping_add(1), ack: acknowledged, ..of_client(port) };
        tracker.track_segment(syn, Place::CAPTURE, syn_ns);
        tracker.track_segment(synack, Place::CAPTURE, syn_ns + 20 * MS);
        tracker.track_segment(ack, Place::CAPTURE, syn_ns + 21 * MS);
    }
    // Handshakes end by time as well, and time is what the caller says it is.
    tracker.sweep(2000 * MS + Config::DEFAULT.half_open_ns);
    tracker.drain().try_for_each(|event| tell(&event, out))
}

/// An event is the end of a handshake, or an anomaly on the way.
fn tell(event: &Event, out: &mut impl Write) -> io::Result<()> {
    let (from, to) = (IpAddr::from(event.src), IpAddr::from(event.dst));
    write!(out, "{from}:{} → {to}:{}  ", event.src_port, event.dst_port)?;
    match (event.outcome(), event.anomaly()) {
        (Some(outcome), _) => writeln!(
            out,
            "{}, {}: A {}, B {}, SYN to SYN-ACK {} µs",
            outcome.name(),
            event.reason_name(),
            event.syn_seq,
            event.synack_seq,
            event.rtt_synack_us
        ),
        (None, Some(anomaly)) => {
            writeln!(out, "{}: expected {}, got {}", anomaly.name(), event.expected, event.actual)
        }
        (None, None) => writeln!(out, "of a newer version"),
    }
}

fn of_client(port: u16) -> Segment {
    Segment { src: CLIENT.into(), dst: SERVER.into(), src_port: port, dst_port: 443, ..Segment::EMPTY }
}

fn of_server(port: u16) -> Segment {
    Segment { src: SERVER.into(), dst: CLIENT.into(), src_port: 443, dst_port: port, ..Segment::EMPTY }
}
