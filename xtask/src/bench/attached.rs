//! A pair of interfaces in two network namespaces, with hs-mon on one of them, with a program that does less, or with
//! nothing. No packet leaves the pair.

use std::fs;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use serde_json::Value;

use super::kernel;
use crate::build::{self, Profile};
use crate::cargo;
use crate::lab::clients::Tally;
use crate::lab::monitor::{Monitor, Setup};
use crate::lab::process;
use crate::lab::wire::Wire;
use crate::lab::{Host, Lab};

/// What is attached to the interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attached {
    Nothing,
    Pass(&'static str),
    /// Keeps flows in an LRU hash map, and nothing else.
    Follow(&'static str),
    HsMon(&'static str),
}

/// What is attached, and where it writes.
pub struct Programs {
    pub hs_mon: PathBuf,
    /// That of the programs which do less.
    less: PathBuf,
    /// Where hs-mon writes when nobody reads along.
    output: PathBuf,
}

impl Programs {
    /// Builds them.
    pub fn build() -> Result<Programs> {
        Ok(Programs {
            hs_mon: build::build(Profile::Release)?,
            less: kernel::build()?,
            output: cargo::workspace()?.target_directory.join("bench-live.json"),
        })
    }
}

/// The pair; all of it is gone when this is dropped, whatever happens.
pub struct Pair<'a> {
    pub attached: Attached,
    /// Where packets are sent.
    pub wire: Wire,
    pub lab: Lab,
    monitor: Option<Monitor>,
    /// Where hs-mon writes, unless it is read along.
    output: Option<&'a Path>,
    alert: Arc<OnceLock<Instant>>,
    /// Packets that had passed before it was started, and once it watched.
    passed_before: i64,
    passed_watched: i64,
}

/// hs-mon's process before packets are sent.
pub struct Before {
    at: Instant,
    cpu: Duration,
    resident_bytes: u64,
}

/// And what it used while they were.
pub struct Sent {
    before: Before,
    cpu: Duration,
    elapsed: Duration,
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
    /// Packets that passed the interface, in and out, less those that hs-mon counted. 0 also if it is one of the few that
    /// pass while hs-mon begins and ends.
    pub packets_missed: i64,
    /// Events produced, less those written, lost and left out as hs-mon counted them.
    pub events_missed: i64,
    /// Memory of hs-mon after the packets, less that before them, in bytes.
    pub grown_bytes: i64,
}

impl<'a> Pair<'a> {
    /// In a laboratory of its own. Somebody reads along what hs-mon writes, or it goes to a file: of a million packets
    /// there are so many lines that their reader, in this process, would be measured too.
    pub fn open(attached: Attached, programs: &'a Programs, read_along: bool) -> Result<Pair<'a>> {
        let lab = Lab::pair()?;
        let wire = Wire::open(&lab.client)?;
        let alert = Arc::default();
        let output = (!read_along).then_some(programs.output.as_path());
        let passed_before = passed_through(&lab.server)?;
        let monitor = launch(&lab, attached, programs, &alert, output)?;
        let passed_watched = passed_through(&lab.server)?;
        Ok(Pair { attached, wire, lab, monitor, output, alert, passed_before, passed_watched })
    }

    /// To be asked before packets are sent; of anything else than hs-mon it does not matter.
    pub fn before(&self) -> Result<Before> {
        let (cpu, resident_bytes) = match &self.monitor {
            Some(monitor) => (process::cpu(monitor.pid())?, process::resident_bytes(monitor.pid())?),
            None => (Duration::ZERO, 0),
        };
        Ok(Before { at: Instant::now(), cpu, resident_bytes })
    }

    /// To be asked at once when all are sent.
    pub fn since(&self, before: Before) -> Result<Sent> {
        let elapsed = before.at.elapsed();
        let now = self.monitor.as_ref().map_or(Ok(before.cpu), |monitor| process::cpu(monitor.pid()))?;
        let cpu = now.saturating_sub(before.cpu);
        Ok(Sent { before, cpu, elapsed })
    }

    /// Ends hs-mon, if it is that, and reads what it told.
    pub fn finish(self, sent: Sent, honest: Tally) -> Result<Option<Monitored>> {
        let Sent { before, cpu, elapsed } = sent;
        let (Attached::HsMon(_), Some(monitor)) = (self.attached, self.monitor) else { return Ok(None) };
        let peak_bytes = process::peak_bytes(monitor.pid())?;
        let grown_bytes = process::resident_bytes(monitor.pid())? as i64 - before.resident_bytes as i64;
        let passed_watching = passed_through(&self.lab.server)? - self.passed_watched;
        let mut told = monitor.stop(libc::SIGINT)?.stdout;
        let passed = passed_watching..=(passed_through(&self.lab.server)? - self.passed_before);
        if let Some(output) = self.output {
            let text =
                fs::read_to_string(output).with_context(|| format!("can't read {}", output.display()))?;
            told = text.lines().map(str::to_owned).collect();
        }
        let totals = last_totals(&told)?;
        Ok(Some(Monitored {
            cpu,
            elapsed,
            peak_bytes,
            honest,
            reported: reported(&told, &self.lab),
            detection: self.alert.get().map(|seen| seen.saturating_duration_since(before.at)),
            ledger: Ledger {
                packets_missed: missed(&passed, total(&totals, "packets")),
                events_missed: events_missed(&totals, &told),
                grown_bytes,
            },
            totals,
        }))
    }
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
    let hold = |what, place| vec!["--hold", interface, "--what", what, "--place", place];
    let (program, args): (&Path, Vec<&str>) = match attached {
        Attached::Nothing => return Ok(None),
        Attached::Pass(place) => (&programs.less, hold("pass", place)),
        Attached::Follow(place) => (&programs.less, hold("follow", place)),
        Attached::HsMon(mode) => {
            (&programs.hs_mon, vec!["--iface", interface, "--mode", mode, "--format", "json"])
        }
    };
    let (program_name, output) = (program.to_string_lossy(), output.map(Path::to_string_lossy));
    let (program, args) = match &output {
        // The shell becomes the program: it is the same process.
        Some(output) if matches!(attached, Attached::HsMon(_)) => {
            let shell = ["-c", "out=$1; shift; exec \"$0\" \"$@\" > \"$out\"", &program_name, output];
            (Path::new("sh"), shell.into_iter().chain(args).collect())
        }
        _ => (program, args),
    };
    let setup = Setup { stdout: Some(Box::new(hear)), ..Setup::default() };
    let monitor = Monitor::launch(&lab.server.ns, program, &args, setup)?;
    monitor.wait_until_watching()?;
    Ok(Some(monitor))
}

/// Packets that came to a host's end of the cable, and that its stack sent there.
fn passed_through(host: &Host) -> Result<i64> {
    let shown = host.ns.command("ip").args(["-json", "-stats", "link", "show", host.plan.interface]).output();
    let shown: Value = serde_json::from_slice(&shown.context("can't run ip")?.stdout)?;
    let stats = &shown[0]["stats64"];
    let count = |way: &str, name: &str| stats[way][name].as_i64().context("no statistics of the interface");
    Ok(count("rx", "packets")? + count("tx", "packets")? + count("tx", "dropped")?)
}

/// How many are missing from `counted`, or too many there (less than 0), if so many passed.
fn missed(passed: &RangeInclusive<i64>, counted: i64) -> i64 {
    counted.clamp(*passed.start(), *passed.end()) - counted
}

fn last_totals(lines: &[String]) -> Result<Value> {
    let line = lines.last().context("hs-mon wrote nothing")?;
    let mut totals: Value = serde_json::from_str(line).with_context(|| format!("no JSON: {line}"))?;
    Ok(totals["stats"].take())
}

fn total(totals: &Value, name: &str) -> i64 {
    totals[name].as_i64().unwrap_or_default()
}

/// Handshakes of the client's own address that are told as completed.
fn reported(told: &[String], lab: &Lab) -> u64 {
    let client = format!("\"src_ip\":\"{}\"", lab.client.plan.v4);
    let completed = |line: &&String| line.contains("\"outcome\":\"completed\"") && line.contains(&client);
    told.iter().filter(completed).count() as u64
}

fn events_missed(totals: &Value, told: &[String]) -> i64 {
    let is_event = |line: &&String| {
        ["handshake", "anomaly"].iter().any(|kind| line.contains(&format!("\"event_type\":\"{kind}\"")))
    };
    total(totals, "events_produced")
        - told.iter().filter(is_event).count() as i64
        - total(totals, "events_lost")
        - total(totals, "events_suppressed")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missed_is_what_passed_for_certain_and_was_not_counted() {
        for (counted, expected) in [(90, 10), (100, 0), (103, 0), (105, 0), (106, -1)] {
            assert_eq!(missed(&(100..=105), counted), expected, "{counted}");
        }
    }
}
