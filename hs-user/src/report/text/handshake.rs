//! What a line tells of a handshake or an anomaly, after its endpoints.

use std::fmt::{Display, from_fn};
use std::io::{self, Write};

use anstyle::AnsiColor;
use hs_common::event::RTT_UNKNOWN;
use hs_common::{Anomaly, Event, HandshakeFlags, Outcome, Reason, TcpFlags};

use super::{DIM, Facts, Paint, separated};
use crate::report::units::push_rtt;

/// The reason, the times, what was sent again; then flags and anomalies, each set off by two spaces.
pub fn write(line: &mut Vec<u8>, event: &Event, outcome: Outcome, paint: Paint) -> io::Result<()> {
    let mut facts = Facts::after(line, "  ");
    if let Some(because) = event.reason().and_then(because) {
        facts.next().extend_from_slice(because.as_bytes());
    }
    if event.rtt_synack_us != RTT_UNKNOWN || event.rtt_ack_us != RTT_UNKNOWN {
        let line = facts.next();
        line.extend_from_slice(b"rtt ");
        push_known_rtt(line, event.rtt_synack_us);
        line.extend_from_slice(b" + ");
        push_known_rtt(line, event.rtt_ack_us);
    }
    for (name, again) in [("SYN", event.syn_retransmits), ("SYN-ACK", event.synack_retransmits)] {
        if again > 0 {
            facts.add(format_args!("{name} sent {}×", u32::from(again) + 1))?;
        }
    }
    for flag in event.flags.names().filter(|name| !said_by_reason(event, name)) {
        write!(line, "  {}", paint.with(DIM, flag))?;
    }
    if !event.anomalies.is_empty() {
        // Of a completed or refused handshake they are a remark, of a malformed one the verdict.
        let style = AnsiColor::Red.on_default();
        let style = if outcome == Outcome::Malformed { style.bold() } else { style };
        let names = || event.anomalies.iter().map(Anomaly::name);
        write!(line, "  {}", paint.with(style, separated(names, ", ")))?;
    }
    Ok(())
}

/// The name of the anomaly, the packet's flags, and the numbers that prove it.
pub fn write_anomaly(line: &mut Vec<u8>, event: &Event, paint: Paint) -> io::Result<()> {
    let name = event.anomaly().map_or("", Anomaly::name);
    write!(line, "  {}", paint.with(AnsiColor::Red.on_default(), name))?;
    write!(line, "  [{}]", flag_names(event.tcp_flags))?;
    if event.has_numbers != 0 {
        write!(line, "  expected {}, got {}", event.expected, event.actual)?;
    }
    Ok(())
}

/// The reason in words, unless the outcome or the anomalies say it.
const fn because(reason: Reason) -> Option<&'static str> {
    Some(match reason {
        Reason::Normal | Reason::FirstAnomaly => return None,
        Reason::FastOpen => "fast open",
        Reason::Simultaneous => "simultaneous open",
        Reason::SynackUnseen => "SYN-ACK not seen here",
        Reason::Rst => "RST",
        Reason::InitiatorRst => "RST by the initiator",
        Reason::ResponderRst => "RST by the responder",
        Reason::Fin => "FIN before the ACK",
        Reason::NoSynack => "no answer to the SYN",
        Reason::NoAck => "no ACK after SYN-ACK",
        Reason::Superseded => "superseded by a new SYN",
        Reason::Evicted => "evicted, the flow table is full",
        Reason::Shutdown => "still open at the end",
    })
}

fn said_by_reason(event: &Event, flag: &str) -> bool {
    event.reason() == Some(Reason::FastOpen) && HandshakeFlags::FAST_OPEN.names().any(|name| name == flag)
}

fn push_known_rtt(line: &mut Vec<u8>, us: u32) {
    if us == RTT_UNKNOWN { line.push(b'?') } else { push_rtt(line, us) }
}

/// The flags by name, AE as the ninth (RFC 9768); of a packet without any, `none`.
fn flag_names(flags: u16) -> impl Display {
    const NAMES: [(TcpFlags, &str); 9] = [
        (TcpFlags::SYN, "SYN"),
        (TcpFlags::FIN, "FIN"),
        (TcpFlags::RST, "RST"),
        (TcpFlags::PSH, "PSH"),
        (TcpFlags::ACK, "ACK"),
        (TcpFlags::URG, "URG"),
        (TcpFlags::ECE, "ECE"),
        (TcpFlags::CWR, "CWR"),
        (TcpFlags(0x100), "AE"),
    ];
    from_fn(move |f| {
        let set = || NAMES.iter().filter(|(flag, _)| TcpFlags(flags).contains(*flag)).map(|(_, name)| name);
        if set().next().is_none() { f.write_str("none") } else { separated(set, " ").fmt(f) }
    })
}
