//! The totals of a responder, and what makes them grow.

use crate::Outcome;

/// Totals that only grow, by [`Total`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(transparent)]
pub struct Totals(pub [u64; Totals::LEN]);

/// One of a responder's totals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Total {
    /// SYN segments, retransmitted ones too.
    Syn,
    /// Handshakes begun.
    Begun,
    /// SYN-ACK segments.
    Synack,
    /// Handshakes completed.
    Completed,
    /// Handshakes refused.
    Refused,
    /// Handshakes aborted.
    Aborted,
    /// Handshakes that the initiator acknowledged before a SYN-ACK passed here: the only direction that
    /// is visible may be this one.
    Acked,
    /// SYN-ACKs to this address that nobody here had asked for.
    Unsolicited,
    /// Entries that gave way, and whose totals are in these.
    Folded,
}

impl Totals {
    /// How many there are.
    pub const LEN: usize = Total::Folded as usize + 1;
    /// Nothing was counted.
    pub const ZERO: Totals = Totals([0; Totals::LEN]);

    /// One of them.
    #[inline(always)]
    pub const fn get(&self, total: Total) -> u64 {
        self.0[total as usize]
    }

    /// One of them, to be changed.
    #[inline(always)]
    pub const fn of(&mut self, total: Total) -> &mut u64 {
        &mut self.0[total as usize]
    }

    /// Adds `other` to these.
    #[inline(always)]
    pub fn add(&mut self, other: &Totals) {
        let mut index = 0;
        while index < Totals::LEN {
            self.0[index] = self.0[index].wrapping_add(other.0[index]);
            index += 1;
        }
    }

    /// Handshakes begun that have neither completed nor been refused or aborted.
    pub const fn unanswered(&self) -> u64 {
        let answered = self.get(Total::Completed) + self.get(Total::Refused) + self.get(Total::Aborted);
        self.get(Total::Begun).saturating_sub(answered)
    }
}

/// Which of a responder's totals grow by one: a set of [`Total`]s, so that all that a packet tells is told at
/// once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(transparent)]
pub struct Tally(u32);

impl Tally {
    /// None.
    pub const NOTHING: Tally = Tally(0);

    /// One.
    #[inline(always)]
    pub const fn of(total: Total) -> Tally {
        Tally(1 << total as u32)
    }

    /// A SYN, which began a handshake or not.
    #[inline(always)]
    pub const fn syn(begun: bool) -> Tally {
        Tally(1 << Total::Syn as u32 | (begun as u32) << Total::Begun as u32)
    }

    /// A handshake ended. What is begun and nothing else is left hanging has no total of its own.
    #[inline(always)]
    pub const fn ended(outcome: Outcome) -> Tally {
        match outcome {
            Outcome::Completed => Tally::of(Total::Completed),
            Outcome::Refused => Tally::of(Total::Refused),
            Outcome::Aborted => Tally::of(Total::Aborted),
            Outcome::HalfOpen | Outcome::Unverified | Outcome::Malformed => Tally::NOTHING,
        }
    }

    /// Both.
    #[inline(always)]
    pub const fn with(self, other: Tally) -> Tally {
        Tally(self.0 | other.0)
    }

    /// Whether no total grows.
    #[inline(always)]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// By how much a total grows: 0 or 1.
    #[inline(always)]
    pub const fn by(self, total: usize) -> u64 {
        (self.0 >> total & 1) as u64
    }

    /// Whether a SYN is among it.
    #[inline(always)]
    pub const fn has_syn(self) -> bool {
        self.by(Total::Syn as usize) != 0
    }
}

impl Totals {
    /// Adds one to each of a set.
    #[inline(always)]
    pub fn tally(&mut self, tally: Tally) {
        let mut index = 0;
        while index < Totals::LEN {
            self.0[index] += tally.by(index);
            index += 1;
        }
    }
}
