//! Prints every TCP segment of a capture with its numbers as the handshake has them: A is where the initiator began
//! to count, B where the responder did.
//!
//! `cargo run --example numbers docs/handshake.pcap`

use std::collections::HashMap;
use std::error::Error;
use std::io::{self, Write};
use std::net::{IpAddr, SocketAddr};
use std::path::Path;

use hs_common::flow::FlowKey;
use hs_common::packet::Captured;
use hs_common::parse::parse;
use hs_common::{Segment, TcpFlags};
use hs_mon::capture::Reader;

/// Names of flags, in the order in which they are printed.
const FLAGS: [(TcpFlags, &str); 6] = [
    (TcpFlags::SYN, "SYN"),
    (TcpFlags::FIN, "FIN"),
    (TcpFlags::RST, "RST"),
    (TcpFlags::PSH, "PSH"),
    (TcpFlags::URG, "URG"),
    (TcpFlags::ACK, "ACK"),
];

fn main() -> Result<(), Box<dyn Error>> {
    let file = std::env::args_os().nth(1).ok_or("which capture?")?;
    show(Path::new(&file), &mut io::stdout().lock())
}

/// Writes a line for each segment, with the seconds since the first packet.
pub fn show(capture: &Path, out: &mut impl Write) -> Result<(), Box<dyn Error>> {
    let mut reader = Reader::open(capture)?;
    let (mut began_ns, mut flows) = (None, HashMap::new());
    while let Some(batch) = reader.next_batch()? {
        for packet in batch.packets() {
            let began_ns = *began_ns.get_or_insert(packet.time_ns);
            let Some(link) = packet.link.header() else { continue };
            let mut segment = Segment::EMPTY;
            let bytes = Captured { data: packet.data, on_wire: packet.wire_len as usize };
            if parse(&bytes, link, &mut segment).is_ok() {
                let flow: &mut Origins = flows.entry(FlowKey::of(&segment, false).0).or_default();
                flow.note(&segment);
                let seconds = packet.time_ns.saturating_sub(began_ns) as f64 / 1e9;
                writeln!(out, "{seconds:.6}  {}", flow.line(&segment))?;
            }
        }
    }
    Ok(())
}

/// Where the two sides of a flow began to count.
#[derive(Default)]
struct Origins {
    a: Option<(SocketAddr, u32)>,
    b: Option<(SocketAddr, u32)>,
}

impl Origins {
    fn note(&mut self, segment: &Segment) {
        let origin = (source(segment), segment.seq);
        if segment.flags.is_syn() {
            self.a.get_or_insert(origin);
        } else if segment.flags.is_synack() {
            self.b.get_or_insert(origin);
        }
    }

    fn line(&self, segment: &Segment) -> String {
        let (from, to) = (source(segment), destination(segment));
        let is_initiator = self.a.is_some_and(|(initiator, _)| initiator == from);
        let (a, b) = (named("A", self.a), named("B", self.b));
        let (own, other) = if is_initiator { (a, b) } else { (b, a) };
        let seq = format!("seq {}", numbered(segment.seq, own));
        let ack = format!("ack {}", numbered(segment.ack, other));
        let ack = if segment.flags.contains(TcpFlags::ACK) { ack.as_str() } else { "" };
        let (from, to) = (from.to_string(), to.to_string());
        format!("{from:<17} > {to:<17}  {:<7}  {seq:<20}  {ack}", flags(segment.flags)).trim_end().to_owned()
    }
}

fn named(name: &'static str, origin: Option<(SocketAddr, u32)>) -> Option<(&'static str, u32)> {
    origin.map(|(_, number)| (name, number))
}

/// `7001 = A+1`; the number alone if it is not near one that is known.
fn numbered(number: u32, origin: Option<(&str, u32)>) -> String {
    match origin.map(|(name, origin)| (name, number.wrapping_sub(origin))) {
        Some((name, 0)) => format!("{number} = {name}"),
        Some((name, past)) if past < 1 << 16 => format!("{number} = {name}+{past}"),
        _ => number.to_string(),
    }
}

fn flags(flags: TcpFlags) -> String {
    let set = FLAGS.iter().filter(|(flag, _)| flags.contains(*flag)).map(|(_, name)| *name);
    set.collect::<Vec<_>>().join("-")
}

fn source(segment: &Segment) -> SocketAddr {
    (IpAddr::from(segment.src), segment.src_port).into()
}

fn destination(segment: &Segment) -> SocketAddr {
    (IpAddr::from(segment.dst), segment.dst_port).into()
}
