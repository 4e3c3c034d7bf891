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

/// Which of a responder's totals grow by one, so that all that a packet tells is told at once: what the segment
/// was, whether it began a handshake, and how one ended. Four bits for each, a [`Total`] plus one, or 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(transparent)]
pub struct Tally(u32);

impl Tally {
    /// None.
    pub const NOTHING: Tally = Tally(0);
    /// How many totals can grow at once.
    pub const PLACES: usize = 3;

    const SEGMENT: u32 = 0;
    const BEGUN: u32 = 1;
    const ENDED: u32 = 2;

    #[inline(always)]
    const fn one(total: Total, place: u32) -> Tally {
        Tally((total as u32 + 1) << (4 * place))
    }

    /// A segment that counts as this.
    #[inline(always)]
    pub const fn segment(total: Total) -> Tally {
        Tally::one(total, Tally::SEGMENT)
    }

    /// A SYN, which began a handshake or not.
    #[inline(always)]
    pub const fn syn(begun: bool) -> Tally {
        Tally(Tally::segment(Total::Syn).0 | (begun as u32 * Tally::one(Total::Begun, Tally::BEGUN).0))
    }

    /// A handshake ended. What is begun and nothing else is left hanging has no total of its own.
    #[inline(always)]
    pub const fn ended(outcome: Outcome) -> Tally {
        match outcome {
            Outcome::Completed => Tally::one(Total::Completed, Tally::ENDED),
            Outcome::Refused => Tally::one(Total::Refused, Tally::ENDED),
            Outcome::Aborted => Tally::one(Total::Aborted, Tally::ENDED),
            Outcome::HalfOpen | Outcome::Unverified | Outcome::Malformed => Tally::NOTHING,
        }
    }

    /// [`Tally::ended`] by the outcome's code, without a branch for each: the verifier would follow them all.
    #[inline(always)]
    pub const fn ended_code(code: u8) -> Tally {
        const PLACES: u64 = {
            let (mut places, mut index) = (0, 0);
            while index < Outcome::ALL.len() {
                let outcome = Outcome::ALL[index];
                places |= (Tally::ended(outcome).0 as u64 >> (4 * Tally::ENDED)) << (4 * outcome.code());
                index += 1;
            }
            places
        };
        Tally(((PLACES >> (4 * (code & 15)) & 15) as u32) << (4 * Tally::ENDED))
    }

    /// Both: what a segment was, and how a handshake ended.
    #[inline(always)]
    pub const fn with(self, other: Tally) -> Tally {
        Tally(self.0 | other.0)
    }

    /// Whether no total grows.
    #[inline(always)]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The index of the total at one of the [`Tally::PLACES`]; beyond [`Totals::LEN`] if none is there.
    #[inline(always)]
    pub const fn index(self, place: usize) -> usize {
        (self.0 >> (4 * place) & 15).wrapping_sub(1) as usize
    }

    /// Whether a SYN is among it.
    #[inline(always)]
    pub const fn has_syn(self) -> bool {
        self.index(0) == Total::Syn as usize
    }
}

const _: () = assert!(Totals::LEN < 15);

impl Totals {
    /// Adds one to each that grows.
    #[inline(always)]
    pub fn tally(&mut self, tally: Tally) {
        let mut place = 0;
        while place < Tally::PLACES {
            if let Some(total) = self.0.get_mut(tally.index(place)) {
                *total += 1;
            }
            place += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_that_a_packet_tells_is_counted_once() {
        let mut totals = Totals::ZERO;
        totals.tally(Tally::NOTHING);
        totals.tally(Tally::syn(false));
        totals.tally(Tally::syn(true).with(Tally::ended(Outcome::Aborted)));
        totals.tally(Tally::segment(Total::Folded).with(Tally::ended(Outcome::Malformed)));
        let expected = [2, 1, 0, 0, 0, 1, 0, 0, 1];
        assert_eq!(totals, Totals(expected));
        assert!(Tally::syn(false).has_syn() && !Tally::segment(Total::Acked).has_syn());
    }
}
