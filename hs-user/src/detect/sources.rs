//! Who floods: how many sources there are, and which of them stand out, in little memory.

use std::collections::HashMap;

use hs_common::Addr;
use hs_common::victim::{SKETCH_REGISTERS, sketch_rank_above, sketch_register};

/// Ranks that a register can have, 0 included.
const RANKS: usize = 52;
/// Counts kept: a share is too small by 1 / KEPT at the most.
const KEPT: usize = 2048;
/// Counts at a time: what a table of 4,096 places takes before it grows.
const MOST: usize = 3584;
/// Sources told in an alert, and the smallest share that is told.
const TOLD: usize = 10;
const TOLD_SHARE: f64 = 0.01;

/// The registers of a sketch of distinct sources.
pub(super) type Registers = [u8; SKETCH_REGISTERS];

/// The number of distinct sources that a sketch has seen: the improved estimator of Ertl (New cardinality
/// estimation algorithms for HyperLogLog sketches, 2017, algorithm 6), which needs no correction of small or
/// large numbers. Standard error 0.8 %.
#[cfg(test)]
pub(super) fn estimate(registers: &Registers) -> f64 {
    estimate_except(registers, &[0; SKETCH_REGISTERS])
}

/// The same, of the sources that are not in the sketch `known`. Only registers that no known source falls
/// into are looked at: hashes are spread evenly, so a part of the registers speaks for all. Where hardly
/// any is left, the difference of both has to do.
pub(super) fn estimate_except(registers: &Registers, known: &Registers) -> f64 {
    let mut counts = [0_u32; RANKS];
    for (rank, _) in registers.iter().zip(known).filter(|(_, known)| **known == 0) {
        counts[usize::from(*rank).min(RANKS - 1)] += 1;
    }
    let free: u32 = counts.iter().sum();
    if free >= SKETCH_REGISTERS as u32 / 16 {
        return of_counts(&counts) * SKETCH_REGISTERS as f64 / f64::from(free);
    }
    let all = |registers: &Registers| {
        let mut counts = [0_u32; RANKS];
        registers.iter().for_each(|rank| counts[usize::from(*rank).min(RANKS - 1)] += 1);
        of_counts(&counts)
    };
    (all(registers) - all(known)).max(0.0)
}

fn of_counts(counts: &[u32; RANKS]) -> f64 {
    let registers = f64::from(counts.iter().sum::<u32>());
    let most = RANKS - 1;
    let mut z = registers * tau(1.0 - f64::from(counts[most]) / registers);
    for rank in (1..most).rev() {
        z = 0.5 * (z + f64::from(counts[rank]));
    }
    z += registers * sigma(f64::from(counts[0]) / registers);
    registers * registers / (2.0 * std::f64::consts::LN_2 * z)
}

fn sigma(x: f64) -> f64 {
    if x >= 1.0 {
        return f64::INFINITY;
    }
    let (mut x, mut y, mut z) = (x, 1.0, x);
    loop {
        x *= x;
        let before = z;
        z += x * y;
        y += y;
        if z <= before {
            return z;
        }
    }
}

fn tau(x: f64) -> f64 {
    if x <= 0.0 || x >= 1.0 {
        return 0.0;
    }
    let (mut x, mut y, mut z) = (x, 1.0, 1.0 - x);
    loop {
        x = x.sqrt();
        let before = z;
        y *= 0.5;
        z -= (1.0 - x) * (1.0 - x) * y;
        if z >= before {
            return z / 3.0;
        }
    }
}

/// Puts a source into a sketch.
pub(super) fn raise(registers: &mut Registers, hash: u64) {
    if let Some(register) = registers.get_mut(sketch_register(hash)) {
        *register = (*register).max(sketch_rank_above(hash, *register));
    }
}

/// How many distinct sources `all` handshakes have, if `some` of them have `distinct`: as if each were by
/// one of so many sources at random.
pub(super) fn extrapolated(distinct: f64, some: f64, all: f64) -> f64 {
    if distinct < 1.0 || all <= some {
        return distinct;
    }
    if distinct >= some * 0.999 {
        return all * distinct / some.max(1.0);
    }
    let seen = |sources: f64, drawn: f64| sources * -(-drawn / sources).exp_m1();
    let (mut low, mut high) = (distinct, distinct * 1e6);
    for _ in 0..100 {
        let middle = (low + high) / 2.0;
        if seen(middle, some) < distinct { low = middle } else { high = middle }
    }
    seen(high, all)
}

/// The sources that stand out among those noted (Misra and Gries, Finding repeated elements, 1982). A count
/// may be too small, by total / KEPT at the most, never too large.
#[derive(Debug, Default)]
pub(super) struct TopSources {
    counts: HashMap<Addr, u64>,
    total: u64,
}

impl TopSources {
    /// Notes a source that stands for `weight` handshakes.
    pub(super) fn note(&mut self, source: Addr, weight: u64) {
        self.total += weight;
        *self.counts.entry(source).or_default() += weight;
        if self.counts.len() >= MOST {
            let mut counts: Vec<u64> = self.counts.values().copied().collect();
            let (_, middle, _) = counts.select_nth_unstable(MOST - KEPT);
            let middle = *middle;
            self.counts.values_mut().for_each(|count| *count = count.saturating_sub(middle));
            self.counts.retain(|_, count| *count > 0);
        }
    }

    /// Whether the source is among those that stand out.
    pub(super) fn has(&self, source: Addr) -> bool {
        self.counts.contains_key(&source)
    }

    /// The largest number of handshakes of one source, without those that completed.
    pub(super) fn largest_failed(&self, completed: &HashMap<Addr, u64>) -> f64 {
        let failed = |(source, count): (&Addr, &u64)| {
            count.saturating_sub(completed.get(source).copied().unwrap_or(0))
        };
        self.counts.iter().map(failed).max().unwrap_or(0) as f64
    }

    /// The sources with a share worth telling, largest first, without those handshakes that completed.
    pub(super) fn shares(&self, completed: &HashMap<Addr, u64>) -> Vec<(Addr, f64)> {
        let honest: u64 = completed.values().sum();
        let total = self.total.saturating_sub(honest).max(1) as f64;
        let failed = |(source, count): (&Addr, &u64)| {
            (*source, count.saturating_sub(completed.get(source).copied().unwrap_or(0)))
        };
        let mut shares: Vec<(Addr, f64)> = self
            .counts
            .iter()
            .map(failed)
            .map(|(source, count)| (source, (count as f64 / total).min(1.0)))
            .filter(|(_, share)| *share >= TOLD_SHARE)
            .collect();
        shares.sort_unstable_by(|(a, n), (b, m)| m.total_cmp(n).then(a.cmp(b)));
        shares.truncate(TOLD);
        shares
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// SplitMix64, which gives every input another output.
    fn mixed(seed: u64, index: u64) -> u64 {
        let z = (seed << 32).wrapping_add(index).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn sketch(hashes: impl Iterator<Item = u64>) -> Box<Registers> {
        let mut registers = Box::new([0; SKETCH_REGISTERS]);
        hashes.for_each(|hash| raise(&mut registers, hash));
        registers
    }

    #[test]
    fn sources_are_estimated_within_five_standard_errors() {
        for count in [1, 2, 10, 100, 1_000, 10_000, 30_000, 50_000, 100_000, 400_000] {
            let estimate = estimate(&sketch((0..count).map(|index| mixed(count, index))));
            let error = (estimate / count as f64 - 1.0).abs();
            assert!(error < 0.04, "{count} sources: {estimate}");
        }
        assert!(estimate(&[0; SKETCH_REGISTERS]) < 1e-9);
    }

    #[test]
    fn known_sources_are_left_out() {
        let known = sketch((0..3_000).map(|index| mixed(1, index)));
        for count in [100_u64, 1_000, 50_000] {
            let all = sketch((0..3_000).map(|i| mixed(1, i)).chain((0..count).map(|i| mixed(2, i))));
            let error = (estimate_except(&all, &known) / count as f64 - 1.0).abs();
            assert!(error < 0.05, "{count} sources: {}", estimate_except(&all, &known));
        }
    }

    #[test]
    fn what_was_not_seen_is_extrapolated() {
        for (distinct, some, all, expected) in [
            (1_000.0, 1_000.0, 2_000.0, 2_000.0),
            (100.0, 10_000.0, 20_000.0, 100.0),
            (632.12, 1_000.0, 2_000.0, 864.66),
            (5.0, 10.0, 10.0, 5.0),
        ] {
            let found = extrapolated(distinct, some, all);
            assert!((found / expected - 1.0).abs() < 0.01, "{distinct} of {some}, of {all}: {found}");
        }
    }

    #[test]
    fn made_up_sources_do_not_stand_out_and_honest_ones_are_left_out() {
        let mut top = TopSources::default();
        let addr = |number: u32| Addr::from(std::net::Ipv4Addr::from(number));
        for index in 0..100_000_u32 {
            top.note(addr(index ^ 0x5555_0000), 1);
            if index % 4 == 0 {
                top.note(addr(1), 1);
            }
            if index % 10 == 0 {
                top.note(addr(2), 1);
            }
        }
        let completed = HashMap::from([(addr(2), 10_000)]);
        let shares = top.shares(&completed);
        assert_eq!(shares.len(), 1, "{shares:?}");
        assert!((shares[0].1 - 0.2).abs() < 0.01, "{shares:?}");
    }
}
