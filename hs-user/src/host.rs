//! What this host says itself of a flood, if it is the victim: SYN cookies, drops, and how full the accept
//! queue of the service is.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::net::IpAddr;

use hs_common::config::NS_PER_SEC;

use crate::detect::{Alert, HostWord, Phase, Signature, Target};
use crate::kernel::accept_queue;

/// How often the host's counters and addresses are read while nothing happens.
const READ_EVERY_NS: u64 = NS_PER_SEC;

/// The host's counters of TCP (`TcpExt` in /proc/net/netstat), since it started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct TcpExt {
    syncookies_sent: u64,
    listen_overflows: u64,
    listen_drops: u64,
}

/// The host that hs-mon runs on, in its own network namespace.
#[derive(Debug, Default)]
pub struct Host {
    addresses: HashSet<IpAddr>,
    /// As read before the last time, so that an alarm's beginning is not missed.
    before: TcpExt,
    last: TcpExt,
    read_ns: u64,
    /// What the counters were when an alarm began.
    at_start: HashMap<u64, TcpExt>,
}

impl Host {
    /// Reads the counters, if that was not done of late.
    pub fn observe(&mut self, now_ns: u64) {
        if self.read_ns != 0 && now_ns.saturating_sub(self.read_ns) < READ_EVERY_NS {
            return;
        }
        let first = self.read_ns == 0;
        self.read_ns = now_ns;
        self.addresses = local_addresses();
        let counters = read();
        self.before = if first { counters } else { self.last };
        self.last = counters;
    }

    /// Adds the host's word to an alert that it is the victim of.
    pub fn comment(&mut self, alert: &mut Alert) {
        if alert.signature != Signature::SynFlood || !self.is_victim(&alert.victim) {
            return;
        }
        let start = *self.at_start.entry(alert.id).or_insert(self.before);
        let now = read();
        if alert.phase == Phase::End {
            self.at_start.remove(&alert.id);
        }
        alert.host = Some(HostWord {
            syncookies_sent: now.syncookies_sent.saturating_sub(start.syncookies_sent),
            listen_overflows: now.listen_overflows.saturating_sub(start.listen_overflows),
            listen_drops: now.listen_drops.saturating_sub(start.listen_drops),
            backlog: alert.victim.port.and_then(|port| accept_queue(alert.victim.ip, port).ok().flatten()),
        });
    }

    fn is_victim(&self, target: &Target) -> bool {
        target.prefix.is_none() && self.addresses.contains(&target.ip)
    }
}

fn read() -> TcpExt {
    fs::read_to_string("/proc/self/net/netstat").map_or_else(|_| TcpExt::default(), |text| parse(&text))
}

/// Each group has a line of names and one of numbers.
fn parse(text: &str) -> TcpExt {
    let mut lines = text.lines().filter_map(|line| line.strip_prefix("TcpExt:"));
    let (names, numbers) = (lines.next().unwrap_or_default(), lines.next().unwrap_or_default());
    let fields: HashMap<&str, u64> = names
        .split_whitespace()
        .zip(numbers.split_whitespace().filter_map(|number| number.parse().ok()))
        .collect();
    let field = |name| fields.get(name).copied().unwrap_or(0);
    TcpExt {
        syncookies_sent: field("SyncookiesSent"),
        listen_overflows: field("ListenOverflows"),
        listen_drops: field("ListenDrops"),
    }
}

/// The addresses of this host's interfaces.
fn local_addresses() -> HashSet<IpAddr> {
    let mut addresses = HashSet::new();
    let mut list = std::ptr::null_mut();
    // SAFETY: the pointer is valid for the call, which leaves a list there or nothing.
    if unsafe { libc::getifaddrs(&raw mut list) } != 0 {
        return addresses;
    }
    let mut next = list;
    while !next.is_null() {
        // SAFETY: an entry of the list, which lives until it is freed below.
        let entry = unsafe { &*next };
        // SAFETY: as above; the kernel's address is null or as long as its family says.
        addresses.extend(unsafe { address_of(entry.ifa_addr) });
        next = entry.ifa_next;
    }
    // SAFETY: the list came from getifaddrs and is not used any more.
    unsafe { libc::freeifaddrs(list) };
    addresses
}

/// # Safety
/// `address` is null, or points to a socket address of the length that its family has.
unsafe fn address_of(address: *const libc::sockaddr) -> Option<IpAddr> {
    if address.is_null() {
        return None;
    }
    // SAFETY: by the caller.
    let family = i32::from(unsafe { (*address).sa_family });
    match family {
        libc::AF_INET => {
            // SAFETY: by the caller, and the family is that of this type.
            let v4 = unsafe { &*address.cast::<libc::sockaddr_in>() };
            Some(IpAddr::from(v4.sin_addr.s_addr.to_ne_bytes()))
        }
        libc::AF_INET6 => {
            // SAFETY: as above.
            let v6 = unsafe { &*address.cast::<libc::sockaddr_in6>() };
            Some(IpAddr::from(v6.sin6_addr.s6_addr))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, TcpListener};

    use super::*;

    #[test]
    fn the_counters_are_found_by_name() {
        let text =
            "TcpExt: SyncookiesSent Other ListenOverflows ListenDrops\nTcpExt: 7 1 2 3\nIpExt: A\nIpExt: 9\n";
        let expected = TcpExt { syncookies_sent: 7, listen_overflows: 2, listen_drops: 3 };
        assert_eq!(parse(text), expected);
        assert_eq!(parse(""), TcpExt::default());
    }

    #[test]
    fn loopback_is_local_and_a_listening_socket_has_its_queue() {
        assert!(local_addresses().contains(&IpAddr::V4(Ipv4Addr::LOCALHOST)));
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a socket");
        let port = listener.local_addr().expect("it has an address").port();
        let queue = accept_queue(Ipv4Addr::LOCALHOST.into(), port).expect("the kernel answers");
        assert!(queue.is_some_and(|(waiting, limit)| waiting == 0 && limit >= 128), "{queue:?}");
        let none = accept_queue(Ipv4Addr::new(127, 0, 0, 9).into(), port).expect("the kernel answers");
        assert_eq!(none, None);
    }
}
