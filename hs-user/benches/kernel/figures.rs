//! From samples to figures: net of the empty program of the same round.

use serde_json::{Value, json};

use crate::course::target;
use crate::measure::Measured;

/// Names of the subjects, by their place in the table of jumps.
const NAMES: [&str; target::COUNT_OF] = ["pass", "count", "lookup", "update", "hs_mon"];

/// One subject in one row.
#[derive(Clone, Copy, Debug)]
pub struct Figure {
    pub median: f64,
    pub p99: f64,
}

impl Measured {
    /// A subject, in nanoseconds for a packet (for a handshake: for all three), net of the empty program.
    pub fn net(&self, subject: u32) -> Figure {
        let scale = f64::from(self.row.timed.frame.packets_per_flow());
        let empty = &self.samples[target::PASS as usize];
        let rounds = self.samples[subject as usize].iter().zip(empty);
        Figure::of(rounds.map(|(took, empty)| (took - empty) * scale).collect())
    }

    /// What the empty program takes: the harness.
    pub fn harness(&self) -> Figure {
        Figure::of(self.samples[target::PASS as usize].clone())
    }

    /// For programs.
    pub fn json(&self) -> Value {
        let subjects = (target::COUNT..target::COUNT_OF as u32).map(|subject| {
            let figure = self.net(subject);
            (NAMES[subject as usize].to_owned(), json!({"median_ns": figure.median, "p99_ns": figure.p99}))
        });
        let subjects: serde_json::Map<String, Value> = subjects.collect();
        json!({
            "row": self.row.id,
            "hook": self.hook.name(),
            "family": if self.v6 { 6 } else { 4 },
            "cores": self.cores,
            "rounds": self.samples[0].len(),
            "harness_ns": self.harness().median,
            "net": subjects,
        })
    }
}

impl Figure {
    fn of(mut samples: Vec<f64>) -> Figure {
        samples.sort_by(f64::total_cmp);
        Figure { median: quantile(&samples, 0.5), p99: quantile(&samples, 0.99) }
    }
}

/// Of sorted samples, the nearest one.
fn quantile(sorted: &[f64], share: f64) -> f64 {
    let place = (share * sorted.len().saturating_sub(1) as f64).round() as usize;
    sorted.get(place).copied().unwrap_or(0.0)
}
