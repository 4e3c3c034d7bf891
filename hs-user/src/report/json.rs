//! JSON, one object a line, in the manner of Suricata's EVE, in the order of its fields. What is absent has no
//! member. The schema is `docs/events.schema.json`.
//!
//! Handshakes and anomalies come by the hundred thousand a second, and are written piece by piece as they stand
//! in the line; alerts and totals, which are few, by serde.

mod alert;
mod event;
mod stats;

use std::io;

use hs_common::{Event, VlanTags};
use serde::Serialize;
use serde_json::ser::Formatter;

use super::digits::{ip, number};
use super::filter::Kind;
use super::ids::{CommunityId, flow_id};
use super::units::Clock;
use super::{Origin, Totals};
use crate::detect::Alert;
use alert::{AlertObject, SynFlood};
use stats::Stats;

/// Writes lines of JSON into a buffer.
pub struct Json {
    /// Whether VLAN tags are a part of `flow_id`.
    pub vlan_aware: bool,
    clock: Clock,
    name: EscapedName,
}

impl Json {
    pub const fn new() -> Json {
        Json { vlan_aware: false, clock: Clock::new(), name: EscapedName::NONE }
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
        self.begin(line, unix_ns, Some(flow_id(event, flow_vlan)), Some(origin))?;
        let anomaly = event.anomaly().filter(|_| kind == Kind::Anomaly);
        put(line, if anomaly.is_some() { "anomaly\"" } else { "handshake\"" });
        if event.vlan != VlanTags::NONE {
            put(line, r#","vlan":"#);
            event::array(line, event.vlan.ids(), number);
        }
        put(line, r#","src_ip":""#);
        ip(line, event.src.into());
        put(line, r#"","src_port":"#);
        number(line, event.src_port);
        put(line, r#","dest_ip":""#);
        ip(line, event.dst.into());
        put(line, r#"","dest_port":"#);
        number(line, event.dst_port);
        put(line, r#","proto":"TCP","community_id":""#);
        line.extend_from_slice(CommunityId::of(event).as_bytes());
        match anomaly {
            Some(anomaly) => event::anomaly(line, event, anomaly),
            None => event::handshake(line, event),
        }
        put(line, "}\n");
        Ok(())
    }

    pub fn alert(
        &mut self,
        line: &mut Vec<u8>,
        alert: &Alert,
        unix_ns: u64,
        started_at_unix_ns: u64,
        origin: &Origin,
    ) -> io::Result<()> {
        self.begin(line, unix_ns, None, Some(origin))?;
        put(line, "alert\"");
        if let Some(source) = alert::single_source(alert) {
            put(line, r#","src_ip":""#);
            ip(line, source);
            put(line, "\"");
        }
        put(line, r#","dest_ip":""#);
        ip(line, alert.victim.ip);
        put(line, "\"");
        if let Some(port) = alert.victim.port {
            put(line, r#","dest_port":"#);
            number(line, port);
        }
        put(line, r#","proto":"TCP","alert":"#);
        serialize(line, &AlertObject::of(alert.signature))?;
        put(line, r#","synflood":"#);
        serialize(line, &SynFlood::new(alert, Clock::new().at(started_at_unix_ns)))?;
        put(line, "}\n");
        Ok(())
    }

    pub fn stats(
        &mut self,
        line: &mut Vec<u8>,
        totals: &Totals,
        unix_ns: u64,
        origin: Option<&Origin>,
    ) -> io::Result<()> {
        self.begin(line, unix_ns, None, origin)?;
        put(line, r#"stats","stats":"#);
        serialize(line, &Stats(totals))?;
        put(line, "}\n");
        Ok(())
    }

    /// What all lines begin with, up to the value of `event_type`.
    fn begin(
        &mut self,
        line: &mut Vec<u8>,
        unix_ns: u64,
        flow_id: Option<u64>,
        origin: Option<&Origin>,
    ) -> io::Result<()> {
        put(line, r#"{"timestamp":""#);
        self.clock.at(unix_ns).push(line);
        put(line, "\"");
        if let Some(flow_id) = flow_id {
            put(line, r#","flow_id":"#);
            number(line, flow_id);
        }
        match origin {
            Some(Origin::Interface(name)) => {
                put(line, r#","in_iface":"#);
                line.extend_from_slice(self.name.escaped(name)?);
            }
            Some(Origin::Capture { file, number: packet }) => {
                put(line, r#","pcap_filename":"#);
                line.extend_from_slice(self.name.escaped(file)?);
                put(line, r#","pcap_cnt":"#);
                number(line, *packet);
            }
            None => {}
        }
        put(line, r#","event_type":""#);
        Ok(())
    }
}

/// Appends a piece of a line: names and whatever else has nothing in it to be escaped.
#[inline(always)]
fn put(line: &mut Vec<u8>, piece: &str) {
    line.extend_from_slice(piece.as_bytes());
}

fn serialize(line: &mut Vec<u8>, value: &impl Serialize) -> io::Result<()> {
    Ok(value.serialize(&mut serde_json::Serializer::with_formatter(line, TerminalSafe))?)
}

/// The name of an interface or a file as a string of JSON. Line after line has the same one.
struct EscapedName {
    name: String,
    escaped: Vec<u8>,
}

impl EscapedName {
    const NONE: EscapedName = EscapedName { name: String::new(), escaped: Vec::new() };

    fn escaped(&mut self, name: &str) -> io::Result<&[u8]> {
        if self.escaped.is_empty() || self.name != name {
            self.escaped.clear();
            serialize(&mut self.escaped, &name)?;
            name.clone_into(&mut self.name);
        }
        Ok(&self.escaped)
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
