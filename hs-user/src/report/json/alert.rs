//! The objects of an alert.

use std::net::IpAddr;

use serde::{Serialize, Serializer};

use crate::detect::{Alert, Kind, Signature};
use crate::report::units::{Stamp, rounded};

#[derive(Serialize)]
pub struct AlertObject {
    action: &'static str,
    gid: u32,
    signature_id: u32,
    rev: u32,
    signature: &'static str,
    category: &'static str,
    severity: u32,
}

impl AlertObject {
    /// Category and severity are those of a class that Suricata and Snort share; readers of EVE group by the
    /// signature's number, which is from the range for local use.
    pub const fn of(signature: Signature) -> AlertObject {
        let (signature_id, category, severity) = match signature {
            Signature::SynFlood => (1_000_001, "Detection of a Denial of Service Attack", 2),
            Signature::SynScan => (1_000_002, "Detection of a Network Scan", 3),
            Signature::Reflection => (1_000_003, "Misc Attack", 2),
        };
        AlertObject {
            action: "allowed",
            gid: 1,
            signature_id,
            rev: 1,
            signature: signature.name(),
            category,
            severity,
        }
    }
}

#[derive(Serialize)]
pub struct SynFlood<'a> {
    id: u64,
    phase: &'static str,
    victim_ip: IpAddr,
    #[serde(skip_serializing_if = "Option::is_none")]
    victim_port: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    victim_prefix: Option<String>,
    started_at: Stamp<'a>,
    syn_rate: f64,
    completed_rate: f64,
    completion_ratio: f64,
    half_open: u64,
    peak_syn_rate: f64,
    syn_total: u64,
    sources_estimate: u64,
    kind: &'static str,
    evidence: Vec<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ports: Option<u64>,
    top_sources: TopSources<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    syncookies_sent: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    listen_overflows: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    listen_drops: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    backlog: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    backlog_limit: Option<u32>,
}

impl<'a> SynFlood<'a> {
    pub fn new(alert: &'a Alert, started_at: Stamp<'a>) -> SynFlood<'a> {
        SynFlood {
            id: alert.id,
            phase: alert.phase.name(),
            victim_ip: alert.victim.ip,
            victim_port: alert.victim.port,
            victim_prefix: alert.victim.prefix.map(|_| alert.victim.to_string()),
            started_at,
            syn_rate: rounded(alert.syn_rate, 1),
            completed_rate: rounded(alert.completed_rate, 1),
            completion_ratio: rounded(alert.completion_ratio, 4),
            half_open: alert.half_open,
            peak_syn_rate: rounded(alert.peak_syn_rate, 1),
            syn_total: alert.syn_total,
            sources_estimate: alert.sources_estimate,
            kind: alert.kind.name(),
            evidence: alert.evidence.iter().map(|evidence| evidence.name()).collect(),
            ports: (alert.signature == Signature::SynScan).then_some(alert.ports),
            top_sources: TopSources(&alert.top_sources),
            syncookies_sent: alert.host.map(|host| host.syncookies_sent),
            listen_overflows: alert.host.map(|host| host.listen_overflows),
            listen_drops: alert.host.map(|host| host.listen_drops),
            backlog: alert.host.and_then(|host| host.backlog).map(|(waiting, _)| waiting),
            backlog_limit: alert.host.and_then(|host| host.backlog).map(|(_, limit)| limit),
        }
    }
}

/// The attacker, if there is one to name: of a spoofed flood no source is.
pub fn single_source(alert: &Alert) -> Option<IpAddr> {
    match alert.kind {
        Kind::SingleSource if alert.signature != Signature::Reflection => {
            alert.top_sources.first().map(|(ip, _)| *ip)
        }
        _ => None,
    }
}

struct TopSources<'a>(&'a [(IpAddr, f64)]);

impl Serialize for TopSources<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Source {
            ip: IpAddr,
            share: f64,
        }
        serializer.collect_seq(self.0.iter().map(|(ip, share)| Source { ip: *ip, share: rounded(*share, 4) }))
    }
}
