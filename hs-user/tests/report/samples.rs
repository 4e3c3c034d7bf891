//! Events, alerts and totals to be written.

use std::net::SocketAddr;

use hs_common::config::NS_PER_SEC;
use hs_common::event::{KIND_ANOMALY, KIND_HANDSHAKE};
use hs_common::{
    Anomaly, Counter, Counters, Event, HandshakeFlags, Ledger, Outcome, Path, Reason, Slot, TcpFlags,
    Unparsed,
};
use hs_mon::detect::{Alert, Evidence, Kind, Phase, Signature, Target};
use hs_mon::report::{Filter, Format, Origin, Reporter, Totals};

/// 2026-11-22 12:00:00 UTC.
pub const NOON: u64 = 1_795_348_800 * NS_PER_SEC;
pub const LIVE: Origin = Origin::Interface("eth0");
pub const REPLAY: Origin = Origin::Capture { file: "trace.pcap", number: 17 };

/// What `write` makes a reporter write.
pub fn written(format: Format, write: impl FnOnce(&mut Reporter<&mut Vec<u8>>)) -> String {
    let mut out = Vec::new();
    write(&mut Reporter::new(&mut out, format, false, Filter::ALL));
    String::from_utf8(out).unwrap()
}

pub fn between(src: &str, dst: &str) -> Event {
    let [src, dst] = [src, dst].map(|text| text.parse::<SocketAddr>().unwrap());
    Event {
        src: src.ip().into(),
        dst: dst.ip().into(),
        src_port: src.port(),
        dst_port: dst.port(),
        ..Event::EMPTY
    }
}

pub fn handshake(src: &str, dst: &str, outcome: Outcome, reason: Reason) -> Event {
    Event {
        kind: KIND_HANDSHAKE,
        outcome: outcome.code(),
        reason: reason.code(),
        path: Path::Transit.code(),
        syn_seq: 1000,
        ..between(src, dst)
    }
}

pub fn completed() -> Event {
    let mut flags = HandshakeFlags::default();
    flags.insert(HandshakeFlags::ECN);
    Event {
        synack_seq: 5000,
        has_synack: 1,
        rtt_synack_us: 312,
        rtt_ack_us: 88,
        flags,
        ..handshake("198.18.0.7:40312", "198.18.0.1:443", Outcome::Completed, Reason::Normal)
    }
}

pub fn half_open() -> Event {
    Event {
        synack_seq: 5000,
        has_synack: 1,
        synack_retransmits: 2,
        rtt_synack_us: 41,
        ..handshake("198.18.0.9:1024", "198.18.0.1:443", Outcome::HalfOpen, Reason::NoAck)
    }
}

pub fn malformed(src: &str, dst: &str, anomaly: Anomaly) -> Event {
    let mut event = handshake(src, dst, Outcome::Malformed, Reason::FirstAnomaly);
    event.anomaly = anomaly.code();
    event.anomalies.insert(anomaly);
    event
}

pub fn anomaly(src: &str, dst: &str, anomaly: Anomaly) -> Event {
    Event {
        kind: KIND_ANOMALY,
        anomaly: anomaly.code(),
        tcp_flags: TcpFlags::SYN.with(TcpFlags::ACK).0,
        expected: 1001,
        actual: 1002,
        has_numbers: 1,
        ..between(src, dst)
    }
}

pub fn alert(phase: Phase, kind: Kind) -> Alert {
    let spoofed = [Evidence::SourcesSeenOnce, Evidence::UniformTtl, Evidence::NoCompletion];
    Alert {
        id: 1,
        signature: Signature::SynFlood,
        phase,
        victim: target("198.18.0.1", Some(443), None),
        started_at_ns: 7_000_000_000,
        last_seen_ns: 19_300_000_000,
        now_ns: 23_300_000_000,
        syn_rate: 5011.94,
        completed_rate: 10.0,
        completion_ratio: 0.002,
        half_open: 25_011,
        peak_syn_rate: 9012.3,
        syn_total: 61_650,
        sources_estimate: 4_900,
        kind,
        evidence: if kind == Kind::Spoofed { spoofed.to_vec() } else { vec![Evidence::NoCompletion] },
        ports: 1,
        top_sources: vec![("198.18.0.9".parse().unwrap(), 0.971_23), ("2001:2::9".parse().unwrap(), 0.01)],
        host: None,
    }
}

pub fn target(ip: &str, port: Option<u16>, prefix: Option<u8>) -> Target {
    Target { ip: ip.parse().unwrap(), port, prefix }
}

/// One source that knocked at a thousand ports.
pub fn scan(phase: Phase) -> Alert {
    Alert {
        id: 2,
        signature: Signature::SynScan,
        victim: target("198.18.0.1", None, None),
        ports: 1_000,
        syn_total: 1_000,
        sources_estimate: 1,
        ..alert(phase, Kind::SingleSource)
    }
}

/// SYN-ACKs that a network never asked for.
pub fn reflection(phase: Phase) -> Alert {
    Alert {
        id: 3,
        signature: Signature::Reflection,
        victim: target("198.18.0.0", None, Some(24)),
        top_sources: Vec::new(),
        evidence: Vec::new(),
        ..alert(phase, Kind::Distributed)
    }
}

/// How many events have come of [`counters`].
pub const DELIVERED: u64 = 5_017;

/// What the ledger of [`counters`] must say.
pub fn all_totals(counters: &Counters, is_last: bool) -> Totals<'_> {
    Totals { ledger: Ledger { totals: counters, delivered: DELIVERED }, alerts: 1, is_last }
}

/// Totals that add up.
pub fn counters() -> Counters {
    let mut totals = Counters::ZERO;
    let counters = [
        (Slot::of(Counter::Packets), 1_234_567),
        (Slot::of(Counter::TcpSegments), 1_200_000),
        (Slot::of(Counter::Syn), 5_020),
        (Slot::of(Counter::Synack), 5_001),
        (Slot::of(Counter::Begun), 5_012),
        (Slot::of(Counter::CompletedLate), 3),
        (Slot::of(Counter::EventsProduced), 5_017),
        (Slot::outcome(Outcome::Completed), 4_900),
        (Slot::outcome(Outcome::HalfOpen), 110),
        (Slot::outcome(Outcome::Malformed), 2),
        (Slot::anomaly(Anomaly::SynackWrongAck), 2),
        (Slot::anomaly(Anomaly::AckUnsolicited), 77),
        (Slot::unparsed(Unparsed::NotTcp), 34_560),
        (Slot::unparsed(Unparsed::IpTruncated), 7),
    ];
    counters.into_iter().for_each(|(slot, number)| totals.add(slot, number));
    totals
}
