//! Detectors as they are commonly found, to compare with. Each says when it first raised an alarm.

use std::collections::HashMap;

use hs_common::{Addr, Segment, TcpFlags};

use crate::traffic::SECOND;

/// So many SYNs within a second: the usual threshold of a rule.
const STATIC: u32 = 100;

/// The three together.
#[derive(Default)]
pub struct References {
    per_source: PerSecond,
    per_dest: PerSecond,
    syn_fin: SynFin,
}

impl References {
    pub fn segment(&mut self, at: u64, segment: &Segment) {
        if segment.flags.is_syn() {
            self.per_source.count(at, segment.src);
            self.per_dest.count(at, segment.dst);
        }
        self.syn_fin.segment(at, segment.flags);
    }

    /// What they are called.
    pub const NAMES: [&'static str; 3] = ["static per source", "static per destination", "SYN-FIN CUSUM"];

    /// The first alarm of each.
    pub fn alarms(&self, from: u64) -> [Option<u64>; 3] {
        [&self.per_source.alarms, &self.per_dest.alarms, &self.syn_fin.alarms]
            .map(|alarms| alarms.iter().copied().find(|at| *at >= from))
    }
}

/// A count by address, begun anew each second.
#[derive(Default)]
struct PerSecond {
    second: u64,
    counts: HashMap<Addr, u32>,
    alarms: Vec<u64>,
}

impl PerSecond {
    fn count(&mut self, at: u64, addr: Addr) {
        if at / SECOND != self.second {
            self.second = at / SECOND;
            self.counts.clear();
        }
        let count = self.counts.entry(addr).or_default();
        *count += 1;
        if *count == STATIC {
            self.alarms.push(at);
        }
    }
}

/// Wang, Zhang, Shin: Detecting SYN flooding attacks, INFOCOM 2002. The difference of SYNs and FINs in
/// 20 s, divided by the usual number of FINs, is summed up beyond a = 0.35; 1.05 is an alarm.
#[derive(Default)]
struct SynFin {
    period: u64,
    syns: f64,
    fins: f64,
    usual: Option<f64>,
    sum: f64,
    alarms: Vec<u64>,
}

impl SynFin {
    const PERIOD: u64 = 20 * SECOND;
    const A: f64 = 0.35;
    const N: f64 = 1.05;
    const ALPHA: f64 = 0.9;

    fn segment(&mut self, at: u64, flags: TcpFlags) {
        while at / SynFin::PERIOD > self.period {
            self.end_period();
        }
        self.syns += f64::from(u8::from(flags.is_syn()));
        self.fins += f64::from(u8::from(flags.contains(TcpFlags::FIN) || flags.contains(TcpFlags::RST)));
    }

    fn end_period(&mut self) {
        self.period += 1;
        let usual = self.usual.unwrap_or(self.fins);
        let x = (self.syns - self.fins) / usual.max(1.0);
        if self.usual.is_some() {
            self.sum = (self.sum + x - SynFin::A).max(0.0);
        }
        self.usual = Some(SynFin::ALPHA * usual + (1.0 - SynFin::ALPHA) * self.fins);
        if self.sum > SynFin::N {
            self.alarms.push(self.period * SynFin::PERIOD);
        }
        (self.syns, self.fins) = (0.0, 0.0);
    }
}
