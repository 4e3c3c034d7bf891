//! JSON, one object a line, in the manner of Suricata's EVE. The schema is `docs/events.schema.json`.

mod objects;
mod stats;

use std::io;
use std::net::IpAddr;

use hs_common::{Counters, Event, VlanTags};
use serde::Serialize;
use serde_json::ser::Formatter;

use super::Origin;
use super::filter::Kind;
use super::ids::{CommunityId, flow_id};
use super::units::{Clock, Stamp};
use crate::detect::Alert;
use objects::{AlertObject, AnomalyObject, Handshake, SynFlood, Vlan};
use stats::Stats;

/// Writes lines of JSON into a buffer.
pub struct Json {
    /// Whether VLAN tags are a part of `flow_id`.
    pub vlan_aware: bool,
    clock: Clock,
}

impl Json {
    pub const fn new() -> Json {
        Json { vlan_aware: false, clock: Clock::new() }
    }

    pub fn event(
        &mut self,
        line: &mut Vec<u8>,
        event: &Event,
        kind: Kind,
        unix_ns: u64,
        origin: &Origin,
    ) -> io::Result<()> {
        let flow_vlan = if self.vlan_aware { event.vlan } else { VlanTags::NONE };
        let flow = Line {
            flow_id: Some(flow_id(event, flow_vlan)),
            vlan: (event.vlan != VlanTags::NONE).then_some(Vlan(event.vlan)),
            src_ip: Some(event.src.into()),
            src_port: Some(event.src_port),
            dest_ip: Some(event.dst.into()),
            dest_port: Some(event.dst_port),
            proto: Some("TCP"),
            community_id: Some(CommunityId::of(event)),
            ..Line::new(self.clock.at(unix_ns), "handshake", Some(origin))
        };
        match (kind, event.anomaly()) {
            (Kind::Anomaly, Some(anomaly)) => {
                let anomaly = AnomalyObject::of(event, anomaly);
                Line { event_type: "anomaly", anomaly: Some(anomaly), ..flow }.write(line)
            }
            _ => Line { handshake: Some(Handshake::of(event)), ..flow }.write(line),
        }
    }

    pub fn alert(
        &mut self,
        line: &mut Vec<u8>,
        alert: &Alert,
        unix_ns: u64,
        started_at_unix_ns: u64,
        origin: &Origin,
    ) -> io::Result<()> {
        let mut start_clock = Clock::new();
        Line {
            src_ip: objects::single_source(alert),
            dest_ip: Some(alert.victim.ip),
            dest_port: alert.victim.port,
            proto: Some("TCP"),
            alert: Some(AlertObject::of(alert.signature)),
            synflood: Some(SynFlood::new(alert, start_clock.at(started_at_unix_ns))),
            ..Line::new(self.clock.at(unix_ns), "alert", Some(origin))
        }
        .write(line)
    }

    pub fn stats(
        &mut self,
        line: &mut Vec<u8>,
        totals: &Counters,
        alerts: u64,
        unix_ns: u64,
        origin: Option<&Origin>,
    ) -> io::Result<()> {
        let stats = Some(Stats { totals, alerts });
        Line { stats, ..Line::new(self.clock.at(unix_ns), "stats", origin) }.write(line)
    }
}

/// One line, in the order of EVE's fields. What is absent has no member.
#[derive(Serialize)]
struct Line<'a> {
    timestamp: Stamp<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    flow_id: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    in_iface: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pcap_filename: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pcap_cnt: Option<u64>,
    event_type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    vlan: Option<Vlan>,
    #[serde(skip_serializing_if = "Option::is_none")]
    src_ip: Option<IpAddr>,
    #[serde(skip_serializing_if = "Option::is_none")]
    src_port: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dest_ip: Option<IpAddr>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dest_port: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    proto: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    community_id: Option<CommunityId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    handshake: Option<Handshake>,
    #[serde(skip_serializing_if = "Option::is_none")]
    anomaly: Option<AnomalyObject>,
    #[serde(skip_serializing_if = "Option::is_none")]
    alert: Option<AlertObject>,
    #[serde(skip_serializing_if = "Option::is_none")]
    synflood: Option<SynFlood<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stats: Option<Stats<'a>>,
}

impl<'a> Line<'a> {
    fn new(timestamp: Stamp<'a>, event_type: &'static str, origin: Option<&Origin<'a>>) -> Line<'a> {
        let (in_iface, pcap_filename, pcap_cnt) = match origin {
            Some(Origin::Interface(name)) => (Some(*name), None, None),
            Some(Origin::Capture { file, number }) => (None, Some(*file), Some(*number)),
            None => (None, None, None),
        };
        Line {
            timestamp,
            flow_id: None,
            in_iface,
            pcap_filename,
            pcap_cnt,
            event_type,
            vlan: None,
            src_ip: None,
            src_port: None,
            dest_ip: None,
            dest_port: None,
            proto: None,
            community_id: None,
            handshake: None,
            anomaly: None,
            alert: None,
            synflood: None,
            stats: None,
        }
    }

    fn write(&self, line: &mut Vec<u8>) -> io::Result<()> {
        self.serialize(&mut serde_json::Serializer::with_formatter(&mut *line, TerminalSafe))?;
        line.push(b'\n');
        Ok(())
    }
}

/// JSON escapes the control characters below 0x20 only. A terminal also obeys DEL and, in UTF-8,
/// those from 0x80 to 0x9f, which a file name may hold.
struct TerminalSafe;

impl Formatter for TerminalSafe {
    fn write_string_fragment<W>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()>
    where
        W: ?Sized + io::Write,
    {
        if fragment.bytes().all(|byte| byte < 0x7f) {
            return writer.write_all(fragment.as_bytes());
        }
        for letter in fragment.chars() {
            if letter.is_control() {
                write!(writer, "\\u{:04x}", u32::from(letter))?;
            } else {
                writer.write_all(letter.encode_utf8(&mut [0; 4]).as_bytes())?;
            }
        }
        Ok(())
    }
}
