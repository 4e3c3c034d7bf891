//! Packets at the full speed of a pair of interfaces in two network namespaces, with hs-mon on one of them,
//! with a program that only passes, and with nothing. None of them leaves the pair.

use std::fs;
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use super::start::{self, Starts};
use super::{capture, kernel, live_table, ordinary};
use crate::build::{self, Profile};
use crate::lab::clients::{Clients, Tally};
use crate::lab::flood::Flood;
use crate::lab::frame::Prefix;
use crate::lab::monitor::{Monitor, Setup};
use crate::lab::process;
use crate::lab::random::Random;
use crate::lab::server::{Manner, Server};
use crate::lab::wire::Wire;
use crate::lab::{Host, Lab};
use crate::{cargo, privilege, shell};

/// How many packets a measurement sends.
pub const PACKETS: usize = 1_000_000;
const PORT: u16 = 80;
const CLIENTS_PER_SECOND: f64 = 200.0;
/// Before the flood, so that clients are there when it begins; and after it, for what is still on its way.
const SETTLE: Duration = Duration::from_millis(500);
const FLOODERS: Prefix = Prefix::new(IpAddr::V4(Ipv4Addr::new(198, 19, 0, 0)), 16);
/// Nobody's, so that the server's own TCP does not become what is measured.
const VICTIM: ([u8; 4], u16) = ([198, 18, 64, 1], PORT);

/// What is attached to the interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attached {
    Nothing,
    Pass(&'static str),
    HsMon(&'static str),
}

const ALL: [Attached; 7] = [
    Attached::Nothing,
    Attached::Pass("tc"),
    Attached::HsMon("tc"),
    Attached::Pass("generic"),
    Attached::HsMon("generic"),
    Attached::Pass("native"),
    Attached::HsMon("native"),
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
    /// The same in each round, in their order.
    pub rates: Vec<f64>,
    /// Of hs-mon's user space, if it was there.
    pub monitor: Option<Monitored>,
}

/// What hs-mon used and told.
#[derive(Clone, Debug)]
pub struct Monitored {
    pub cpu: Duration,
    /// While packets were sent.
    pub elapsed: Duration,
    pub peak_bytes: u64,
    /// Its last totals.
    pub totals: Value,
    /// Connections that honest clients made.
    pub honest: Tally,
    /// Handshakes of honest clients that it reported completed.
    pub reported: u64,
    /// From the first packet to the first alert.
    pub detection: Option<Duration>,
    /// What it said of the packets, held against what others counted.
    pub ledger: Ledger,
}

/// Nothing is lost unseen if both differences are 0.
#[derive(Clone, Copy, Debug)]
pub struct Ledger {
    /// Packets that passed the interface, in and out, less those that hs-mon counted.
    pub packets_missed: i64,
    /// Events produced, less those written, lost and left out as hs-mon counted them.
    pub events_missed: i64,
    /// Memory of hs-mon after the packets, less that before them, in bytes.
    pub grown_bytes: i64,
}

struct Programs {
    hs_mon: PathBuf,
    bench: PathBuf,
    /// Where hs-mon writes when nobody reads along.
    output: PathBuf,
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
    let programs = Programs {
        hs_mon: build::build(Profile::Release)?,
        bench: kernel::build()?,
        output: cargo::workspace()?.target_directory.join("bench-live.json"),
    };
    // First of all, as long as this process is small.
    let starts = start::measure(&programs.hs_mon)?;
    let rounds = if quick { 1 } else { 5 };
    // Here the differences are smaller, and one round tells too little of them.
    let ordinary = measure_mix(ordinary::frames(), rounds.max(3), &programs)?;
    let mixed = measure_mix(capture::frames(), rounds, &programs)?;
    let monitored: Vec<Attached> =
        ALL.into_iter().filter(|attached| !matches!(attached, Attached::Pass(_))).collect();
    let flood = measure_all(&monitored, rounds, &programs, |wire| Ok(flood(wire)), true)?;
    let outcomes = Outcomes { starts, ordinary, mixed, flood };
    print!("{}", live_table::tables(&outcomes));
    Ok(live_table::figures(&outcomes))
}

/// A million of these frames, with everything attached in turn.
fn measure_mix(
    frames: impl Iterator<Item = Vec<u8>>,
    rounds: usize,
    programs: &Programs,
) -> Result<Vec<Outcome>> {
    let frames: Vec<Vec<u8>> = frames.take(PACKETS).collect();
    measure_all(&ALL, rounds, programs, |_| Ok(frames.clone()), false)
}

/// Of so many rounds the median by rate; all in turn.
fn measure_all(
    attached: &[Attached],
    rounds: usize,
    programs: &Programs,
    frames: impl Fn(&Wire) -> Result<Vec<Vec<u8>>>,
    honest: bool,
) -> Result<Vec<Outcome>> {
    let mut outcomes: Vec<Vec<Outcome>> = attached.iter().map(|_| Vec::new()).collect();
    for _ in 0..rounds {
        for (attached, outcomes) in attached.iter().zip(&mut outcomes) {
            shell::say(&format!("a million packets through a pair of interfaces: {attached:?}"));
            outcomes.push(measure(*attached, programs, &frames, honest)?);
        }
    }
    Ok(outcomes.into_iter().filter_map(median).collect())
}

fn median(mut outcomes: Vec<Outcome>) -> Option<Outcome> {
    let rates = outcomes.iter().map(|outcome| outcome.rate).collect();
    outcomes.sort_by(|one, other| one.rate.total_cmp(&other.rate));
    let middle = outcomes.len() / 2;
    outcomes.into_iter().nth(middle).map(|outcome| Outcome { rates, ..outcome })
}

/// In a laboratory of its own, which is gone afterwards, whatever happens.
fn measure(
    attached: Attached,
    programs: &Programs,
    frames: impl Fn(&Wire) -> Result<Vec<Vec<u8>>>,
    honest: bool,
) -> Result<Outcome> {
    let lab = Lab::pair()?;
    let wire = Wire::open(&lab.client)?;
    let frames = frames(&wire)?;
    let address = lab.server.plan.v4_at(PORT);
    let _server = Server::start(&lab.server.ns, &[address], Manner::Close, None)?;
    let alert = Arc::new(OnceLock::new());
    // Of a million packets there are so many lines that their reader, in this process, would be measured too.
    let output = (!honest).then_some(programs.output.as_path());
    let before_watch = passed_through(&lab.server)?;
    let monitor = launch(&lab, attached, programs, &alert, output)?;
    let clients =
        if honest { Some(Clients::start(&lab.client.ns, &[address], CLIENTS_PER_SECOND)?) } else { None };
    thread::sleep(SETTLE);
    let cpu =
        |monitor: &Option<Monitor>| monitor.as_ref().map_or(Ok(Duration::ZERO), |m| process::cpu(m.pid()));
    let memory = monitor.as_ref().map_or(Ok(0), |monitor| process::resident_bytes(monitor.pid()))?;
    let (before, sent_at) = (cpu(&monitor)?, Instant::now());
    wire.send_frames(&frames)?;
    let elapsed = sent_at.elapsed();
    let cpu = cpu(&monitor)? - before;
    thread::sleep(SETTLE);
    let honest = clients.map_or(Ok(Tally::default()), Clients::stop)?;
    let rate = frames.len() as f64 / elapsed.as_secs_f64();
    let (Attached::HsMon(_), Some(monitor)) = (attached, monitor) else {
        return Ok(Outcome { attached, rate, rates: vec![rate], monitor: None });
    };
    let peak_bytes = process::peak_bytes(monitor.pid())?;
    let grown_bytes = process::resident_bytes(monitor.pid())? as i64 - memory as i64;
    let mut told = monitor.stop(libc::SIGINT)?.stdout;
    if let Some(output) = output {
        let text = fs::read_to_string(output).with_context(|| format!("can't read {}", output.display()))?;
        told = text.lines().map(str::to_owned).collect();
    }
    let client = format!("\"src_ip\":\"{}\"", lab.client.plan.v4);
    let completed = |line: &&String| line.contains("\"outcome\":\"completed\"") && line.contains(&client);
    let reported = told.iter().filter(completed).count() as u64;
    let detection = alert.get().map(|seen: &Instant| seen.saturating_duration_since(sent_at));
    let totals = last_totals(&told)?;
    let written = |line: &&String| {
        ["handshake", "anomaly"].iter().any(|kind| line.contains(&format!("\"event_type\":\"{kind}\"")))
    };
    let total = |name: &str| totals[name].as_i64().unwrap_or_default();
    let ledger = Ledger {
        packets_missed: (passed_through(&lab.server)? - before_watch) as i64 - total("packets"),
        events_missed: total("events_produced")
            - told.iter().filter(written).count() as i64
            - total("events_lost")
            - total("events_suppressed"),
        grown_bytes,
    };
    let monitor = Monitored { cpu, elapsed, peak_bytes, totals, honest, reported, detection, ledger };
    Ok(Outcome { attached, rate, rates: vec![rate], monitor: Some(monitor) })
}

fn launch(
    lab: &Lab,
    attached: Attached,
    programs: &Programs,
    alert: &Arc<OnceLock<Instant>>,
    output: Option<&Path>,
) -> Result<Option<Monitor>> {
    let interface = lab.server.plan.interface;
    let alert = Arc::clone(alert);
    let hear = move |line: &str| {
        if line.contains("\"event_type\":\"alert\"") {
            let _ = alert.set(Instant::now());
        }
    };
    let (program, args): (&Path, Vec<&str>) = match attached {
        Attached::Nothing => return Ok(None),
        Attached::Pass(place) => (&programs.bench, vec!["--hold", interface, "--place", place]),
        Attached::HsMon(mode) => {
            (&programs.hs_mon, vec!["--iface", interface, "--mode", mode, "--format", "json"])
        }
    };
    let (program_name, output) = (program.to_string_lossy(), output.map(Path::to_string_lossy));
    let (program, args) = match &output {
        // The shell becomes the program: it is the same process.
        Some(output) => {
            let shell = ["-c", "out=$1; shift; exec \"$0\" \"$@\" > \"$out\"", &program_name, output];
            (Path::new("sh"), shell.into_iter().chain(args).collect())
        }
        None => (program, args),
    };
    let setup = Setup { stdout: Some(Box::new(hear)), ..Setup::default() };
    let monitor = Monitor::launch(&lab.server.ns, program, &args, setup)?;
    monitor.wait_until_watching()?;
    Ok(Some(monitor))
}

/// Packets that came to a host's end of the cable, and that its stack sent there.
fn passed_through(host: &Host) -> Result<u64> {
    let shown = host.ns.command("ip").args(["-json", "-stats", "link", "show", host.plan.interface]).output();
    let shown: Value = serde_json::from_slice(&shown.context("can't run ip")?.stdout)?;
    let stats = &shown[0]["stats64"];
    let count = |way: &str, name: &str| stats[way][name].as_u64().context("no statistics of the interface");
    Ok(count("rx", "packets")? + count("tx", "packets")? + count("tx", "dropped")?)
}

fn last_totals(lines: &[String]) -> Result<Value> {
    let line = lines.last().context("hs-mon wrote nothing")?;
    let mut totals: Value = serde_json::from_str(line).with_context(|| format!("no JSON: {line}"))?;
    Ok(totals["stats"].take())
}

/// SYNs of a million sources that are not there.
fn flood(wire: &Wire) -> Vec<Vec<u8>> {
    let flood =
        Flood { sources: FLOODERS, victim: VICTIM.into(), count: PACKETS as u64, rate: 1, seed: 2026 };
    let mut random = Random::new(flood.seed);
    (0..flood.count).map(|number| wire.frame(&flood.syn(number, &mut random))).collect()
}
