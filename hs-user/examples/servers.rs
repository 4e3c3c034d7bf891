//! Counts the handshakes of a capture by server and outcome, with the median time from SYN to SYN-ACK.
//!
//! `cargo run --example servers docs/handshake.pcap`

use std::collections::BTreeMap;
use std::error::Error;
use std::io::{self, Write};
use std::net::{IpAddr, SocketAddr};
use std::path::Path;

use hs_common::event::RTT_UNKNOWN;
use hs_common::memory::Tracker;
use hs_common::packet::Captured;
use hs_common::track::Place;
use hs_common::{Config, Event, Outcome};
use hs_mon::capture::Reader;

fn main() -> Result<(), Box<dyn Error>> {
    let file = std::env::args_os().nth(1).ok_or("which capture?")?;
    show(Path::new(&file), &mut io::stdout().lock())
}

/// Writes a line for each server.
pub fn show(capture: &Path, out: &mut impl Write) -> Result<(), Box<dyn Error>> {
    let servers = count(Reader::open(capture)?)?;
    for (server, mut seen) in servers {
        write!(out, "{server:<22}")?;
        for (outcome, count) in &seen.outcomes {
            write!(out, "  {count} {}", outcome.name())?;
        }
        match seen.median_us() {
            Some(median) => writeln!(out, "  median rtt {median} µs")?,
            None => writeln!(out)?,
        }
    }
    Ok(())
}

/// What was seen of a server.
#[derive(Default)]
struct Server {
    outcomes: BTreeMap<Outcome, u64>,
    /// From SYN to SYN-ACK, in microseconds.
    rtts: Vec<u32>,
}

impl Server {
    fn note(&mut self, event: &Event, outcome: Outcome) {
        *self.outcomes.entry(outcome).or_default() += 1;
        self.rtts.extend(Some(event.rtt_synack_us).filter(|us| *us != RTT_UNKNOWN));
    }

    fn median_us(&mut self) -> Option<u32> {
        let middle = self.rtts.len() / 2;
        (!self.rtts.is_empty()).then(|| *self.rtts.select_nth_unstable(middle).1)
    }
}

fn count(mut reader: Reader) -> Result<BTreeMap<SocketAddr, Server>, Box<dyn Error>> {
    let mut tracker = Tracker::new(Config::DEFAULT);
    let (mut servers, mut now_ns) = (BTreeMap::new(), 0);
    while let Some(batch) = reader.next_batch()? {
        for packet in batch.packets() {
            let Some(link) = packet.link.header() else { continue };
            now_ns = packet.time_ns;
            let bytes = Captured { data: packet.data, on_wire: packet.wire_len as usize };
            tracker.track(&bytes, link, Place::CAPTURE, now_ns);
        }
        // The capture's clock: what is half-open by now ends here.
        tracker.sweep(now_ns);
        collect(&mut tracker, &mut servers);
    }
    tracker.finish(now_ns);
    collect(&mut tracker, &mut servers);
    Ok(servers)
}

fn collect(tracker: &mut Tracker, servers: &mut BTreeMap<SocketAddr, Server>) {
    for event in tracker.drain() {
        // Anomalies are events too, and have no outcome.
        if let Some(outcome) = event.outcome() {
            let server = SocketAddr::new(IpAddr::from(event.dst), event.dst_port);
            servers.entry(server).or_default().note(&event, outcome);
        }
    }
}
