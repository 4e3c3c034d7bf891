//! The course of a soak: handshakes, then a flood, then rest, round after round. After each round hs-mon must have counted
//! exactly what was made, and use no more than before.
//!
//! The kernel tests include this file for a short one.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::Value;

use crate::lab::flood::{Flood, send_at_rate};
use crate::lab::frame::{Prefix, Segment};
use crate::lab::monitor::{Monitor, Setup};
use crate::lab::random::Random;
use crate::lab::wire::Wire;
use crate::lab::{Lab, Options, handshakes, http, process};

/// What a round makes.
const HANDSHAKES: u64 = 50_000;
/// At the most: a machine under load sends fewer.
const FLOOD: u64 = 40_000;
/// SYNs a second of a flood.
const RATE: u32 = 40_000;
/// More than a round makes at once; after the second round all of it is in use.
const MAX_FLOWS: &str = "65536";
/// Rounds after which everything that grows to its bound has done so.
pub const WARM_UP: usize = 3;
/// Bytes by which a process may breathe: the allocator does not give back all at once.
const BREATH: u64 = 2 << 20;
/// By how much the share of the flow slots in use may be off: it is estimated by a sample.
const ESTIMATE: f64 = 0.03;
/// For what comes within two seconds, on a slow machine.
const SETTLES_WITHIN: Duration = Duration::from_secs(60);
const METRICS: &str = "127.0.0.1:9435";
const PORT: u16 = 443;

/// What there was after a round.
#[derive(Clone, Debug)]
pub struct Round {
    /// Handshakes that were completed until now.
    pub made: u64,
    /// SYNs of floods until now.
    pub flooded: u64,
    /// Resident memory of hs-mon, in bytes.
    pub resident_bytes: u64,
    /// Files that it has open.
    pub descriptors: usize,
    /// Share of the flow slots in use, 0 to 1.
    pub slots_used: f64,
    /// Events that were left out under floods until now.
    pub suppressed: u64,
}

/// Soaks `program` for so long, and at least [`WARM_UP`] rounds and two more; `each` round is shown as it is over.
///
/// # Errors
/// A count is not what was made, hs-mon keeps more and more of anything, or it does not end well.
pub fn run(program: &Path, time: Duration, mut each: impl FnMut(&Round)) -> Result<Vec<Round>> {
    let soak = Soak::start(program)?;
    let (start, mut rounds) = (Instant::now(), Vec::new());
    while start.elapsed() < time || rounds.len() < WARM_UP + 2 {
        let flooded = rounds.last().map_or(0, |round: &Round| round.flooded);
        let round = soak.round(rounds.len() as u64, flooded)?;
        each(&round);
        rounds.push(round);
    }
    soak.finish(&rounds)?;
    stays_flat(&rounds)?;
    Ok(rounds)
}

struct Soak {
    lab: Lab,
    client: Wire,
    server: Wire,
    monitor: Monitor,
    /// The last ones that hs-mon told.
    totals: Arc<Mutex<Value>>,
}

impl Soak {
    fn start(program: &Path) -> Result<Soak> {
        // Nobody answers but we.
        let lab = Lab::with(Options { addresses: false, neighbours: false })?;
        let (client, server) = (Wire::open(&lab.client)?, Wire::open(&lab.server)?);
        let totals = Arc::new(Mutex::new(Value::Null));
        let heard = Arc::clone(&totals);
        let listener = move |line: &str| {
            let line: Value = serde_json::from_str(line).unwrap_or_default();
            *heard.lock().unwrap_or_else(PoisonError::into_inner) = line["stats"].clone();
        };
        let args = "--half-open-after 1s --format json --only stats --stats-interval 200ms";
        let fixed = ["--iface", lab.server.plan.interface, "--max-flows", MAX_FLOWS, "--metrics", METRICS];
        let args: Vec<&str> = fixed.into_iter().chain(args.split(' ')).collect();
        let setup = Setup { stdout: Some(Box::new(listener)), ..Setup::default() };
        let monitor = Monitor::launch(&lab.server.ns, program, &args, setup)?;
        monitor.wait_until_watching()?;
        Ok(Soak { lab, client, server, monitor, totals })
    }

    /// IPv4 and IPv6 in turn. No two SYNs of a soak are of the same client.
    fn round(&self, number: u64, flooded_before: u64) -> Result<Round> {
        let plan = self.lab.server.plan;
        let (net, victim) = if number.is_multiple_of(2) {
            (Prefix::new(IpAddr::V4(Ipv4Addr::new(198, 19, 0, 0)), 16), plan.v4_at(PORT))
        } else {
            (Prefix::new(IpAddr::V6(Ipv6Addr::new(0x2001, 2, 0, 0xff, 0, 0, 0, 0)), 64), plan.v6_at(PORT))
        };
        let syns = Flood { sources: net, victim, count: FLOOD, rate: RATE, seed: 1 };
        let (first, mut random) = (number * (HANDSHAKES + FLOOD), Random::new(number));
        let of_clients: Vec<Segment> =
            (first..first + HANDSHAKES).map(|number| syns.syn(number, &mut random)).collect();
        handshakes::complete(&self.client, &self.server, &of_clients)?;
        let flood = |number| syns.syn(first + HANDSHAKES + number, &mut random);
        let sent = send_at_rate(&self.client, FLOOD, RATE, &AtomicBool::new(false), flood)?;
        self.settle((number + 1) * HANDSHAKES, flooded_before + sent)
    }

    /// Waits until hs-mon has counted all of it, and looks at what it uses then.
    fn settle(&self, made: u64, flooded: u64) -> Result<Round> {
        let deadline = Instant::now() + SETTLES_WITHIN;
        let expected = [("completed", made), ("half_open", flooded), ("in_progress", 0)];
        loop {
            let totals = self.totals();
            let get = |name: &str| totals[name].as_u64().unwrap_or(0);
            if expected.iter().all(|(name, number)| get(name) == *number) && events_add_up(&totals) {
                return self.look(made, flooded, &totals);
            }
            if Instant::now() > deadline {
                bail!("hs-mon should have counted {expected:?}; it says {totals}");
            }
            thread::sleep(Duration::from_millis(10));
        }
    }

    fn look(&self, made: u64, flooded: u64, totals: &Value) -> Result<Round> {
        let pid = self.monitor.pid();
        // Before the scrape, whose connection hs-mon has for some moments longer than we have.
        let descriptors = process::descriptors(pid)?;
        let address: SocketAddr = METRICS.parse()?;
        let metrics = http::get(&self.lab.server.ns, address, "/metrics").context("no metrics")?;
        Ok(Round {
            made,
            flooded,
            resident_bytes: process::resident_bytes(pid)?,
            descriptors,
            slots_used: http::sample(&metrics, "hsmon_flow_slots_used_ratio"),
            suppressed: totals["events_suppressed"].as_u64().unwrap_or(0),
        })
    }

    fn totals(&self) -> Value {
        self.totals.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The last totals are what was made, exactly, and add up.
    fn finish(self, rounds: &[Round]) -> Result<()> {
        let last = rounds.last().context("no round")?;
        let totals = Arc::clone(&self.totals);
        let finished = self.monitor.stop(libc::SIGINT)?;
        ensure!(finished.status.success(), "hs-mon failed: {}", finished.stderr.join(" | "));
        let totals = totals.lock().unwrap_or_else(PoisonError::into_inner);
        let expected = [
            ("begun", last.made + last.flooded),
            ("syn", last.made + last.flooded),
            ("synack", last.made),
            ("completed", last.made),
            ("half_open", last.flooded),
            ("events_lost", 0),
            ("flows_contended", 0),
        ];
        for (name, number) in expected {
            ensure!(totals[name] == number, "{number} {name} were made, hs-mon counted {}", totals[name]);
        }
        ensure!(totals["ledger"]["balanced"] == true, "the ledger does not add up: {totals}");
        Ok(())
    }
}

/// Every event that was due came, or is known to be missing.
fn events_add_up(totals: &Value) -> bool {
    let get = |name: &str| totals[name].as_u64();
    let parts = ["events_delivered", "events_lost", "events_suppressed"].map(get);
    get("events_produced").is_some_and(|due| due == parts.iter().flatten().sum::<u64>())
}

/// What is used after the last round is what was used after the warm-up.
fn stays_flat(rounds: &[Round]) -> Result<()> {
    let (Some(warm), Some(last)) = (rounds.get(WARM_UP - 1), rounds.last()) else { bail!("too few rounds") };
    ensure!(
        last.resident_bytes <= warm.resident_bytes + BREATH,
        "memory grows: {} bytes after the warm-up, {} at the end",
        warm.resident_bytes,
        last.resident_bytes
    );
    ensure!(
        last.descriptors == warm.descriptors,
        "{} files were open after the warm-up, {} at the end",
        warm.descriptors,
        last.descriptors
    );
    ensure!(
        (last.slots_used - warm.slots_used).abs() <= ESTIMATE,
        "of the flow slots {:.3} were in use after the warm-up, {:.3} at the end",
        warm.slots_used,
        last.slots_used
    );
    Ok(())
}
