//! The objects of handshakes and anomalies.

use std::io::Write as _;

use hs_common::event::RTT_UNKNOWN;
use hs_common::{Anomaly, Event, Outcome};

use super::put;
use crate::report::digits::number;

/// The member `handshake`.
pub fn handshake(line: &mut Vec<u8>, event: &Event) {
    put(line, r#"","handshake":{"outcome":""#);
    put(line, event.outcome().map_or("", Outcome::name));
    put(line, r#"","reason":""#);
    put(line, event.reason_name());
    put(line, r#"","flags":"#);
    array(line, event.flags.names(), quoted);
    if let Some(path) = event.path() {
        put(line, r#","direction":""#);
        put(line, path.name());
        put(line, "\"");
    }
    put(line, r#","syn_seq":"#);
    number(line, event.syn_seq);
    if event.has_synack != 0 {
        put(line, r#","synack_seq":"#);
        number(line, event.synack_seq);
    }
    put(line, r#","syn_retransmits":"#);
    number(line, event.syn_retransmits);
    put(line, r#","synack_retransmits":"#);
    number(line, event.synack_retransmits);
    put(line, r#","rtt_us":{"#);
    let known = |us: u32| (us != RTT_UNKNOWN).then_some(us);
    let rtts = [("synack", known(event.rtt_synack_us)), ("ack", known(event.rtt_ack_us))];
    let rtts = rtts.into_iter().filter_map(|(name, us)| Some((name, us?)));
    separated(line, rtts, |line, (name, us)| {
        quoted(line, name);
        put(line, ":");
        number(line, us);
    });
    put(line, r#"},"anomalies":"#);
    array(line, event.anomalies.iter().map(Anomaly::name), quoted);
    put(line, "}");
}

/// The member `anomaly`.
pub fn anomaly(line: &mut Vec<u8>, event: &Event, anomaly: Anomaly) {
    put(line, r#"","anomaly":{"type":"handshake","event":""#);
    put(line, anomaly.name());
    // As EVE prints them: two digits. The ninth flag, AE, makes them three. A vector takes anything.
    let _ = write!(line, r#"","tcp_flags":"{:02x}""#, event.tcp_flags);
    if event.has_numbers != 0 {
        put(line, r#","expected":"#);
        number(line, event.expected);
        put(line, r#","actual":"#);
        number(line, event.actual);
    }
    put(line, "}");
}

/// Items between brackets.
pub fn array<T>(line: &mut Vec<u8>, items: impl Iterator<Item = T>, each: impl Fn(&mut Vec<u8>, T)) {
    put(line, "[");
    separated(line, items, each);
    put(line, "]");
}

fn separated<T>(line: &mut Vec<u8>, items: impl Iterator<Item = T>, each: impl Fn(&mut Vec<u8>, T)) {
    for (index, item) in items.enumerate() {
        if index > 0 {
            put(line, ",");
        }
        each(line, item);
    }
}

/// A name that has nothing in it to be escaped.
fn quoted(line: &mut Vec<u8>, name: &str) {
    put(line, "\"");
    put(line, name);
    put(line, "\"");
}
