//! A network laboratory on this machine: two hosts in network namespaces of their own, one cable between
//! them, and no way out. What is sent here, spoofed sources and floods too, reaches nobody else.
//!
//! The demo uses it, and so do the kernel tests, which include it as a file; so it depends on nothing but
//! std, libc and anyhow. It needs root and the program `ip`.

#![allow(dead_code, reason = "its users include all of it, and none of them uses all of it")]

pub mod clients;
pub mod flood;
pub mod frame;
pub mod handshakes;
pub mod http;
pub mod monitor;
pub mod netns;
pub mod process;
pub mod random;
pub mod server;
pub mod terminal;
pub mod wire;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::Result;

use frame::{Mac, Prefix};
use netns::Netns;

/// Addresses for benchmarks (RFC 2544): no host of the internet has them.
pub const NET_V4: Prefix = Prefix::new(IpAddr::V4(Ipv4Addr::new(198, 18, 0, 0)), 15);
/// The same for IPv6 (RFC 5180).
pub const NET_V6: Prefix = Prefix::new(IpAddr::V6(Ipv6Addr::new(0x2001, 2, 0, 0, 0, 0, 0, 0)), 48);

const SERVER: Plan = Plan {
    interface: "hsm-server",
    mac: Mac([0x02, 0x68, 0x73, 0, 0, 1]),
    v4: Ipv4Addr::new(198, 18, 0, 1),
    v6: Ipv6Addr::new(0x2001, 2, 0, 0, 0, 0, 0, 1),
};
const CLIENT: Plan = Plan {
    interface: "hsm-client",
    mac: Mac([0x02, 0x68, 0x73, 0, 0, 2]),
    v4: Ipv4Addr::new(198, 18, 0, 2),
    v6: Ipv6Addr::new(0x2001, 2, 0, 0, 0, 0, 0, 2),
};

/// One end of the cable: what it is called on its host, and the host's addresses.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// The interface.
    pub interface: &'static str,
    /// Its hardware address.
    pub mac: Mac,
    /// The host's address; the other host's is in the same /30.
    pub v4: Ipv4Addr,
    /// The host's address; the other host's is in the same /64.
    pub v6: Ipv6Addr,
}

impl Plan {
    /// A port of the host, by IPv4.
    pub fn v4_at(&self, port: u16) -> SocketAddr {
        (self.v4, port).into()
    }

    /// A port of the host, by IPv6.
    pub fn v6_at(&self, port: u16) -> SocketAddr {
        (self.v6, port).into()
    }
}

/// What the hosts have from the start.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Addresses, and on the server the way back to all of [`NET_V4`] and [`NET_V6`], through the client,
    /// which drops what is not its own: a spoofed SYN gets its SYN-ACK, and nobody answers that.
    pub addresses: bool,
    /// Each other's hardware address, so that neither has to ask for it.
    pub neighbours: bool,
}

impl Default for Options {
    fn default() -> Options {
        Options { addresses: true, neighbours: true }
    }
}

/// A host of the laboratory.
pub struct Host {
    /// Where its processes and sockets live.
    pub ns: Netns,
    /// Its end of the cable.
    pub plan: Plan,
    /// The other end.
    pub peer: Plan,
}

/// Two hosts and a cable. All of it is gone when this is dropped.
pub struct Lab {
    /// Where hs-mon and the servers run, by custom.
    pub server: Host,
    /// Where clients and floods come from.
    pub client: Host,
}

impl Lab {
    /// Two hosts that reach each other by IPv4 and IPv6.
    pub fn pair() -> Result<Lab> {
        Lab::with(Options::default())
    }

    /// Two hosts with less than that.
    pub fn with(options: Options) -> Result<Lab> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        netns::remove_leftovers()?;
        let name =
            format!("{}{}-{}", netns::NAME_START, std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let lab = Lab {
            server: Host { ns: Netns::create(format!("{name}-s"))?, plan: SERVER, peer: CLIENT },
            client: Host { ns: Netns::create(format!("{name}-c"))?, plan: CLIENT, peer: SERVER },
        };
        lab.server.ns.isolate()?;
        lab.client.ns.isolate()?;
        lab.plug_in(options)?;
        Ok(lab)
    }

    /// The cable, at the start or once it was taken out, and what the hosts make of it.
    pub fn plug_in(&self, options: Options) -> Result<()> {
        self.add_cable()?;
        let mut of_server = self.server.set_up(options);
        if options.addresses {
            let back = CLIENT;
            of_server.push(format!("route add {NET_V4} via {}", back.v4));
            of_server.push(format!("route add {NET_V6} via {}", back.v6));
        }
        self.client.ns.ip_all(&self.client.set_up(options))?;
        self.server.ns.ip_all(&of_server)
    }

    /// Both ends come to life where they belong, so the names can't clash with anything on this machine.
    fn add_cable(&self) -> Result<()> {
        let (server, client) = (self.server.plan, self.client.plan);
        self.server.ns.ip(&format!(
            "link add {} address {} type veth peer name {} address {} netns {}",
            server.interface,
            server.mac,
            client.interface,
            client.mac,
            self.client.ns.name()
        ))
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        // A process that is still in there would keep its namespace alive, and the cable with it. If there is
        // no cable, the laboratory was not finished, and that error is told already.
        let _ = self.server.ns.ip(&format!("link delete {}", self.server.plan.interface));
    }
}

impl Host {
    /// What `ip` has to be told.
    fn set_up(&self, options: Options) -> Vec<String> {
        let Plan { interface, v4, v6, .. } = self.plan;
        let mut lines = vec![
            // No link-local address: the only packets are those that somebody asked for.
            format!("link set {interface} addrgenmode none"),
            "link set lo up".to_owned(),
            format!("link set {interface} up"),
        ];
        if options.addresses {
            lines.push(format!("address add {v4}/30 dev {interface}"));
            lines.push(format!("address add {v6}/64 dev {interface} nodad"));
        }
        if options.neighbours {
            let Plan { mac, .. } = self.peer;
            for address in [IpAddr::V4(self.peer.v4), IpAddr::V6(self.peer.v6)] {
                lines.push(format!("neighbour replace {address} lladdr {mac} dev {interface} nud permanent"));
            }
        }
        lines
    }
}
