//! A segment that may change its flow, from the search for it to what is counted and told.

use super::events::{end, handshake_event, report_anomaly};
use super::{Host, Scratch, expiry, is_plain, slots};
use crate::config::{LINGER_NS, START_GRACE_NS};
use crate::flow::{Hook, note, phase};
use crate::handshake::{self, Sighting, Transition};
use crate::syn_cache::{State, Word};
use crate::victim::{Tally, Total};
use crate::{Anomaly, Counter, Slot, VictimKey};

/// How often a flow is tried when another CPU is at work on it, with a longer wait each time: about a millisecond in
/// all. The other needs a tenth of a microsecond, but a hypervisor may take its processor away in the midst of it, and
/// then the segment would be lost. There is an end to it because older kernels let packets interrupt a test run, and so a
/// sweep: a packet of the flow that the sweep is at, on the same CPU, would wait for itself.
pub const ATTEMPTS: u32 = 30;
/// Rounds of the first wait, some ten nanoseconds each.
const FIRST_WAIT: u32 = 8;

/// What a segment did to its flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub(super) enum Advance {
    /// Nothing.
    Idle,
    /// Something, see `scratch.transition`.
    Changed,
    /// There is no such flow, or it is too old to be remembered.
    Stranger,
    /// Another CPU came in between.
    Contended,
}

/// A segment that may change its flow. Tells whether another CPU came in between, so that this has to be called again, at
/// once: it has waited for a while.
///
/// In the kernel this is a program of its own, to which the others jump. So the verifier goes through it once, from a
/// state of which it knows nothing, and not from each that the ways through the parser end in. And a jump is cheaper than
/// a call: each return costs 7 ns where the kernel keeps processors from guessing where it leads (`srso`, `retbleed`), so
/// hardly any is left on the ways of a handshake's three segments.
#[inline(always)]
#[must_use]
pub fn follow<H: Host>(host: &mut H, scratch: &mut Scratch) -> bool {
    scratch.tally = Tally::NOTHING;
    scratch.advance = attempt(host, scratch);
    H::meet();
    match scratch.advance {
        Advance::Idle => return false,
        Advance::Stranger => stranger(host, scratch),
        Advance::Changed => apply(host, scratch),
        Advance::Contended => {
            if scratch.attempts < ATTEMPTS {
                scratch.attempts += 1;
                host.wait(FIRST_WAIT * scratch.attempts * scratch.attempts);
                return true;
            }
            host.count(Counter::FlowsContended);
        }
    }
    H::meet();
    settle_tally(host, scratch);
    H::meet();
    if scratch.leaving.word != Word::EMPTY {
        expiry::give_way(host, scratch);
    }
    false
}

#[inline(always)]
fn attempt<H: Host>(host: &mut H, scratch: &mut Scratch) -> Advance {
    let Some(line) = host.line(scratch.spot.line) else { return Advance::Contended };
    slots::search(host, line, &mut scratch.spot);
    H::meet();
    let word = scratch.spot.word;
    if word.is(State::Busy) {
        return Advance::Contended;
    }
    let advance = known(host, scratch, line);
    if advance == Advance::Stranger && scratch.segment.flags.is_syn() && !scratch.is_illegal {
        return slots::open(host, scratch, line);
    }
    advance
}

/// A segment of a flow that is known, by its word; else a stranger.
#[inline(always)]
fn known<H: Host>(host: &mut H, scratch: &mut Scratch, line: H::Line) -> Advance {
    let word = scratch.spot.word;
    if word == Word::EMPTY {
        return Advance::Stranger;
    }
    if word.is_record_only() {
        return second(host, scratch, line);
    }
    match host.find(&scratch.key, scratch.spot.slot()) {
        Some(entry) => advance(host, scratch, line, entry),
        // It may have completed just now, on another CPU. Else the word is of another flow with the same tag.
        None if host.word(line, scratch.spot.way) != word => Advance::Contended,
        None => Advance::Stranger,
    }
}

/// Anything of a flow of which no more than the record is known: it enters the flow table, if it matters.
#[inline(always)]
fn second<H: Host>(host: &mut H, scratch: &mut Scratch, line: H::Line) -> Advance {
    let (way, word) = (scratch.spot.way, scratch.spot.word);
    if !host.exchange(line, way, word, word.with(State::Busy)) {
        return Advance::Contended;
    }
    let slot = scratch.spot.slot();
    let vlan_aware = host.config().vlan_aware != 0;
    if !host.read_first_syn(slot, &mut scratch.first) || !scratch.first.is_of(&scratch.key, vlan_aware) {
        host.put(line, way, word);
        return Advance::Stranger;
    }
    if word.is(State::Completed) {
        scratch.first.completed_flow_into(&mut scratch.after.flow);
    } else {
        scratch.first.flow_into(&mut scratch.after.flow, word.is(State::Lapsed));
    }
    let advance = judge(host, scratch);
    let mut word = word;
    if scratch.transition.changed {
        if !enter(host, scratch) {
            host.put(line, way, word);
            return Advance::Contended;
        }
        word = slots::after_step(word, &scratch.after.flow, &scratch.transition);
    }
    host.put(line, way, word);
    advance
}

/// The flow enters the flow table. A first SYN-ACK goes into the record, too.
#[inline(always)]
fn enter<H: Host>(host: &mut H, scratch: &mut Scratch) -> bool {
    let slot = scratch.spot.slot();
    let is_answered = scratch.segment.flags.is_synack() && scratch.after.flow.phase == phase::SYN_RECEIVED;
    if is_answered {
        scratch.after.flow.notes |= note::RECORDED;
    }
    let entered = host.insert(&scratch.key, slot, &mut scratch.after, scratch.seen.now_ns);
    if entered && is_answered {
        scratch.first.answer(&scratch.after.flow);
        host.write_first_syn(slot, &scratch.first);
    }
    entered
}

/// A segment of a flow that is in the flow table.
#[inline(always)]
fn advance<H: Host>(host: &mut H, scratch: &mut Scratch, line: H::Line, entry: H::Entry) -> Advance {
    if !host.read(entry, scratch.spot.slot(), &mut scratch.after) {
        return Advance::Contended;
    }
    let advance = judge(host, scratch);
    H::meet();
    if !scratch.transition.changed {
        return advance;
    }
    if scratch.after.flow.is_in_record() {
        return if retire(host, scratch, line, entry) { advance } else { Advance::Contended };
    }
    if !host.write(entry, &scratch.after) {
        return Advance::Contended;
    }
    slots::settle(host, scratch, line, entry);
    advance
}

/// A handshake that completed as most do leaves the flow table: its memory, still in the CPU's cache, serves the next, and
/// nobody has to remove it when it is old.
#[inline(always)]
fn retire<H: Host>(host: &mut H, scratch: &mut Scratch, line: H::Line, entry: H::Entry) -> bool {
    let (way, word) = (scratch.spot.way, scratch.spot.word);
    if !host.claim(entry, &scratch.after) {
        return false;
    }
    if !host.exchange(line, way, word, word.with(State::Busy)) {
        host.disclaim(entry, &scratch.after);
        return false;
    }
    host.remove(entry, &scratch.key, scratch.spot.slot());
    host.put(line, way, word.with(State::Completed).restamped(scratch.after.flow.synack_ns));
    true
}

/// Where and when the segment was seen. The clock is asked once it is known to matter; of a SYN, for which it always
/// does, it was asked in [`sort`].
#[inline(always)]
fn sighting<H: Host>(host: &mut H, scratch: &mut Scratch) -> Sighting {
    if !scratch.segment.flags.is_syn() {
        scratch.seen.now_ns = host.now_ns();
    }
    scratch.seen
}

/// Lets the engine take a step with the flow in `after`.
#[inline(always)]
fn judge<H: Host>(host: &mut H, scratch: &mut Scratch) -> Advance {
    let seen = sighting(host, scratch);
    if scratch.segment.flags.is_syn() {
        // It may supersede the handshake, whose end is then told.
        scratch.before = scratch.after;
    }
    H::meet();
    let (flow, segment) = (&mut scratch.after.flow, &scratch.segment);
    if scratch.is_illegal {
        scratch.transition = Transition { anomaly: segment.fault, ..Transition::EMPTY };
        if flow.is_pending() {
            handshake::note_fault(flow, segment);
            scratch.transition.changed = true;
        }
        return Advance::Changed;
    }
    if handshake::is_remembered(flow, seen.now_ns) {
        handshake::step(flow, segment, scratch.direction, seen, &mut scratch.transition);
    } else if segment.flags.is_syn() {
        handshake::begin(flow, segment, scratch.direction, seen, &mut scratch.transition);
    } else {
        scratch.transition.changed = false;
        return Advance::Stranger;
    }
    if scratch.transition.changed || !is_plain(segment) { Advance::Changed } else { Advance::Idle }
}

/// A segment of a flow that was never seen to begin.
#[inline(never)]
fn stranger<H: Host>(host: &mut H, scratch: &mut Scratch) {
    let segment = scratch.segment;
    if segment.fault == 0 && !segment.flags.is_synack() {
        return host.count_at(Slot::anomaly(Anomaly::AckUnsolicited), 1);
    }
    let seen = sighting(host, scratch);
    let anomaly = if segment.fault != 0 {
        segment.fault
    } else if may_have_missed_a_syn(host, scratch.spot.line, seen) {
        return host.count(Counter::SynackUnmatched);
    } else {
        // Backscatter comes to ports without a meaning.
        scratch.responder = VictimKey::address(segment.dst);
        scratch.tally = Tally::segment(Total::Unsolicited);
        Anomaly::SynackUnsolicited.code()
    };
    scratch.transition = Transition { anomaly, ..Transition::EMPTY };
    report_anomaly(host, scratch);
}

/// Whether the SYN that a SYN-ACK answers may have passed unseen: before the watch began, or its
/// flow was forgotten, which then was in the same line. A host that answers a flood goes on repeating its
/// SYN-ACKs for 63 s.
#[inline(always)]
fn may_have_missed_a_syn<H: Host>(host: &H, line: u32, seen: Sighting) -> bool {
    let began = host.watch_began_ns();
    let grace = if seen.hook as u8 == Hook::Egress as u8 { LINGER_NS } else { START_GRACE_NS };
    let evicted = host.last_eviction_ns(line);
    began != 0 && seen.now_ns.saturating_sub(began) < grace
        || evicted != 0 && seen.now_ns.saturating_sub(evicted) < LINGER_NS
}

/// Counts and reports what a step did.
#[inline(always)]
fn apply<H: Host>(host: &mut H, scratch: &mut Scratch) {
    if scratch.transition.seen_again {
        return host.count(Counter::SeenAgain);
    }
    if !scratch.is_illegal {
        tally_segment(host, scratch);
    }
    H::meet();
    if scratch.transition.outcome != 0 {
        let flow = if scratch.transition.superseded { &scratch.before.flow } else { &scratch.after.flow };
        handshake_event(&mut scratch.event, &scratch.key, flow, &scratch.transition, scratch.seen.now_ns);
        H::meet();
        end(host, scratch, scratch.seen.now_ns);
    }
    if scratch.transition.anomaly != 0 {
        report_anomaly(host, scratch);
    }
}

/// Notes what a segment means to its responder's totals.
#[inline(always)]
fn tally_segment<H: Host>(host: &mut H, scratch: &mut Scratch) {
    let (segment, begun) = (&scratch.segment, scratch.transition.begun);
    if begun {
        host.count(Counter::Begun);
        host.watch_syn(segment, scratch.seen.now_ns);
    }
    if segment.flags.is_syn() {
        scratch.responder = VictimKey::port(segment.dst, segment.dst_port);
        scratch.tally = Tally::syn(begun);
    } else if segment.flags.is_synack() {
        scratch.responder = VictimKey::port(segment.src, segment.src_port);
        scratch.tally = Tally::segment(Total::Synack);
    } else if scratch.transition.early_acked {
        scratch.responder = VictimKey::port(segment.dst, segment.dst_port);
        scratch.tally = Tally::segment(Total::Acked);
    }
}

/// Adds to the responder's totals what was noted for them.
#[inline(always)]
pub(super) fn settle_tally<H: Host>(host: &mut H, scratch: &mut Scratch) {
    if !scratch.tally.is_empty() {
        host.tally(&scratch.responder, scratch.tally, scratch.seen.now_ns);
    }
}
