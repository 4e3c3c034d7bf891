//! The word of a slot: everything that a search needs, in eight bytes that change at once.

/// What a slot holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum State {
    /// Nothing.
    Empty = 0,
    /// A first SYN, and nothing after it: all that is known is beside the word.
    Fresh = 1,
    /// The same, after its timeout: it may complete late.
    Lapsed = 2,
    /// A flow of the flow table without an outcome.
    Pending = 3,
    /// A flow of the flow table that has its outcome, and may complete late.
    Open = 4,
    /// A flow of the flow table that is only remembered.
    Closed = 5,
    /// A CPU is changing it.
    Busy = 6,
}

/// ```text
///   63           32 31              8    7     2   0
///  |      tag      |  stamp (~1 ms)  | flawed |state|
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(transparent)]
pub struct Word(pub u64);

const STATE: u64 = 0x07;
const FLAWED: u64 = 0x80;
const STAMP: u32 = 0x00ff_ffff;
/// The unit of a stamp is 2^20 ns. Stamps wrap after 4.9 hours.
const STAMP_SHIFT: u32 = 20;
/// How much longer a handshake that was answered keeps its place.
const ANSWERED_SHIFT: u32 = 6;

impl Word {
    /// Nothing there.
    pub const EMPTY: Word = Word(0);

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

    /// Whether all that is known of the flow is the record beside the word.
    #[inline(always)]
    pub const fn is_first_syn(self) -> bool {
        self.is(State::Fresh) || self.is(State::Lapsed)
    }

    /// Whether a handshake without an outcome is there.
    #[inline(always)]
    pub const fn is_waiting(self) -> bool {
        self.is(State::Fresh) || self.is(State::Pending)
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

    /// How old it is, in units of 2^20 ns. Far too large for one that is younger than `now_ns`: CPUs do
    /// not read the clock at once.
    #[inline(always)]
    pub const fn age(self, now_ns: u64) -> u32 {
        stamp(now_ns).wrapping_sub((self.0 >> 8) as u32) & STAMP
    }

    /// Whether it may have begun `patience_ns` ago or earlier: to be asked before the record is.
    #[inline(always)]
    pub const fn may_be_due(self, now_ns: u64, patience_ns: u64) -> bool {
        self.age(now_ns) as u64 >= patience_ns >> STAMP_SHIFT
    }

    /// Who gives way in a full line: the highest. Nothing at all before anything; a flow of the same tag
    /// before that, for no two may be in a line; then by age, where what was answered counts as younger:
    /// a real client is more likely there. A word that is busy can't be taken.
    #[inline(always)]
    pub const fn precedence(self, tag: u32, now_ns: u64) -> u32 {
        if self.0 != 0 && self.tag() == tag {
            return u32::MAX;
        }
        if self.is(State::Empty) {
            return STAMP + 2;
        }
        if self.is(State::Busy) {
            return 0;
        }
        let age = self.age(now_ns);
        // A CPU whose clock is ahead by a little.
        let age = if age > STAMP / 2 { 0 } else { age };
        (if self.is(State::Pending) { age >> ANSWERED_SHIFT } else { age }) + 1
    }
}

#[inline(always)]
const fn stamp(now_ns: u64) -> u32 {
    (now_ns >> STAMP_SHIFT) as u32 & STAMP
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    #[test]
    fn fields_do_not_touch_each_other() {
        let word = Word::new(0xdead_beef, 7 * SECOND, State::Fresh).flawed_if(true).with(State::Pending);
        assert_eq!(word.tag(), 0xdead_beef);
        assert!(word.is(State::Pending) && word.is_flawed() && !word.is_first_syn() && word.is_waiting());
        assert_eq!(word.age(7 * SECOND), 0);
        assert_eq!(word.restamped(9 * SECOND).age(9 * SECOND), 0);
        assert_eq!(word.restamped(9 * SECOND).tag(), 0xdead_beef);
        assert!(!word.may_be_due(11 * SECOND, 5 * SECOND));
        assert!(word.may_be_due(12 * SECOND, 5 * SECOND));
    }

    #[test]
    fn the_oldest_gives_way_and_the_answered_last() {
        let now = 100 * SECOND;
        let aged = |seconds: u64, state| Word::new(1, now - seconds * SECOND, state).precedence(2, now);
        let order = [
            Word::new(2, now, State::Closed).precedence(2, now),
            Word::EMPTY.precedence(2, now),
            aged(20, State::Fresh),
            aged(10, State::Closed),
            aged(20, State::Pending),
            Word::new(1, now + SECOND, State::Fresh).precedence(2, now),
            aged(20, State::Busy),
        ];
        assert!(order.is_sorted_by(|one, other| one > other), "{order:?}");
    }
}
