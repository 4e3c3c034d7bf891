//! What is told.

use std::fmt;
use std::net::IpAddr;

use hs_common::victim::{VictimKey, scope};

/// What is told of a SYN flood, a scan, or backscatter.
#[derive(Clone, Debug, PartialEq)]
pub struct Alert {
    /// Of the alarm, from 1.
    pub id: u64,
    /// What it is.
    pub signature: Signature,
    /// Which alert of the alarm it is.
    pub phase: Phase,
    /// Who suffers it.
    pub victim: Target,
    /// When it began, to about a second before it was recognised; the clock of `now_ns`.
    pub started_at_ns: u64,
    /// When it was last seen.
    pub last_seen_ns: u64,
    /// The instant that this alert is about.
    pub now_ns: u64,
    /// SYN segments a second (backscatter: SYN-ACKs), over the last second.
    pub syn_rate: f64,
    /// Completed handshakes a second, over the last second.
    pub completed_rate: f64,
    /// Completed of the handshakes begun while it lasted, 0 to 1.
    pub completion_ratio: f64,
    /// Handshakes begun while it lasted that nobody answered.
    pub half_open: u64,
    /// The largest `syn_rate` of the alarm so far.
    pub peak_syn_rate: f64,
    /// SYN segments (backscatter: SYN-ACKs) while it lasted, without those of handshakes that completed.
    pub syn_total: u64,
    /// Distinct sources, without those that completed a handshake.
    pub sources_estimate: u64,
    /// Where it comes from, as far as is known by now.
    pub kind: Kind,
    /// What speaks for the kind.
    pub evidence: Vec<Evidence>,
    /// Ports of the victim that were tried, of a scan.
    pub ports: u64,
    /// The sources that stand out, with their share (0 to 1) of the handshakes that did not complete; largest
    /// first, ten at the most, none below 1 %.
    pub top_sources: Vec<(IpAddr, f64)>,
    /// The host's own word, if it is the victim.
    pub host: Option<HostWord>,
}

/// What the victim says itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HostWord {
    /// SYN cookies that it sent since the alarm.
    pub syncookies_sent: u64,
    /// Overflows of accept queues since the alarm.
    pub listen_overflows: u64,
    /// SYNs that it dropped since the alarm.
    pub listen_drops: u64,
    /// Connections that wait to be accepted, and how many may, if the victim is one port.
    pub backlog: Option<(u32, u32)>,
}

/// What an alarm is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signature {
    /// Handshakes that nobody completes.
    SynFlood,
    /// Few handshakes with each of many ports.
    SynScan,
    /// SYN-ACKs that nobody here had asked for.
    Reflection,
}

impl Signature {
    /// All of them.
    pub const ALL: [Signature; 3] = [Signature::SynFlood, Signature::SynScan, Signature::Reflection];

    /// The name, as it stands in `alert.signature`.
    pub const fn name(self) -> &'static str {
        match self {
            Signature::SynFlood => "SYN flood",
            Signature::SynScan => "SYN scan",
            Signature::Reflection => "SYN-ACK reflection",
        }
    }
}

/// Which alert of an alarm it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// The first.
    Start,
    /// It goes on; once a second at the most.
    Update,
    /// The last: with the totals of the whole alarm.
    End,
}

impl Phase {
    /// The identifier, as it stands in `synflood.phase`.
    pub const fn name(self) -> &'static str {
        match self {
            Phase::Start => "start",
            Phase::Update => "update",
            Phase::End => "end",
        }
    }
}

/// Where a flood comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// One source, or one that sends at least 80 %.
    SingleSource,
    /// Many sources that exist.
    Distributed,
    /// The addresses are made up.
    Spoofed,
}

impl Kind {
    /// The identifier, as it stands in `synflood.kind`.
    pub const fn name(self) -> &'static str {
        match self {
            Kind::SingleSource => "single_source",
            Kind::Distributed => "distributed",
            Kind::Spoofed => "spoofed",
        }
    }
}

/// What speaks for a kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Evidence {
    /// Nearly as many sources as handshakes.
    SourcesSeenOnce,
    /// One TTL from many sources: they are equally far away.
    UniformTtl,
    /// TTLs that no path of today's internet leaves of any usual start.
    ImplausibleTtl,
    /// One window from many sources.
    UniformWindow,
    /// Sources that nobody can have on the internet.
    ImpossibleSources,
    /// No source but those of honest clients completed a handshake.
    NoCompletion,
}

impl Evidence {
    /// The identifier, as it stands in `synflood.evidence`.
    pub const fn name(self) -> &'static str {
        match self {
            Evidence::SourcesSeenOnce => "sources_seen_once",
            Evidence::UniformTtl => "uniform_ttl",
            Evidence::ImplausibleTtl => "implausible_ttl",
            Evidence::UniformWindow => "uniform_window",
            Evidence::ImpossibleSources => "impossible_sources",
            Evidence::NoCompletion => "no_completion",
        }
    }
}

/// Who suffers: one port, one address, or a prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Target {
    /// The address, or the first of the prefix.
    pub ip: IpAddr,
    /// The port, if it is one.
    pub port: Option<u16>,
    /// The prefix's length, if it is one.
    pub prefix: Option<u8>,
}

impl Target {
    /// The target that a key stands for.
    pub fn of(key: &VictimKey) -> Target {
        let ip = IpAddr::from(key.addr);
        match key.scope {
            scope::PORT => Target { ip, port: Some(key.port as u16), prefix: None },
            scope::PREFIX => prefix_of(key),
            _ => Target { ip, port: None, prefix: None },
        }
    }
}

/// The first address of an IPv4 prefix still begins like an IPv4-mapped one.
fn prefix_of(key: &VictimKey) -> Target {
    let ip = IpAddr::from(key.addr);
    Target { ip, port: None, prefix: Some(if ip.is_ipv4() { 24 } else { 64 }) }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.port, self.prefix) {
            (Some(port), _) => std::net::SocketAddr::new(self.ip, port).fmt(f),
            (None, Some(length)) => write!(f, "{}/{length}", self.ip),
            (None, None) => self.ip.fmt(f),
        }
    }
}
