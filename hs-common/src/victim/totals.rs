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

/// What a responder's totals are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tally {
    /// A SYN, which began a handshake or not.
    Syn {
        /// Whether it began a handshake.
        begun: bool,
    },
    /// A SYN-ACK.
    Synack,
    /// A handshake ended.
    Ended(Outcome),
    /// The initiator acknowledged what was not seen here.
    Acked,
    /// A SYN-ACK that nobody had asked for, to this address.
    Unsolicited,
}

impl Tally {
    /// Calls `add` with each total that grows by one.
    #[inline(always)]
    pub fn changes(self, mut add: impl FnMut(Total)) {
        match self {
            Tally::Syn { begun } => {
                add(Total::Syn);
                if begun {
                    add(Total::Begun);
                }
            }
            Tally::Synack => add(Total::Synack),
            Tally::Ended(Outcome::Completed) => add(Total::Completed),
            Tally::Ended(Outcome::Refused) => add(Total::Refused),
            Tally::Ended(Outcome::Aborted) => add(Total::Aborted),
            // What is begun and nothing else is left hanging: no total of its own.
            Tally::Ended(Outcome::HalfOpen | Outcome::Unverified | Outcome::Malformed) => {}
            Tally::Acked => add(Total::Acked),
            Tally::Unsolicited => add(Total::Unsolicited),
        }
    }

    /// Whether it changes any total.
    #[inline(always)]
    pub const fn counts(self) -> bool {
        !matches!(self, Tally::Ended(Outcome::HalfOpen | Outcome::Unverified | Outcome::Malformed))
    }
}
