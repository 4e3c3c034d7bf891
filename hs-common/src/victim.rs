//! What is counted for each responder (address and port), the possible victim of a SYN flood.

use crate::{Addr, Outcome};

/// Registers of the sketch of distinct sources: a power of two. The standard error of the estimate
/// is 1.04 / sqrt(registers): 6.5 % (Flajolet and others, HyperLogLog, 2007).
pub const SKETCH_REGISTERS: usize = 256;

/// A responder: address and port (host order).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(C)]
pub struct VictimKey {
    /// The responder's address.
    pub addr: Addr,
    /// The responder's port.
    pub port: u32,
    /// Zero.
    pub padding: u32,
}

/// Totals of one responder since it was first seen. All but the bucket only grow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct Victim {
    /// SYN segments, retransmitted ones too.
    pub syn: u64,
    /// Handshakes begun.
    pub begun: u64,
    /// SYN-ACK segments.
    pub synack: u64,
    /// Handshakes completed.
    pub completed: u64,
    /// Handshakes refused.
    pub refused: u64,
    /// Handshakes aborted.
    pub aborted: u64,
    /// Handshakes that ended half-open, unverified or malformed.
    pub expired: u64,
    /// Token bucket for single events: when it was last filled, in nanoseconds.
    pub bucket_ns: u64,
    /// Token bucket for single events: tokens left.
    pub bucket_tokens: u64,
    /// HyperLogLog registers over the addresses of the sources of SYNs.
    pub sources: [u8; SKETCH_REGISTERS],
}

impl Victim {
    /// A responder of which nothing was seen yet.
    pub const EMPTY: Victim = Victim {
        syn: 0,
        begun: 0,
        synack: 0,
        completed: 0,
        refused: 0,
        aborted: 0,
        expired: 0,
        bucket_ns: 0,
        bucket_tokens: 0,
        sources: [0; SKETCH_REGISTERS],
    };
}

const _: () = assert!(size_of::<VictimKey>() == 24 && size_of::<Victim>() == 72 + SKETCH_REGISTERS);

/// What a responder's totals are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tally {
    /// A SYN, which began a handshake or not.
    Syn {
        /// Who sent it.
        source: Addr,
        /// Whether it began a handshake.
        begun: bool,
    },
    /// A SYN-ACK.
    Synack,
    /// A handshake ended.
    Ended(Outcome),
}

/// One of a responder's totals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Total {
    /// [`Victim::syn`]
    Syn,
    /// [`Victim::begun`]
    Begun,
    /// [`Victim::synack`]
    Synack,
    /// [`Victim::completed`]
    Completed,
    /// [`Victim::refused`]
    Refused,
    /// [`Victim::aborted`]
    Aborted,
    /// [`Victim::expired`]
    Expired,
}

impl Total {
    /// Its place in a responder's totals.
    #[inline(always)]
    pub fn of(self, victim: &mut Victim) -> &mut u64 {
        match self {
            Total::Syn => &mut victim.syn,
            Total::Begun => &mut victim.begun,
            Total::Synack => &mut victim.synack,
            Total::Completed => &mut victim.completed,
            Total::Refused => &mut victim.refused,
            Total::Aborted => &mut victim.aborted,
            Total::Expired => &mut victim.expired,
        }
    }
}

impl Tally {
    /// Calls `add` with each total that grows by one.
    #[inline(always)]
    pub fn changes(self, mut add: impl FnMut(Total)) {
        match self {
            Tally::Syn { begun, .. } => {
                add(Total::Syn);
                if begun {
                    add(Total::Begun);
                }
            }
            Tally::Synack => add(Total::Synack),
            Tally::Ended(Outcome::Completed) => add(Total::Completed),
            Tally::Ended(Outcome::Refused) => add(Total::Refused),
            Tally::Ended(Outcome::Aborted) => add(Total::Aborted),
            Tally::Ended(Outcome::HalfOpen | Outcome::Unverified | Outcome::Malformed) => add(Total::Expired),
        }
    }
}

/// The register of the sketch that a hash falls into, and the rank that it proposes: the first
/// eight bits choose the register, the leading zeros of the others plus one are the rank.
#[inline(always)]
pub const fn sketch_slot(hash: u64) -> (usize, u8) {
    const BITS: u32 = SKETCH_REGISTERS.trailing_zeros();
    let rest = hash << BITS | 1 << (BITS - 1);
    ((hash >> (u64::BITS - BITS)) as usize, leading_zeros(rest) as u8 + 1)
}

/// `u64::leading_zeros` by halving: BPF has no such instruction before v5, and the compiler would
/// call a library function that is not there.
#[inline(always)]
const fn leading_zeros(value: u64) -> u32 {
    let (mut value, mut zeros, mut half) = (value, 0, 32);
    while half > 0 {
        if value >> (64 - half) == 0 {
            zeros += half;
            value <<= half;
        }
        half /= 2;
    }
    zeros
}

/// A keyed hash of an address: an attacker who does not know the seed can't choose addresses that
/// share registers. The finaliser of MurmurHash3 over both words (Appleby, 2011).
#[inline(always)]
pub const fn hash_addr(addr: Addr, seed: u64) -> u64 {
    mix(mix(addr.low ^ seed).wrapping_add(addr.high) ^ seed)
}

#[inline(always)]
const fn mix(mut value: u64) -> u64 {
    value ^= value >> 33;
    value = value.wrapping_mul(0xff51_afd7_ed55_8ccd);
    value ^= value >> 33;
    value = value.wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    value ^ value >> 33
}

/// How many single events may be reported: `burst` at once, and `per_second` after that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// Tokens that a full bucket holds.
    pub burst: u64,
    /// Tokens that flow in.
    pub per_second: u64,
}

/// For each responder: a few thousand failed handshakes at once are told one by one, a flood is not.
pub const VICTIM_BUDGET: Budget = Budget { burst: 16_384, per_second: 500 };
/// For all of them together, and for anomalies: an attack on many ports is bounded too.
pub const TOTAL_BUDGET: Budget = Budget { burst: 32_768, per_second: 2_000 };

impl Budget {
    /// Takes one token, if there is one. A bucket that was never used (`filled_ns` 0) is full.
    #[inline(always)]
    pub fn take(&self, filled_ns: &mut u64, tokens: &mut u64, now_ns: u64) -> bool {
        let elapsed_ms = now_ns.saturating_sub(*filled_ns) / 1_000_000;
        let earned = elapsed_ms * self.per_second / 1000;
        if *filled_ns == 0 || earned >= self.burst {
            *tokens = self.burst;
            *filled_ns = now_ns;
        } else if earned > 0 {
            let sum = *tokens + earned;
            *tokens = if sum > self.burst { self.burst } else { sum };
            *filled_ns = now_ns;
        }
        if *tokens == 0 {
            return false;
        }
        *tokens -= 1;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_count_leading_zeros() {
        for value in [1, 2, 3, 0x80, 1 << 40, u64::MAX, 0x0123_4567_89ab_cdef] {
            assert_eq!(leading_zeros(value), value.leading_zeros());
        }
        assert_eq!(sketch_slot(u64::MAX), (255, 1));
        assert_eq!(sketch_slot(0), (0, 57));
        assert_eq!(sketch_slot(1), (0, 56));
    }

    #[test]
    fn a_budget_allows_a_burst_and_then_a_rate() {
        let budget = Budget { burst: 10, per_second: 100 };
        let (mut filled, mut tokens) = (0, 0);
        let second = 1_000_000_000;
        let taken = |now, filled: &mut u64, tokens: &mut u64| {
            (0..1000).filter(|_| budget.take(filled, tokens, now)).count()
        };
        assert_eq!(taken(second, &mut filled, &mut tokens), 10);
        assert_eq!(taken(second, &mut filled, &mut tokens), 0);
        assert_eq!(taken(second + 50_000_000, &mut filled, &mut tokens), 5);
        assert_eq!(taken(9 * second, &mut filled, &mut tokens), 10);
    }
}
