//! The word of a slot: everything that a search needs, in eight bytes that change at once.

/// What a slot holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum State {
    /// Nothing.
    Empty = 0x00,
    /// A first SYN, and nothing after it: all that is known is beside the word.
    Fresh = 0x21,
    /// The same, after its timeout: it may complete late.
    Lapsed = 0x08,
    /// A flow of the flow table without an outcome.
    Pending = 0x26,
    /// A flow of the flow table that has its outcome, and may complete late.
    Open = 0x09,
    /// A flow of the flow table that is only remembered.
    Closed = 0x10,
    /// A handshake that completed as most do: all that is still to be known is beside the word.
    Completed = 0x18,
    /// A CPU is changing it.
    Busy = 0x07,
}

/// ```text
///   63           32 31              8    7     5   0
///  |      tag      |  stamp (~1 ms)  | flawed |state|
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(transparent)]
pub struct Word(pub u64);

const STATE: u64 = 0x3f;
/// Set in the states in which a handshake has no outcome.
const WAITING: u64 = 0x20;
const FLAWED: u64 = 0x80;
const STAMP: u32 = 0x00ff_ffff;
/// Set in the states that keep their place longer: by as many bits is their age taken for less.
const KEPT: u32 = 6;
const _: () = {
    use State::{Busy, Closed, Completed, Fresh, Lapsed, Open, Pending};
    assert!(Pending as u32 & KEPT == KEPT && Busy as u32 & KEPT == KEPT);
    assert!((Fresh as u32 | Lapsed as u32 | Open as u32 | Closed as u32 | Completed as u32) & KEPT == 0);
    assert!(Fresh as u64 & Pending as u64 & WAITING != 0);
    assert!((Lapsed as u64 | Open as u64 | Closed as u64 | Completed as u64 | Busy as u64) & WAITING == 0);
};

impl Word {
    /// Nothing there.
    pub const EMPTY: Word = Word(0);
    /// The unit of a stamp, in nanoseconds. Stamps wrap after 4.9 hours.
    pub const UNIT_NS: u64 = 1 << 20;

    /// A word without a flaw.
    #[inline(always)]
    pub const fn new(tag: u32, now_ns: u64, state: State) -> Word {
        Word((tag as u64) << 32 | (stamp(now_ns) as u64) << 8 | state as u64)
    }

    /// The tag of the flow's hash: see [`Spot`](super::Spot).
    #[inline(always)]
    pub const fn tag(self) -> u32 {
        (self.0 >> 32) as u32
    }

    /// Whether it holds this.
    #[inline(always)]
    pub const fn is(self, state: State) -> bool {
        self.0 & STATE == state as u64
    }

    /// Whether all that is known of the flow is the record beside the word: it is not in the flow table.
    #[inline(always)]
    pub const fn is_record_only(self) -> bool {
        self.is(State::Fresh) || self.is_settled()
    }

    /// Whether nothing but a SYN or a SYN-ACK can matter to it any more. One bit tells.
    #[inline(always)]
    pub const fn is_closed(self) -> bool {
        self.0 & State::Closed as u64 != 0
    }

    /// Whether the flow can be forgotten without a word: it is not in the flow table, and has its outcome.
    #[inline(always)]
    pub const fn is_settled(self) -> bool {
        self.is(State::Lapsed) || self.is(State::Completed)
    }

    /// Whether a handshake without an outcome is there.
    #[inline(always)]
    pub const fn is_waiting(self) -> bool {
        self.0 & WAITING != 0
    }

    /// How old it is plus one, if it is waiting, else 0. Without a branch: passes look at all words.
    #[inline(always)]
    pub const fn waiting_age(low_half: u32, now_ns: u64) -> u32 {
        let age = (stamp(now_ns).wrapping_sub(low_half >> 8) & STAMP) + 1;
        age & 0_u32.wrapping_sub(low_half >> WAITING.trailing_zeros() & 1)
    }

    /// Whether the first SYN was an anomaly.
    #[inline(always)]
    pub const fn is_flawed(self) -> bool {
        self.0 & FLAWED != 0
    }

    /// The same with another state.
    #[inline(always)]
    pub const fn with(self, state: State) -> Word {
        Word(self.0 & !STATE | state as u64)
    }

    /// The same with the mark of an anomaly.
    #[inline(always)]
    pub const fn flawed_if(self, flawed: bool) -> Word {
        Word(self.0 | (flawed as u64) << 7)
    }

    /// The same, begun now.
    #[inline(always)]
    pub const fn restamped(self, now_ns: u64) -> Word {
        Word(self.0 & !((STAMP as u64) << 8) | (stamp(now_ns) as u64) << 8)
    }

    /// How old it is, in units of [`Word::UNIT_NS`]. Far too large for one that is younger than `now_ns`: CPUs do
    /// not read the clock at once.
    #[inline(always)]
    pub const fn age(self, now_ns: u64) -> u32 {
        stamp(now_ns).wrapping_sub((self.0 >> 8) as u32) & STAMP
    }

    /// Whether it may have begun `patience_ns` ago or earlier: to be asked before the record is.
    #[inline(always)]
    pub const fn may_be_due(self, now_ns: u64, patience_ns: u64) -> bool {
        self.age(now_ns) as u64 >= patience_ns / Word::UNIT_NS
    }

    /// The half that has its stamp and its state: 0 for nothing else than [`Word::EMPTY`].
    #[inline(always)]
    pub const fn low_half(self) -> u32 {
        self.0 as u32
    }

    /// Who gives way in a full line: the highest. By age, where what was answered counts as 64 times younger:
    /// a real client is more likely there. So does what is busy, which can't be taken. Of a word no more than its
    /// lower half is asked, and without a branch: this is done for eight words whenever a SYN comes.
    #[inline(always)]
    pub const fn seniority(low_half: u32, now_ns: u64) -> u32 {
        // CPUs do not read the clock at once: one stamp may be ahead.
        let latest = stamp(now_ns).wrapping_add(1) << 8 | 0xff;
        latest.wrapping_sub(low_half) >> (low_half & KEPT)
    }
}

#[inline(always)]
const fn stamp(now_ns: u64) -> u32 {
    (now_ns / Word::UNIT_NS) as u32 & STAMP
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    #[test]
    fn fields_do_not_touch_each_other() {
        let word = Word::new(0xdead_beef, 7 * SECOND, State::Fresh).flawed_if(true).with(State::Pending);
        assert_eq!(word.tag(), 0xdead_beef);
        assert!(word.is(State::Pending) && word.is_flawed() && !word.is_record_only() && word.is_waiting());
        assert_eq!(word.age(7 * SECOND), 0);
        assert_eq!(word.restamped(9 * SECOND).age(9 * SECOND), 0);
        assert_eq!(word.restamped(9 * SECOND).tag(), 0xdead_beef);
        assert!(!word.may_be_due(11 * SECOND, 5 * SECOND));
        assert!(word.may_be_due(12 * SECOND, 5 * SECOND));
    }

    #[test]
    fn what_is_waiting_has_its_age_and_all_else_has_none() {
        use State::{Busy, Closed, Completed, Empty, Fresh, Lapsed, Open, Pending};
        for state in [Empty, Fresh, Lapsed, Pending, Open, Closed, Completed, Busy] {
            let word = Word::new(7, 3 * SECOND, state).flawed_if(true);
            let age = Word::waiting_age(word.low_half(), 9 * SECOND);
            let is_waiting = matches!(state, Fresh | Pending);
            assert_eq!(age, if is_waiting { word.age(9 * SECOND) + 1 } else { 0 }, "{state:?}");
            assert_eq!(word.is_waiting(), is_waiting, "{state:?}");
        }
    }

    #[test]
    fn the_oldest_gives_way_and_the_answered_last() {
        let now = 100 * SECOND;
        let aged =
            |ms: u64, state| Word::seniority(Word::new(1, now - ms * 1_000_000, state).low_half(), now);
        let order = [
            aged(20_000, State::Fresh),
            aged(10_000, State::Closed),
            aged(9_000, State::Open),
            aged(8_000, State::Lapsed),
            // As 7 s / 64 = 109 ms.
            aged(7_000, State::Pending),
            aged(100, State::Fresh),
            aged(6_000, State::Busy),
            Word::seniority(Word::new(1, now + SECOND / 1000, State::Fresh).low_half(), now),
        ];
        assert!(order.is_sorted_by(|one, other| one > other), "{order:?}");
    }

    #[test]
    fn age_is_age_also_when_stamps_wrap() {
        let wrap = u64::from(STAMP) * Word::UNIT_NS;
        let old = Word::new(1, wrap - 3 * SECOND, State::Fresh).low_half();
        let young = Word::new(1, wrap + SECOND, State::Fresh).low_half();
        assert!(Word::seniority(old, wrap + 2 * SECOND) > Word::seniority(young, wrap + 2 * SECOND));
    }
}
