//! Measures a row: all subjects in turn, round by round, so that a machine that becomes slower meanwhile
//! becomes slower for all of them.

use anyhow::{Result, ensure};
use hs_common::{Counter, Counters};

use crate::course::{Course, target};
use crate::rows::{Area, Row, Step};
use crate::stand::{Hook, Stand};

/// Flows in a batch, on each core.
const BATCH: u32 = 10_000;
/// Flows in a batch that prepares, on all cores together: if each leaves an event, they must fit into a core's ring buffer.
const BEFORE: u32 = 20_000;
/// How far the numbers of an area's flows, and of a core's, are apart.
const AREA: u32 = 1 << 24;
const CORE: u32 = 1 << 28;

/// Subjects, in the order in which they take turns.
const SUBJECTS: [u32; target::COUNT_OF] =
    [target::PASS, target::COUNT, target::LOOKUP, target::UPDATE, target::HS_MON];

/// How much is done for a figure.
#[derive(Clone, Copy, Debug)]
pub struct Effort {
    /// How often each subject is measured.
    pub rounds: u32,
    /// The most flows of a step before the first round.
    pub most_before: u32,
}

/// What came out: for each subject, nanoseconds for a packet in each round.
pub struct Measured {
    pub hook: Hook,
    pub v6: bool,
    pub cores: usize,
    pub row: &'static Row,
    pub samples: [Vec<f64>; target::COUNT_OF],
}

/// A row on an unused stand.
pub fn measure(row: &'static Row, hook: Hook, v6: bool, cores: &[usize], effort: Effort) -> Result<Measured> {
    let mut stand = Stand::new(hook, cores, row.lru_entries)?;
    let mut traffic = SUBJECTS.map(|target| Traffic { target, v6, cursors: [0; Area::COUNT], flows: 0 });
    for traffic in traffic.iter_mut().filter(|traffic| traffic.target != target::LOOKUP) {
        traffic.prepare(&mut stand, row.before, effort.most_before)?;
    }
    let before = stand.totals()?;
    let mut samples = SUBJECTS.map(|_| Vec::new());
    for _ in 0..effort.rounds {
        for (traffic, samples) in traffic.iter_mut().zip(&mut samples) {
            traffic.prepare(&mut stand, row.each, u32::MAX)?;
            if row.warm {
                traffic.send(&mut stand, &row.timed)?;
            }
            traffic.flows = 0;
            samples.push(traffic.send(&mut stand, &row.timed)?);
            traffic.next_round();
        }
    }
    check(row, &stand, &before, effort.rounds)?;
    Ok(Measured { hook, v6, cores: cores.len(), row, samples })
}

/// That hs-mon has done what it was measured for.
fn check(row: &Row, stand: &Stand, before: &Counters, rounds: u32) -> Result<()> {
    let totals = stand.totals()?;
    let since = |counter| totals.get(counter) - before.get(counter);
    let lost = totals.get(Counter::EventsLost);
    ensure!(lost == 0, "{}: {lost} events were lost, so the measurement is of something else", row.id);
    // A few meet in one line of the SYN cache: each is counted.
    let completed = since(Counter::Completed) + since(Counter::FlowsEvicted);
    let due = u64::from(rounds) * u64::from(flows(&row.timed)) * stand.cores().len() as u64;
    ensure!(
        !row.completes || completed == due,
        "{}: {completed} handshakes were completed and not {due}, so the measurement is of something else",
        row.id
    );
    Ok(())
}

fn flows(step: &Step) -> u32 {
    step.flows.unwrap_or(BATCH)
}

/// The packets of one subject.
struct Traffic {
    target: u32,
    v6: bool,
    /// Where each area stands.
    cursors: [u32; Area::COUNT],
    /// Flows sent in this round.
    flows: u32,
}

impl Traffic {
    /// What is not timed. It goes to whoever keeps state for the subject.
    fn prepare(&mut self, stand: &mut Stand, steps: &[Step], most: u32) -> Result<()> {
        let keeper = match self.target {
            target::PASS | target::COUNT => return Ok(()),
            // They share a map.
            target::LOOKUP => target::UPDATE,
            other => other,
        };
        let at_once = BEFORE / stand.cores().len() as u32;
        for step in steps {
            let mut left = flows(step).min(most);
            while left > 0 {
                let flows = left.min(at_once);
                self.send_to(stand, keeper, &Step { flows: Some(flows), ..*step })?;
                left -= flows;
            }
        }
        Ok(())
    }

    fn send(&mut self, stand: &mut Stand, step: &Step) -> Result<f64> {
        self.send_to(stand, self.target, step)
    }

    fn send_to(&mut self, stand: &mut Stand, target: u32, step: &Step) -> Result<f64> {
        let flows = flows(step);
        let frame = step.frame.bytes(self.v6);
        let index = step.area.index();
        let cursor = self.cursors[index];
        let course = |core: usize| {
            let base = index as u32 * AREA + core as u32 * CORE;
            let (first, next, in_turn) = match step.area {
                Area::Made(all) | Area::Pending(all) | Area::Flood(all) | Area::Strangers(all) => {
                    (base, cursor, all)
                }
                Area::Fresh => (base + cursor, 0, flows),
            };
            Course {
                next,
                flows: in_turn,
                first,
                kind: step.frame.kind(),
                step: 0,
                target,
                v6: u32::from(self.v6),
                padding: 0,
            }
        };
        let took = stand.send(&frame, flows * step.frame.packets_per_flow(), course)?;
        stand.drain()?;
        match step.area {
            Area::Made(all) | Area::Pending(all) | Area::Flood(all) | Area::Strangers(all) => {
                self.cursors[index] = (cursor + flows) % all;
            }
            Area::Fresh => self.flows = flows,
        }
        Ok(took)
    }

    /// Fresh flows are others from now on.
    fn next_round(&mut self) {
        self.cursors[Area::Fresh.index()] += self.flows;
    }
}
