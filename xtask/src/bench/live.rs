//! Packets at the full speed of a pair of interfaces, with hs-mon on one of them, with programs that do less, and with
//! nothing.

use std::net::{IpAddr, Ipv4Addr};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use serde_json::Value;

use super::attached::{Attached, Monitored, Pair, Programs};
use super::start::{self, Starts};
use super::{capture, live_table, ordinary};
use crate::lab::clients::{Clients, Tally};
use crate::lab::flood::Flood;
use crate::lab::frame::Prefix;
use crate::lab::random::Random;
use crate::lab::server::{Manner, Server};
use crate::lab::wire::Wire;
use crate::{privilege, shell};

/// How many packets a measurement sends.
pub const PACKETS: usize = 1_000_000;
/// How many go to one pair before the next has its turn: some 20 ms, in which a machine hardly changes.
const TURN: usize = 16_384;
const PORT: u16 = 80;
const CLIENTS_PER_SECOND: f64 = 200.0;
/// Before packets, so that what belongs to the start is over and clients are there; and after them, for what is still on
/// its way.
const SETTLE: Duration = Duration::from_millis(500);
const FLOODERS: Prefix = Prefix::new(IpAddr::V4(Ipv4Addr::new(198, 19, 0, 0)), 16);
/// Nobody's, so that the server's own TCP does not become what is measured.
const VICTIM: ([u8; 4], u16) = ([198, 18, 64, 1], PORT);

/// What is compared side by side.
const GROUPS: [&[Attached]; 3] = [
    &[Attached::Nothing, Attached::Pass("tc"), Attached::Follow("tc"), Attached::HsMon("tc")],
    &[Attached::Pass("generic"), Attached::Follow("generic"), Attached::HsMon("generic")],
    &[Attached::Pass("native"), Attached::Follow("native"), Attached::HsMon("native")],
];

/// What came out of all measurements, for each kind of traffic by what was attached.
pub struct Outcomes {
    /// How long it takes to begin.
    pub starts: Vec<Starts>,
    /// No attack.
    pub ordinary: Vec<Outcome>,
    /// A fifth of it spoofed SYNs.
    pub mixed: Vec<Outcome>,
    /// Spoofed SYNs alone, and honest clients beside them.
    pub flood: Vec<Outcome>,
}

/// What came out of one measurement, or the median by rate of those of all rounds.
#[derive(Clone, Debug)]
pub struct Outcome {
    pub attached: Attached,
    /// Packets a second.
    pub rate: f64,
    /// The same of each turn, in their order.
    pub rates: Vec<f64>,
    /// Of hs-mon's user space, if it was there.
    pub monitor: Option<Monitored>,
}

/// It makes namespaces and enters them, which no single command run by sudo can do for it.
pub fn needs_root() -> Result<()> {
    if privilege::is_root() {
        return Ok(());
    }
    bail!(
        "the live part makes network namespaces and must be root; run the whole as root, or all but this part:\n  \
         cargo xtask bench --part programs,replay"
    )
}

/// Measures and prints tables; returns the figures.
pub fn run(quick: bool) -> Result<Value> {
    if !privilege::is_root() {
        bail!(
            "the live part makes network namespaces and must be root; run: sudo cargo xtask bench --part live"
        );
    }
    let programs = Programs::build()?;
    // First of all, as long as this process is small.
    let starts = start::measure(&programs.hs_mon)?;
    let rounds = if quick { 1 } else { 5 };
    let outcomes = Outcomes {
        starts,
        ordinary: side_by_side("ordinary traffic", ordinary::frames(), rounds, &programs)?,
        mixed: side_by_side("under attack", capture::frames(), rounds, &programs)?,
        flood: flood(rounds, &programs)?,
    };
    print!("{}", live_table::tables(&outcomes));
    Ok(live_table::figures(&outcomes))
}

/// A million of these frames to each of what is compared, in turns, so many times; and then to hs-mon alone, for what
/// it uses at full speed.
fn side_by_side(
    traffic: &str,
    frames: impl Iterator<Item = Vec<u8>>,
    rounds: usize,
    programs: &Programs,
) -> Result<Vec<Outcome>> {
    let frames: Vec<Vec<u8>> = frames.take(PACKETS).collect();
    let mut outcomes = Vec::new();
    for group in GROUPS {
        shell::say(&format!("a million packets, {traffic}: {group:?}"));
        let mut rates = vec![Vec::new(); group.len()];
        for _ in 0..rounds {
            take_turns(group, programs, &frames, &mut rates)?;
        }
        for (attached, rates) in group.iter().zip(rates) {
            let monitor = match attached {
                Attached::HsMon(_) => of_median_cpu(*attached, programs, &frames, rounds)?,
                _ => None,
            };
            let rate = median(rates.iter().copied()).unwrap_or_default();
            outcomes.push(Outcome { attached: *attached, rate, rates, monitor });
        }
    }
    Ok(outcomes)
}

/// Who goes first changes, because frames are in the cache for those after it. Every time in pairs that know none of the
/// flows.
fn take_turns(
    group: &[Attached],
    programs: &Programs,
    frames: &[Vec<u8>],
    rates: &mut [Vec<f64>],
) -> Result<()> {
    let pairs = group.iter().map(|attached| Pair::open(*attached, programs, false));
    let pairs = pairs.collect::<Result<Vec<_>>>()?;
    for (number, frames) in frames.chunks(TURN).enumerate() {
        for place in 0..pairs.len() {
            let place = (place + number) % pairs.len();
            rates[place].push(send(&pairs[place].wire, frames)?);
        }
    }
    Ok(())
}

fn of_median_cpu(
    attached: Attached,
    programs: &Programs,
    frames: &[Vec<u8>],
    rounds: usize,
) -> Result<Option<Monitored>> {
    let alone = || {
        let pair = Pair::open(attached, programs, false)?;
        thread::sleep(SETTLE);
        let before = pair.before()?;
        send(&pair.wire, frames)?;
        let sent = pair.since(before)?;
        thread::sleep(SETTLE);
        pair.finish(sent, Tally::default())
    };
    let mut runs = (0..rounds).map(|_| alone()).collect::<Result<Vec<_>>>()?;
    runs.sort_by_key(|run| run.as_ref().map(|monitored| monitored.cpu));
    Ok(runs.swap_remove(rounds / 2))
}

/// Packets a second.
fn send(wire: &Wire, frames: &[Vec<u8>]) -> Result<f64> {
    let started = Instant::now();
    wire.send_frames(frames)?;
    Ok(frames.len() as f64 / started.elapsed().as_secs_f64())
}

/// The value in the middle, if there is any.
pub fn median(values: impl IntoIterator<Item = f64>) -> Option<f64> {
    let mut sorted: Vec<f64> = values.into_iter().collect();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied()
}

/// A million SYNs, and honest clients beside them; of so many rounds the median by rate.
fn flood(rounds: usize, programs: &Programs) -> Result<Vec<Outcome>> {
    let subjects = GROUPS.concat();
    let subjects = subjects.into_iter().filter(|one| matches!(one, Attached::Nothing | Attached::HsMon(_)));
    let median = |attached| {
        shell::say(&format!("a million spoofed SYNs: {attached:?}"));
        let mut outcomes = (0..rounds).map(|_| endure(attached, programs)).collect::<Result<Vec<_>>>()?;
        outcomes.sort_by(|one, other| one.rate.total_cmp(&other.rate));
        Ok(outcomes.swap_remove(outcomes.len() / 2))
    };
    subjects.map(median).collect()
}

fn endure(attached: Attached, programs: &Programs) -> Result<Outcome> {
    let pair = Pair::open(attached, programs, true)?;
    let frames = flood_frames(&pair.wire);
    let address = pair.lab.server.plan.v4_at(PORT);
    let _server = Server::start(&pair.lab.server.ns, &[address], Manner::Close, None)?;
    let clients = Clients::start(&pair.lab.client.ns, &[address], CLIENTS_PER_SECOND)?;
    thread::sleep(SETTLE);
    let before = pair.before()?;
    let rate = send(&pair.wire, &frames)?;
    let sent = pair.since(before)?;
    thread::sleep(SETTLE);
    let monitor = pair.finish(sent, clients.stop()?)?;
    Ok(Outcome { attached, rate, rates: vec![rate], monitor })
}

/// SYNs of a million sources that are not there.
fn flood_frames(wire: &Wire) -> Vec<Vec<u8>> {
    let flood =
        Flood { sources: FLOODERS, victim: VICTIM.into(), count: PACKETS as u64, rate: 1, seed: 2026 };
    let mut random = Random::new(flood.seed);
    (0..flood.count).map(|number| wire.frame(&flood.syn(number, &mut random))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_a_value_in_the_middle() {
        assert_eq!(median([3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median([]), None);
    }
}
