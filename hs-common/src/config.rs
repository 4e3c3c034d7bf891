//! What the engine can be told. Plain old data: user space writes it into the program's read-only data.

use crate::syn_cache::WAYS;

/// Nanoseconds in a second.
pub const NS_PER_SEC: u64 = 1_000_000_000;
/// How long a flow is remembered after its last SYN or SYN-ACK: Linux's own patience, the sum of
/// its back-off for a SYN-ACK (tcp_synack_retries = 5: 1+2+4+8+16+32 s; ip-sysctl.rst).
pub const LINGER_NS: u64 = 63 * NS_PER_SEC;
/// How long after the start of a live watch an incoming SYN-ACK may answer a SYN from before it.
pub const START_GRACE_NS: u64 = 3 * NS_PER_SEC;
/// Within this time a SYN or SYN-ACK that was seen at one hook has passed all others of the host. Nobody repeats
/// one so soon: not before a second has passed (RFC 6298 2.1).
pub const PASSAGE_NS: u64 = NS_PER_SEC / 10;
/// How many ports a filter can name.
pub const MAX_PORTS: usize = 8;

/// The engine's settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct Config {
    /// A handshake without an outcome is half-open after this, counted from its first SYN, in nanoseconds.
    pub half_open_ns: u64,
    /// When the watch began (the clock of the events): SYNs before that are not followed, and a SYN-ACK
    /// without a SYN is no anomaly while the SYN may have passed before. 0 in replay: a capture is
    /// taken at its word. The kernel side reads it from [`Watch`](crate::shared::Watch).
    pub watch_began_ns: u64,
    /// Flows remembered at the most: a power of two, at least [`WAYS`].
    pub max_flows: u32,
    /// 1 if the VLAN tags are a part of a flow's identity.
    pub vlan_aware: u32,
    /// 1 if events may be thinned under a flood.
    pub thin_events: u32,
    /// Ports to watch, the first `ports_used` of them; none: all.
    pub ports_used: u32,
    /// See `ports_used`.
    pub ports: [u16; MAX_PORTS],
}

const _: () = assert!(size_of::<Config>() == 48);

impl Config {
    /// The defaults of the command line.
    pub const DEFAULT: Config = Config {
        half_open_ns: 5 * NS_PER_SEC,
        watch_began_ns: 0,
        max_flows: 131_072,
        vlan_aware: 0,
        thin_events: 0,
        ports_used: 0,
        ports: [0; MAX_PORTS],
    };

    /// The same with a number of flows that the SYN cache can have.
    pub const fn rounded(self) -> Config {
        let least = if self.max_flows < WAYS as u32 { WAYS as u32 } else { self.max_flows };
        Config { max_flows: least.next_power_of_two(), ..self }
    }

    /// Whether a segment between these ports is watched.
    #[inline(always)]
    pub fn watches(&self, a: u16, b: u16) -> bool {
        if self.ports_used == 0 {
            return true;
        }
        let mut index = 0;
        while index < MAX_PORTS {
            let port = self.ports[index];
            if index < self.ports_used as usize && (port == a || port == b) {
                return true;
            }
            index += 1;
        }
        false
    }
}

impl Default for Config {
    fn default() -> Config {
        Config::DEFAULT
    }
}
