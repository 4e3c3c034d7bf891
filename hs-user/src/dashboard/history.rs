//! What happened in each of the last seconds.

use std::collections::VecDeque;
use std::time::Duration;

use hs_common::{Counter, Counters, Outcome};

use super::Reading;
use crate::kernel::ProgramCost;

/// Seconds that are kept: more than any screen is wide.
const MOST: usize = 300;

/// What has a row and a graph of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Row {
    Syn,
    Completed,
    HalfOpen,
    Refused,
    Malformed,
}

impl Row {
    pub const ALL: [Row; 5] = [Row::Syn, Row::Completed, Row::HalfOpen, Row::Refused, Row::Malformed];

    pub const fn name(self) -> &'static str {
        match self {
            Row::Syn => "SYN",
            Row::Completed => "completed",
            Row::HalfOpen => "half-open",
            Row::Refused => "refused/aborted",
            Row::Malformed => "malformed",
        }
    }

    fn total(self, totals: &Counters) -> u64 {
        match self {
            Row::Syn => totals.get(Counter::Syn),
            Row::Completed => totals.outcome(Outcome::Completed),
            Row::HalfOpen => totals.outcome(Outcome::HalfOpen),
            Row::Refused => totals.outcome(Outcome::Refused) + totals.outcome(Outcome::Aborted),
            Row::Malformed => totals.outcome(Outcome::Malformed),
        }
    }
}

/// Rates of the last minutes.
#[derive(Default)]
pub struct History {
    rates: [VecDeque<u64>; Row::ALL.len()],
    last: Option<Reading>,
    /// Time in the kernel's programs for each packet of the last second, if it was measured.
    packet_cost: Option<Duration>,
    /// Processors that this process used in the last second: 1 is one of them.
    processors: f64,
}

impl History {
    pub fn read(&mut self, reading: &Reading) {
        let last = self.last.replace(reading.clone());
        let Some(last) = last else { return };
        let seconds = reading.now_ns.saturating_sub(last.now_ns) as f64 / 1e9;
        if seconds <= 0.0 {
            return;
        }
        let (before, now) = (&last.readings.totals, &reading.readings.totals);
        for (row, rates) in Row::ALL.iter().zip(&mut self.rates) {
            let grown = row.total(now).saturating_sub(row.total(before));
            rates.push_back((grown as f64 / seconds).round() as u64);
            if rates.len() > MOST {
                rates.pop_front();
            }
        }
        self.processors = reading.cpu_time.saturating_sub(last.cpu_time).as_secs_f64() / seconds;
        let packets = now.get(Counter::Packets) - before.get(Counter::Packets).min(now.get(Counter::Packets));
        let time = spent(&reading.readings.programs).saturating_sub(spent(&last.readings.programs));
        let measured = packets > 0 && !time.is_zero();
        self.packet_cost = measured.then(|| Duration::from_nanos(time.as_nanos() as u64 / packets));
    }

    /// Of the last second.
    pub fn rate(&self, row: Row) -> u64 {
        self.of(row).back().copied().unwrap_or(0)
    }

    /// Of the last seconds, the newest last; the oldest that there are not are 0.
    pub fn rates(&self, row: Row, seconds: usize) -> Vec<u64> {
        let known = self.of(row).iter().copied().rev().chain(std::iter::repeat(0));
        let mut rates: Vec<u64> = known.take(seconds).collect();
        rates.reverse();
        rates
    }

    pub const fn packet_cost(&self) -> Option<Duration> {
        self.packet_cost
    }

    pub const fn processors(&self) -> f64 {
        self.processors
    }

    fn of(&self, row: Row) -> &VecDeque<u64> {
        &self.rates[row as usize]
    }
}

/// What packets cost: sweeps run beside them.
fn spent(programs: &[ProgramCost]) -> Duration {
    programs.iter().filter(|program| program.name != "hs_sweep").map(|program| program.time).sum()
}
