//! How long hs-mon takes from its start until it is attached and says so. Measured by a process that is small yet, for a large one
//! takes long to start another.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Result;
use serde_json::{Value, json};

use crate::lab::Lab;
use crate::lab::monitor::{Monitor, Setup};
use crate::shell;

/// The ways to attach.
const MODES: [&str; 3] = ["tc", "generic", "native"];
/// Odd, so that there is a median.
const STARTS: usize = 11;

/// The starts of one mode.
pub struct Starts {
    mode: &'static str,
    /// The shortest first.
    took: Vec<Duration>,
}

/// Starts it by each mode, again and again, the modes in turn.
pub fn measure(hs_mon: &Path) -> Result<Vec<Starts>> {
    shell::say("starts of hs-mon");
    let lab = Lab::pair()?;
    let mut all: Vec<Starts> = MODES.iter().map(|mode| Starts { mode, took: Vec::new() }).collect();
    for _ in 0..STARTS {
        for starts in &mut all {
            starts.took.push(start(&lab, hs_mon, starts.mode)?);
        }
    }
    all.iter_mut().for_each(|starts| starts.took.sort_unstable());
    Ok(all)
}

fn start(lab: &Lab, hs_mon: &Path, mode: &str) -> Result<Duration> {
    let args = ["--iface", lab.server.plan.interface, "--mode", mode, "--format", "json"];
    let began = Instant::now();
    let monitor = Monitor::launch(&lab.server.ns, hs_mon, &args, Setup::default())?;
    monitor.wait_until_watching()?;
    let took = began.elapsed();
    monitor.stop(libc::SIGINT)?;
    Ok(took)
}

/// As Markdown.
pub fn table(all: &[Starts]) -> String {
    let rows = all.iter().map(|starts| {
        let (median, shortest, longest) = starts.milliseconds();
        format!("| {} | {median} ms | {shortest} ms | {longest} ms |\n", starts.mode)
    });
    format!(
        "\n### From the start until it is attached, {STARTS} starts each\n\n\
         | attached | median | shortest | longest |\n|---|--:|--:|--:|\n{}",
        rows.collect::<String>()
    )
}

/// For programs.
pub fn figures(all: &[Starts]) -> Value {
    let figure = |starts: &Starts| {
        let (median, shortest, longest) = starts.milliseconds();
        json!({ "attached": starts.mode, "median_ms": median, "shortest_ms": shortest, "longest_ms": longest })
    };
    all.iter().map(figure).collect()
}

impl Starts {
    /// The median, the shortest and the longest.
    fn milliseconds(&self) -> (u128, u128, u128) {
        let at = |place: usize| self.took.get(place).map_or(0, Duration::as_millis);
        (at(self.took.len() / 2), at(0), at(self.took.len().saturating_sub(1)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_stands_before_the_extremes() {
        let took = [5, 70, 900].map(Duration::from_millis).to_vec();
        let starts = [Starts { mode: "tc", took }];
        assert!(table(&starts).ends_with("| tc | 70 ms | 5 ms | 900 ms |\n"), "{}", table(&starts));
    }
}
