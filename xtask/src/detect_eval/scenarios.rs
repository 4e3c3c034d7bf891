//! What happens live, and what should be said of it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::atomic::AtomicBool;
use std::thread;
use std::time::Duration;

use anyhow::{Result, ensure};

use super::live::{PORT, Stage};
use crate::lab::Lab;
use crate::lab::clients::{Clients, Tally};
use crate::lab::flood::{Flood, send_at_rate};
use crate::lab::frame::{Prefix, Segment, flag};
use crate::lab::random::Random;
use crate::lab::server::{Manner, Server};

const FLOODERS_V4: Prefix = Prefix::new(IpAddr::V4(Ipv4Addr::new(198, 19, 0, 0)), 16);
const FLOODERS_V6: Prefix = Prefix::new(IpAddr::V6(Ipv6Addr::new(0x2001, 2, 0, 0xff, 0, 0, 0, 0)), 64);
/// One address of them.
const STRANGER: Ipv4Addr = Ipv4Addr::new(198, 18, 66, 1);
/// A service that comes and goes with its address; the clients' packets find the way there.
const MORTAL: Ipv4Addr = Ipv4Addr::new(198, 18, 64, 1);
/// Clients of it: as many as come in the time that one of them waits.
const MORTALS_AT_ONCE: usize = 320;
const MORTALS_PER_SECOND: f64 = 60.0;

/// A scenario with its truth.
pub struct Scenario {
    pub name: &'static str,
    /// Whether the service that honest clients come for is reached by IPv6.
    pub v6: bool,
    /// Honest clients a second.
    pub honest: f64,
    pub due: Option<Due>,
    pub act: fn(&mut Stage) -> Result<()>,
}

/// The alert that is due.
#[derive(Clone, Copy)]
pub struct Due {
    pub signature: &'static str,
    pub kind: Option<&'static str>,
    /// Seconds from the first packet until its line comes.
    pub within: f64,
}

impl Scenario {
    /// Where honest clients connect to, and floods go.
    pub fn service(&self, lab: &Lab) -> SocketAddr {
        if self.v6 { lab.server.plan.v6_at(PORT) } else { lab.server.plan.v4_at(PORT) }
    }
}

const fn flood_told(kind: &'static str, within: f64) -> Option<Due> {
    Some(Due { signature: "SYN flood", kind: Some(kind), within })
}

/// All of them.
pub fn all() -> Vec<Scenario> {
    let attack = |name, due, act| Scenario { name, v6: false, honest: 100.0, due, act };
    let peace = |name, act| Scenario { name, v6: false, honest: 100.0, due: None, act };
    vec![
        attack("spoofed flood, 5,000/s, on 100/s", flood_told("spoofed", 1.0), |stage| {
            spoofed(stage, false, 5_000, 8)
        }),
        Scenario {
            v6: true,
            ..attack("the same by IPv6", flood_told("spoofed", 1.0), |stage| spoofed(stage, true, 5_000, 8))
        },
        attack("spoofed flood, 200/s, on 100/s", flood_told("spoofed", 2.0), |stage| {
            spoofed(stage, false, 200, 10)
        }),
        Scenario {
            honest: 0.3,
            ..attack("slow flood, 10/s, on a quiet service", flood_told("spoofed", 15.0), |stage| {
                spoofed(stage, false, 10, 25)
            })
        },
        attack("one machine, 1,000/s", flood_told("single_source", 1.0), one_machine),
        attack(
            "SYN scan of 1,000 ports",
            Some(Due { signature: "SYN scan", kind: None, within: 10.0 }),
            scan,
        ),
        attack(
            "backscatter, 500/s",
            Some(Due { signature: "SYN-ACK reflection", kind: None, within: 2.0 }),
            backscatter,
        ),
        peace("flash crowd, 0 to 1,000/s at once", flash_crowd),
        peace("dead service, refusing", |stage| dies(stage, true)),
        peace("dead service, ignoring", |stage| dies(stage, false)),
    ]
}

fn spoofed(stage: &mut Stage, v6: bool, rate: u32, seconds: u64) -> Result<()> {
    let plan = stage.lab.server.plan;
    let (sources, victim) =
        if v6 { (FLOODERS_V6, plan.v6_at(PORT)) } else { (FLOODERS_V4, plan.v4_at(PORT)) };
    let flood = Flood { sources, victim, count: u64::from(rate) * seconds, rate, seed: 2026 };
    all_sent(flood.send(&stage.wire, &AtomicBool::new(false))?, flood.count)
}

/// A machine that is too slow measures something else.
fn all_sent(sent: u64, count: u64) -> Result<()> {
    ensure!(
        sent == count,
        "the machine is too slow: {sent} of {count} packets were sent in twice their time"
    );
    Ok(())
}

fn by_stranger(stage: &Stage, count: u64, rate: u32, segment: impl FnMut(u64) -> Segment) -> Result<()> {
    all_sent(send_at_rate(&stage.wire, count, rate, &AtomicBool::new(false), segment)?, count)
}

fn one_machine(stage: &mut Stage) -> Result<()> {
    let victim = stage.lab.server.plan.v4_at(PORT);
    let mut random = Random::new(1);
    by_stranger(stage, 8_000, 1_000, |number| {
        Segment::syn((STRANGER, 1024 + number as u16).into(), victim, random.u32())
    })
}

fn scan(stage: &mut Stage) -> Result<()> {
    let server = stage.lab.server.plan;
    let mut random = Random::new(2);
    by_stranger(stage, 1_000, 300, |number| {
        Segment::syn((STRANGER, 40_000).into(), server.v4_at(1_000 + number as u16), random.u32())
    })
}

fn backscatter(stage: &mut Stage) -> Result<()> {
    let server = stage.lab.server.plan;
    let mut random = Random::new(3);
    by_stranger(stage, 3_000, 500, |_| {
        let port = 1024 | random.u32() as u16;
        Segment::new(
            (STRANGER, PORT).into(),
            server.v4_at(port),
            flag::SYN | flag::ACK,
            random.u32(),
            random.u32(),
        )
    })
}

fn flash_crowd(stage: &mut Stage) -> Result<()> {
    let service = stage.lab.server.plan.v4_at(PORT);
    let crowd = Clients::start_many(&stage.lab.client.ns, &[service], 1_000.0, 16)?;
    thread::sleep(Duration::from_secs(10));
    stage.crowd = crowd.stop()?.connected;
    ensure!(stage.crowd > 5_000, "the machine is too slow for a crowd: {} connections", stage.crowd);
    Ok(())
}

/// A service with clients of its own dies, and they go on trying: refused where its host is still there, ignored
/// where that has gone too.
fn dies(stage: &mut Stage, refusing: bool) -> Result<()> {
    let Stage { lab, .. } = stage;
    let interface = lab.server.plan.interface;
    lab.server.ns.ip(&format!("address add {MORTAL}/32 dev {interface}"))?;
    lab.client.ns.ip(&format!("route add {MORTAL}/32 via {}", lab.server.plan.v4))?;
    let address = SocketAddr::from((MORTAL, PORT));
    let server = Server::start(&lab.server.ns, &[address], Manner::Close, None)?;
    let clients = Clients::start_many(&lab.client.ns, &[address], MORTALS_PER_SECOND, MORTALS_AT_ONCE)?;
    thread::sleep(Duration::from_secs(6));
    drop(server);
    if !refusing {
        lab.server.ns.ip(&format!("address delete {MORTAL}/32 dev {interface}"))?;
    }
    thread::sleep(Duration::from_secs(12));
    let Tally { connected, refused, failed } = clients.stop()?;
    ensure!(
        connected > 100 && (if refusing { refused } else { failed }) > 100,
        "the service did not die as planned: {connected} connected, {refused} refused, {failed} unanswered"
    );
    stage.crowd = connected;
    Ok(())
}
