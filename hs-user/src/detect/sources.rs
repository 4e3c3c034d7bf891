//! Who floods: how many sources there are, and which of them stand out, in little memory.

use std::net::IpAddr;

use hs_common::victim::SKETCH_REGISTERS;

/// Sources kept for an alarm. One with a larger share than 1 / (KEPT + 1) is never missed.
const KEPT: usize = 32;
/// Sources told in an alert, and the smallest share that is told.
const TOLD: usize = 10;
const TOLD_SHARE: f64 = 0.01;

/// The number of distinct sources that a sketch has seen (Flajolet and others, HyperLogLog, 2007),
/// with a standard error of 6.5 %; small numbers by the registers that are empty.
///
/// The registers are set from a 64-bit hash of the source: of the register `hash >> 56`, the largest
/// `leading_zeros(hash << 8 | 1 << 7) + 1`. So many bits need no correction of large numbers.
pub fn estimate_sources(registers: &[u8; SKETCH_REGISTERS]) -> u64 {
    let count = SKETCH_REGISTERS as f64;
    let harmonic: f64 = registers.iter().map(|rank| power_of_half(*rank)).sum();
    let estimate = 0.7213 / (1.0 + 1.079 / count) * count * count / harmonic;
    let empty = registers.iter().filter(|rank| **rank == 0).count();
    if estimate <= 2.5 * count && empty > 0 {
        return (count * (count / empty as f64).ln()).round() as u64;
    }
    estimate.round() as u64
}

/// 2 to the power of -`rank`, put together from its exponent: this is done for every victim.
fn power_of_half(rank: u8) -> f64 {
    f64::from_bits((1023 - u64::from(rank)) << 52)
}

/// The sources that stand out among those noted (Misra and Gries, Finding repeated elements, 1982).
/// A count may be too small, by total / (KEPT + 1) at the most, never too large.
#[derive(Debug, Default)]
pub(super) struct TopSources {
    counts: Vec<(IpAddr, u64)>,
    total: u64,
}

impl TopSources {
    pub(super) fn note(&mut self, source: IpAddr) {
        self.total += 1;
        if let Some((_, count)) = self.counts.iter_mut().find(|(known, _)| *known == source) {
            *count += 1;
        } else if self.counts.len() < KEPT {
            self.counts.push((source, 1));
        } else {
            self.counts.iter_mut().for_each(|(_, count)| *count -= 1);
            self.counts.retain(|(_, count)| *count > 0);
        }
    }

    /// How many were noted.
    pub(super) fn total(&self) -> u64 {
        self.total
    }

    /// The largest share, 0 to 1.
    pub(super) fn largest_share(&self) -> f64 {
        self.counts.iter().map(|(_, count)| self.share(*count)).fold(0.0, f64::max)
    }

    /// The sources with a share worth telling, largest first.
    pub(super) fn shares(&self) -> Vec<(IpAddr, f64)> {
        let mut counts = self.counts.clone();
        counts.sort_unstable_by(|(a, n), (b, m)| m.cmp(n).then(a.cmp(b)));
        let shares = counts.into_iter().map(|(source, count)| (source, self.share(count)));
        shares.take(TOLD).filter(|(_, share)| *share >= TOLD_SHARE).collect()
    }

    fn share(&self, count: u64) -> f64 {
        count as f64 / self.total.max(1) as f64
    }
}
