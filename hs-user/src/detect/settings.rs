//! What can be tuned.

use std::net::IpAddr;
use std::sync::Arc;

use hs_common::config::NS_PER_SEC;

/// How soon an alarm is raised.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sensitivity {
    /// Late, and hardly ever for nothing.
    Low,
    /// The default.
    #[default]
    Medium,
    /// Early.
    High,
}

/// What decides. Rates are unanswered handshakes a second above what is usual for the target.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// A rate below this raises no alarm, unless it fills a backlog.
    pub floor: f64,
    /// So many handshakes above the floor are a flood.
    pub burst: f64,
    /// A rate below this raises no alarm.
    pub slow_floor: f64,
    /// So many handshakes above the slow floor fill a backlog.
    pub backlog: f64,
    /// A handshake younger than this does not count as unanswered. It must be longer than the round trip of
    /// most clients.
    pub grace_ns: u64,
    /// An alarm ends after so long with hardly any unanswered handshake.
    pub quiet_ns: u64,
    /// So many ports tried by one source within 10 s are a scan.
    pub scan_ports: f64,
    /// For so long after the start twice as much is asked for: nothing is known of what is usual yet.
    pub warm_up_ns: u64,
    /// Exceptions, the first that matches holds.
    pub exceptions: Vec<Exception>,
}

/// Destinations to ignore, or to treat apart.
#[derive(Clone, Debug, PartialEq)]
pub struct Exception {
    /// Address and length of the prefix; none: all addresses.
    pub prefix: Option<(IpAddr, u8)>,
    /// Ports; none: all.
    pub ports: Vec<u16>,
    /// What to do with them.
    pub treatment: Treatment,
}

/// What becomes of an exception.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Treatment {
    /// No alarm, ever.
    Ignore,
    /// Another floor.
    Floor(f64),
}

impl Settings {
    /// The settings of a sensitivity.
    pub fn new(sensitivity: Sensitivity) -> Settings {
        let medium = Settings {
            floor: 40.0,
            burst: 60.0,
            slow_floor: 3.0,
            backlog: 70.0,
            grace_ns: NS_PER_SEC / 4,
            quiet_ns: 7 * NS_PER_SEC / 2,
            scan_ports: 100.0,
            warm_up_ns: 10 * NS_PER_SEC,
            exceptions: Vec::new(),
        };
        match sensitivity {
            Sensitivity::Low => medium.scaled(4.0),
            Sensitivity::Medium => medium,
            Sensitivity::High => medium.scaled(0.5),
        }
    }

    /// The same where so many times as much has to happen.
    pub fn scaled(&self, factor: f64) -> Settings {
        Settings {
            floor: self.floor * factor,
            burst: self.burst * factor,
            slow_floor: self.slow_floor * factor,
            backlog: self.backlog * factor,
            scan_ports: self.scan_ports * factor,
            ..self.clone()
        }
    }

    /// The settings for one destination; `None` if it is to be ignored. `port` is `None` for all ports.
    /// Those without an exception share theirs: there may be tens of thousands of them.
    pub fn for_target(self: &Arc<Settings>, ip: IpAddr, port: Option<u16>) -> Option<Arc<Settings>> {
        let Some(exception) = self.exceptions.iter().find(|exception| exception.covers(ip, port)) else {
            return Some(Arc::clone(self));
        };
        match exception.treatment {
            Treatment::Ignore => None,
            Treatment::Floor(floor) => {
                let own = Settings { exceptions: Vec::new(), ..self.scaled(floor / self.floor) };
                Some(Arc::new(own))
            }
        }
    }
}

impl Default for Settings {
    fn default() -> Settings {
        Settings::new(Sensitivity::Medium)
    }
}

impl Exception {
    fn covers(&self, ip: IpAddr, port: Option<u16>) -> bool {
        let by_port = self.ports.is_empty() || port.is_some_and(|port| self.ports.contains(&port));
        by_port && self.prefix.is_none_or(|(network, length)| contains(network, length, ip))
    }
}

fn contains(network: IpAddr, length: u8, ip: IpAddr) -> bool {
    let (network, ip, bits) = match (network, ip) {
        (IpAddr::V4(network), IpAddr::V4(ip)) => {
            (u128::from(network.to_bits()), u128::from(ip.to_bits()), 32)
        }
        (IpAddr::V6(network), IpAddr::V6(ip)) => (network.to_bits(), ip.to_bits(), 128),
        _ => return false,
    };
    let host_bits = bits - u32::from(length).min(bits);
    (network ^ ip).checked_shr(host_bits).unwrap_or(0) == 0
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may panic")]
    use super::*;

    #[test]
    fn exceptions_match_by_prefix_and_port() {
        let exception = |prefix: Option<(&str, u8)>, ports: &[u16], treatment| Exception {
            prefix: prefix.map(|(ip, length)| (ip.parse().unwrap(), length)),
            ports: ports.to_vec(),
            treatment,
        };
        let settings = Arc::new(Settings {
            exceptions: vec![
                exception(Some(("192.0.2.0", 24)), &[25], Treatment::Ignore),
                exception(Some(("2001:db8::", 32)), &[], Treatment::Floor(400.0)),
                exception(None, &[22], Treatment::Ignore),
            ],
            ..Settings::default()
        });
        for (ip, port, floor) in [
            ("192.0.2.7", Some(25), None),
            ("192.0.2.7", Some(80), Some(40.0)),
            ("192.0.3.7", Some(25), Some(40.0)),
            ("192.0.2.7", None, Some(40.0)),
            ("2001:db8::1", None, Some(400.0)),
            ("2001:db9::1", Some(22), None),
        ] {
            let found = settings.for_target(ip.parse().unwrap(), port).map(|settings| settings.floor);
            assert_eq!(found, floor, "{ip} {port:?}");
        }
        let of_two =
            ["192.0.3.7", "192.0.3.8"].map(|ip| settings.for_target(ip.parse().unwrap(), Some(80)).unwrap());
        assert!(of_two.iter().all(|of_one| Arc::ptr_eq(of_one, &settings)), "no memory for each");
    }
}
