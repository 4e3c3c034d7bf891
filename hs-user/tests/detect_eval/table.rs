//! Measures a scenario over its seeds, and prints the figures beside those to reach.

use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use hs_common::Addr;
use hs_mon::detect::{Alert, Phase, Settings};

use crate::references::References;
use crate::scenarios::{Scenario, Truth};
use crate::traffic::Traffic;
use crate::watch::{Said, T0, run};

/// The figure to reach.
#[derive(Clone, Copy)]
pub enum Goal {
    /// Flagged within so many seconds: median, worst.
    Within(f64, f64),
    /// No alert.
    Silence,
    /// So many sources, within 5 %.
    Sources(u64),
}

pub struct Row {
    scenario: Box<dyn Fn(u64) -> Scenario + Sync>,
    goal: Goal,
}

/// What was measured of a scenario.
#[derive(Default)]
pub struct Measured {
    name: String,
    goal: String,
    /// Seconds until the attack was flagged, of the seeds where it was.
    pub delays: Vec<f64>,
    ends: Vec<f64>,
    kinds: (usize, usize),
    source_errors: Vec<f64>,
    share_errors: Vec<f64>,
    /// Other alerts, by seed.
    pub false_alarms: Vec<usize>,
    /// First alarms of the others, by seed.
    references: Vec<Vec<Option<f64>>>,
    pub missed: Vec<String>,
}

impl Row {
    pub fn new(scenario: impl Fn(u64) -> Scenario + Sync + 'static, goal: Goal) -> Row {
        Row { scenario: Box::new(scenario), goal }
    }

    pub fn name(&self) -> &'static str {
        (self.scenario)(1).name
    }

    /// Simulated time of one seed, in seconds.
    pub fn seconds(&self) -> f64 {
        (self.scenario)(1).until as f64 / 1e9
    }

    /// All seeds, on all cores.
    pub fn measure(&self, seeds: u64, settings: &Settings, with_references: bool) -> Measured {
        let with_references = with_references && !matches!(self.goal, Goal::Sources(_));
        let mut measured = Measured { name: self.name().to_owned(), ..Measured::default() };
        for (seed, (truth, said)) in (1..).zip(self.run(seeds, settings, with_references)) {
            measured.add(seed, &truth, &said, with_references);
        }
        measured.judge(self.goal);
        measured
    }

    /// What was said, and what should have been, by seed.
    pub fn run(&self, seeds: u64, settings: &Settings, with_references: bool) -> Vec<(Truth, Said)> {
        let next = AtomicU64::new(1);
        let work = || {
            let mut done = Vec::new();
            loop {
                let seed = next.fetch_add(1, Ordering::Relaxed);
                if seed > seeds {
                    return done;
                }
                let scenario = (self.scenario)(seed);
                let traffic = Traffic::new(scenario.flows, seed);
                let said = run(traffic, scenario.until, settings, with_references);
                done.push((seed, (scenario.truth, said)));
            }
        };
        let cores = thread::available_parallelism().map_or(1, usize::from);
        let mut done: Vec<_> = thread::scope(|scope| {
            let threads: Vec<_> = (0..cores).map(|_| scope.spawn(work)).collect();
            threads.into_iter().flat_map(|thread| thread.join().expect("a scenario runs")).collect()
        });
        done.sort_unstable_by_key(|(seed, _)| *seed);
        done.into_iter().map(|(_, run)| run).collect()
    }
}

fn seconds(from: u64, to_ns: u64) -> f64 {
    (to_ns as f64 - (T0 + from) as f64) / 1e9
}

impl Measured {
    fn add(&mut self, seed: u64, truth: &Truth, said: &Said, with_references: bool) {
        let starts: Vec<&Alert> = said.alerts.iter().filter(|alert| alert.phase == Phase::Start).collect();
        let right = |alert: &&&Alert| {
            truth.attack.is_some_and(|(from, _)| alert.now_ns >= T0 + from)
                && Some(alert.signature) == truth.signature
                && (truth.port.is_none() || alert.victim.port == truth.port)
                && alert.victim.prefix == truth.prefix
                && !truth.also.iter().any(|(addr, _)| IpAddr::from(*addr) == alert.victim.ip)
        };
        let first = starts.iter().find(right).copied();
        let is_also = |alert: &Alert| {
            let hit = |(addr, port): &(Addr, u16)| (IpAddr::from(*addr), Some(*port));
            truth.also.iter().any(|also| hit(also) == (alert.victim.ip, alert.victim.port))
        };
        let also = starts.iter().filter(|alert| is_also(alert)).count();
        if also != truth.also.len() {
            self.missed.push(format!("{}, seed {seed}: {also} alerts of other victims", self.name));
        }
        let others: Vec<&&Alert> = starts
            .iter()
            .filter(|alert| first.is_none_or(|first| first.id != alert.id) && !is_also(alert))
            .collect();
        let wrong = others.len();
        self.false_alarms.push(wrong);
        if wrong > 0 {
            let what: Vec<String> = others.iter().take(3).map(|alert| describe(alert)).collect();
            self.missed.push(format!(
                "{}, seed {seed}: {wrong} other alerts: {}",
                self.name,
                what.join("; ")
            ));
        }
        if with_references {
            self.add_references(truth, said);
        }
        let Some((from, until)) = truth.attack else { return };
        let Some(first) = first else {
            return self.missed.push(format!("{}, seed {seed}: not flagged", self.name));
        };
        self.delays.push(seconds(from, first.now_ns));
        let end = said.alerts.iter().find(|alert| alert.id == first.id && alert.phase == Phase::End);
        let Some(end) = end else { return };
        self.ends.push(seconds(until, end.now_ns));
        if let Some(kind) = truth.kind {
            self.kinds.0 += usize::from(end.kind == kind);
            self.kinds.1 += 1;
            if end.kind != kind {
                self.missed
                    .push(format!("{}, seed {seed}: kind {:?} {:?}", self.name, end.kind, end.evidence));
            }
        }
        if let Some(sources) = truth.sources {
            self.source_errors.push((end.sources_estimate as f64 / sources - 1.0).abs());
        }
        for (source, share) in &truth.shares {
            let told = end.top_sources.iter().find(|(ip, _)| *ip == IpAddr::from(*source));
            self.share_errors.push((told.map_or(0.0, |(_, share)| *share) - share).abs());
        }
    }

    fn add_references(&mut self, truth: &Truth, said: &Said) {
        let from = truth.attack.map_or(0, |(from, _)| from);
        for (index, at) in said.references.alarms(from).into_iter().enumerate() {
            if self.references.len() <= index {
                self.references.push(Vec::new());
            }
            self.references[index].push(at.map(|at| (at - from) as f64 / 1e9));
        }
    }

    fn judge(&mut self, goal: Goal) {
        let name = self.name.clone();
        let mut require = |holds: bool, what: String| {
            if !holds {
                self.missed.push(format!("{name}: {what}"));
            }
        };
        self.goal = match goal {
            Goal::Within(median_goal, worst_goal) => {
                require(
                    median(&self.delays) <= median_goal,
                    format!("median delay {:.2} s", median(&self.delays)),
                );
                require(
                    worst(&self.delays) <= worst_goal,
                    format!("worst delay {:.2} s", worst(&self.delays)),
                );
                format!("{median_goal} s, worst {worst_goal} s")
            }
            Goal::Silence => "no alert".to_owned(),
            Goal::Sources(count) => {
                let error = worst(&self.source_errors);
                require(error <= 0.05, format!("{count} sources: off by {:.1} %", error * 100.0));
                format!("{count} within 5 %")
            }
        };
        require(worst(&self.ends) <= 5.0, format!("end told after {:.1} s", worst(&self.ends)));
        require(worst(&self.share_errors) <= 0.02, format!("share off by {:.3}", worst(&self.share_errors)));
    }

    pub fn print(&self) {
        let pair = |values: &[f64], unit: f64, digits: usize| match values {
            [] => "–".to_owned(),
            _ => format!("{:.digits$} / {:.digits$}", median(values) * unit, worst(values) * unit),
        };
        let kinds =
            if self.kinds.1 == 0 { "–".to_owned() } else { format!("{}/{}", self.kinds.0, self.kinds.1) };
        println!(
            "| {} | {} | {} | {} | {kinds} | {} | {} | {} |{}",
            self.name,
            self.goal,
            pair(&self.delays, 1.0, 2),
            pair(&self.ends, 1.0, 1),
            pair(&self.source_errors, 100.0, 1),
            pair(&self.share_errors, 100.0, 1),
            self.false_alarms.iter().sum::<usize>(),
            self.references_text(),
        );
    }

    fn references_text(&self) -> String {
        if self.references.is_empty() {
            return " – |".repeat(References::NAMES.len());
        }
        let one = |times: &[Option<f64>]| {
            let found: Vec<f64> = times.iter().flatten().copied().collect();
            match (found.len(), self.delays.is_empty()) {
                (0, _) => "never".to_owned(),
                (count, true) => format!("**false in {count}/{}**", times.len()),
                (count, false) => {
                    format!("{:.1} / {:.1} in {count}/{}", median(&found), worst(&found), times.len())
                }
            }
        };
        self.references.iter().map(|times| format!(" {} |", one(times))).collect()
    }
}

pub fn print_head() {
    println!(
        "| scenario | to reach | flagged after, s | end told after, s | kind right | sources off by, % | shares off by, points | other alerts | {} |",
        References::NAMES.join(" | ")
    );
    println!("|---|---|---|---|---|---|---|---|---|---|---|");
}

fn describe(alert: &Alert) -> String {
    format!(
        "{} on {} at {:.2} s, {:.0}/s",
        alert.signature.name(),
        alert.victim,
        seconds(0, alert.now_ns),
        alert.syn_rate
    )
}

pub fn median(values: &[f64]) -> f64 {
    let mut values = values.to_vec();
    values.sort_unstable_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(0.0)
}

pub fn worst(values: &[f64]) -> f64 {
    values.iter().copied().fold(0.0, f64::max)
}
