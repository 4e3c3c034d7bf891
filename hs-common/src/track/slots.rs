//! The ways of the SYN cache: looking, searching, taking a slot, and keeping its word true.

use super::follow::Advance;
use super::{Glance, Host, Scratch};
use crate::Counter;
use crate::flow::Flow;
use crate::handshake::Transition;
use crate::syn_cache::{FirstSyn, Spot, State, WAYS, Word};

/// How often a word is put right when another CPU changes the flow meanwhile.
const SETTLE_ATTEMPTS: usize = 3;

/// One look, for a segment that can only matter to a handshake under way. By the tag alone, without the
/// key: what it takes for another flow's is an established segment at worst, for one pair of flows in
/// 2^31 (see [`HashKey::hash`](crate::syn_cache::HashKey::hash)).
#[inline(always)]
pub(super) fn glance<H: Host>(host: &mut H, spot: &Spot) -> Glance {
    let Some(line) = host.line(spot.line) else { return Glance::Unknown };
    let mut way = 0;
    while way < WAYS as u32 {
        if host.tag(line, way) == spot.tag {
            let closed = host.word(line, way).is_closed();
            return if closed { Glance::Closed } else { Glance::Concerned };
        }
        way += 1;
    }
    Glance::Unknown
}

/// Finds the word with the flow's tag: there is one at the most. [`Word::EMPTY`] if there is none.
#[inline(always)]
pub(crate) fn search<H: Host>(host: &H, line: H::Line, spot: &mut Spot) {
    spot.word = Word::EMPTY;
    let mut way = 0;
    while way < WAYS as u32 {
        if host.tag(line, way) == spot.tag {
            spot.way = way;
            spot.word = host.word(line, way);
            return;
        }
        way += 1;
    }
}

/// A SYN of a flow that is not known: it takes a slot. What was in it is left in `scratch.leaving`.
#[inline(always)]
pub(super) fn open<H: Host>(host: &mut H, scratch: &mut Scratch, line: H::Line) -> Advance {
    if scratch.leaving.word != Word::EMPTY {
        // Taken once and given back: another CPU is opening the same flow.
        return Advance::Contended;
    }
    let seen = scratch.seen;
    if seen.now_ns < host.watch_began_ns() {
        host.count(Counter::SynBeforeWatch);
        return Advance::Idle;
    }
    choose(host, line, &mut scratch.spot, seen.now_ns);
    H::meet();
    let (way, old) = (scratch.spot.way, scratch.spot.word);
    let new = Word::new(scratch.spot.tag, seen.now_ns, State::Busy);
    if old.is(State::Busy) || !host.exchange(line, way, old, new) {
        return Advance::Contended;
    }
    leave(host, scratch, old);
    scratch.first = FirstSyn::of(&scratch.segment, &scratch.key, scratch.direction, seen);
    host.write_first_syn(scratch.spot.slot(), &scratch.first);
    if is_twice(host, line, &scratch.spot) {
        host.put(line, way, Word::EMPTY);
        return Advance::Contended;
    }
    host.put(line, way, new.with(State::Fresh).flawed_if(scratch.segment.fault != 0));
    scratch.transition =
        Transition { begun: true, changed: true, anomaly: scratch.segment.fault, ..Transition::EMPTY };
    Advance::Changed
}

/// The word whose flow gives way, and its place; the flow itself was searched for before. Nothing at all gives way
/// before anything; a flow of the same tag before that, for no two may be in a line.
#[inline(always)]
pub(crate) fn choose<H: Host>(host: &H, line: H::Line, spot: &mut Spot, now_ns: u64) {
    if spot.word != Word::EMPTY {
        return;
    }
    // The place below the seniority: one comparison for both.
    let mut best = 0;
    let mut way = 0;
    while way < WAYS as u32 {
        let low_half = host.low_half(line, way);
        if low_half == 0 {
            spot.way = way;
            return;
        }
        let seniority = Word::seniority(low_half, now_ns) & !(WAYS as u32 - 1);
        best = H::greater(best, u64::from(seniority | way));
        way += 1;
    }
    spot.way = best as u32 & (WAYS as u32 - 1);
    spot.word = host.word(line, spot.way);
}

/// Keeps what must be known of the flow that gives way. That is little in a flood: of a first SYN whose
/// end is not told, nothing but the word, and its record, on a line of memory that is seldom in any
/// cache, is never read.
#[inline(always)]
fn leave<H: Host>(host: &mut H, scratch: &mut Scratch, old: Word) {
    let leaving = &mut scratch.leaving;
    leaving.word = old;
    leaving.slot = scratch.spot.slot();
    if old == Word::EMPTY || old.is_settled() {
        return;
    }
    leaving.told = u32::from(!old.is(State::Fresh) || host.may_report(None, scratch.seen.now_ns));
    if leaving.told != 0 {
        host.read_first_syn(leaving.slot, &mut leaving.first);
    }
}

/// Whether another CPU is opening the same flow.
#[inline(always)]
fn is_twice<H: Host>(host: &mut H, line: H::Line, spot: &Spot) -> bool {
    let mut way = 0;
    while way < WAYS as u32 {
        if way != spot.way && host.tag(line, way) == spot.tag {
            return true;
        }
        way += 1;
    }
    false
}

/// The word of a flow that has just entered the flow table.
#[inline(always)]
pub(super) fn after_step(word: Word, flow: &Flow, transition: &Transition) -> Word {
    let word = word.with(state_of(flow));
    if transition.begun { word.restamped(flow.begun_ns) } else { word }
}

/// What a flow's word should hold.
#[inline(always)]
pub fn state_of(flow: &Flow) -> State {
    if flow.is_closed() {
        State::Closed
    } else if flow.is_pending() {
        State::Pending
    } else {
        State::Open
    }
}

/// Puts a flow's word right after a write. Each CPU that writes a flow looks at it once more after it
/// put the word right, so that whatever came in between, the word is right in the end.
#[inline(always)]
pub(super) fn settle<H: Host>(host: &mut H, scratch: &mut Scratch, line: H::Line, entry: H::Entry) {
    let spot = &scratch.spot;
    let mut restamp = scratch.transition.begun;
    let mut attempts = 0;
    while attempts < SETTLE_ATTEMPTS {
        let word = host.word(line, spot.way);
        if word.tag() != spot.tag || word.is(State::Busy) || word.is_record_only() {
            return;
        }
        let mut right = word.with(host.state(entry));
        if restamp {
            right = right.restamped(scratch.after.flow.begun_ns);
        }
        if right == word {
            return;
        }
        let exchanged = host.exchange(line, spot.way, word, right);
        restamp = restamp && !exchanged;
        attempts += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::handshake::{Expiry, expire};

    #[test]
    fn a_flow_that_timed_out_is_open_and_one_that_was_shut_down_is_closed() {
        for (why, state) in [(Expiry::Timeout, State::Open), (Expiry::Shutdown, State::Closed)] {
            let mut flow = Flow::EMPTY;
            assert_eq!(state_of(&flow), State::Pending);
            expire(&mut flow, why);
            assert_eq!(state_of(&flow), state);
        }
    }
}
