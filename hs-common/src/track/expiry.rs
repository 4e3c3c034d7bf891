//! The end of a handshake by time, by lack of room, or because the watch ends.

use super::events::{count_evicted, deliver, end, expire_first_syn, handshake_event};
use super::follow::settle_tally;
use super::{Host, Scratch, slots};
use crate::Counter;
use crate::config::LINGER_NS;
use crate::handshake::{self, Expiry, Transition};
use crate::syn_cache::{State, WAYS, Word};
use crate::victim::Tally;

/// Lines that one step of a sweep looks through at the most: bounds how long it can take.
const LINES_AT_ONCE: u32 = 4096;
/// How often a flow is read that another CPU is writing: about a millisecond, see [`ATTEMPTS`](super::ATTEMPTS).
const LOOKS: u32 = 1 << 16;
/// How often the end of a flow is tried when another CPU changes it in between.
const CHANGES: usize = 4;

/// A pass of the sweep through the SYN cache, from slot to slot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Sweep {
    /// The slot to be looked at next.
    pub position: u32,
    /// The age of the oldest handshake that was found, in units of [`Word::UNIT_NS`], plus one; 0 if there was none.
    /// What begins later is younger: nothing is due before this one.
    pub oldest: u32,
    /// 1 if a waiting handshake was found, at `position`.
    found: u32,
    /// Zero.
    padding: u32,
}

impl Sweep {
    /// After a pass at `now_ns`: no handshake that is waited for began before this time.
    pub fn nothing_before_ns(&self, now_ns: u64) -> u64 {
        now_ns.saturating_sub(u64::from(self.oldest) * Word::UNIT_NS)
    }
}

/// Looks for the next handshake whose timeout has passed (with `all`, for any that is waited for), and
/// ends it. `false` when the pass is through.
#[inline(always)]
pub fn sweep<H: Host>(host: &mut H, scratch: &mut Scratch, pass: &mut Sweep, all: bool, now_ns: u64) -> bool {
    pass.found = 0;
    let patience_ns = if all { 0 } else { host.config().half_open_ns };
    H::repeat(LINES_AT_ONCE, || look(host, pass, patience_ns, now_ns));
    if pass.found != 0 {
        end_found(host, scratch, pass.position, all, now_ns);
        pass.position += 1;
    }
    pass.position < host.config().max_flows
}

/// Looks through the rest of a line; whether to go on with the next.
#[inline(always)]
fn look<H: Host>(host: &mut H, pass: &mut Sweep, patience_ns: u64, now_ns: u64) -> bool {
    let (number, first) = (pass.position / WAYS as u32, pass.position % WAYS as u32);
    if pass.position >= host.config().max_flows {
        return false;
    }
    let Some(line) = host.line(number) else { return false };
    let mut way = 0;
    while way < WAYS as u32 {
        let word = host.word(line, way);
        if way >= first && word.is_waiting() {
            // Before it is known whether it is due: what only may be has to be looked at again.
            let age = word.age(now_ns) + 1;
            if age > pass.oldest {
                pass.oldest = age;
            }
            if word.may_be_due(now_ns, patience_ns) {
                pass.position = number * WAYS as u32 + way;
                pass.found = 1;
                return false;
            }
        }
        way += 1;
    }
    pass.position = (number + 1) * WAYS as u32;
    true
}

#[inline(always)]
fn end_found<H: Host>(host: &mut H, scratch: &mut Scratch, slot: u32, all: bool, now_ns: u64) {
    let Some(line) = host.line(slot / WAYS as u32) else { return };
    let way = slot % WAYS as u32;
    let word = host.word(line, way);
    scratch.leaving.slot = slot;
    scratch.leaving.word = word;
    scratch.seen.now_ns = now_ns;
    scratch.tally = Tally::NOTHING;
    if word.is(State::Fresh) {
        lapse(host, scratch, line, all);
    } else if word.is(State::Pending) && host.read_first_syn(slot, &mut scratch.leaving.first) {
        give_up(host, scratch, if all { Expiry::Shutdown } else { Expiry::Timeout });
        (scratch.spot.way, scratch.spot.tag) = (way, word.tag());
        scratch.transition.begun = false;
        if let Some(entry) = host.find(&scratch.leaving.key, slot) {
            slots::settle(host, scratch, line, entry);
        }
        settle_tally(host, scratch);
    }
}

/// Ends a handshake of which only the first SYN was seen, if it is due or `all` are.
#[inline(never)]
fn lapse<H: Host>(host: &mut H, scratch: &mut Scratch, line: H::Line, all: bool) {
    let (slot, word) = (scratch.leaving.slot, scratch.leaving.word);
    if !host.exchange(line, slot, word, word.with(State::Busy)) {
        return;
    }
    let now_ns = scratch.seen.now_ns;
    host.read_first_syn(slot, &mut scratch.leaving.first);
    let due = is_due(host, scratch.leaving.first.brief.seen_ns, now_ns);
    host.put(line, slot, if due || all { word.with(State::Lapsed) } else { word });
    if due || all {
        expire_first_syn(host, scratch, if due { Expiry::Timeout } else { Expiry::Shutdown });
        end(host, scratch, now_ns);
    }
}

#[inline(always)]
fn is_due<H: Host>(host: &H, begun_ns: u64, now_ns: u64) -> bool {
    begun_ns.saturating_add(host.config().half_open_ns) <= now_ns
}

/// The flow whose slot was taken. Its end is none of its responder's doing, and goes into no total of it.
#[inline(always)]
pub(super) fn give_way<H: Host>(host: &mut H, scratch: &mut Scratch) {
    let word = scratch.leaving.word;
    if word.is_record_only() {
        let age_ns = u64::from(word.age(scratch.seen.now_ns)) * Word::UNIT_NS;
        note_eviction(host, scratch.leaving.slot, scratch.seen.now_ns, age_ns);
    }
    if word.is_settled() {
        // It has its outcome.
    } else if !word.is(State::Fresh) {
        give_up(host, scratch, Expiry::Evicted);
    } else {
        let told = scratch.leaving.told != 0;
        count_evicted(host, word, told);
        if told {
            expire_first_syn(host, scratch, Expiry::Evicted);
            deliver(host, scratch, true);
        }
    }
}

/// Ends a flow of the flow table, if it is pending and, by its timeout, due; evicted, it is removed.
/// Its key is that of `scratch.leaving.first`.
#[inline(never)]
fn give_up<H: Host>(host: &mut H, scratch: &mut Scratch, why: Expiry) {
    let vlan_aware = host.config().vlan_aware != 0;
    scratch.leaving.first.key_into(&mut scratch.leaving.key, vlan_aware);
    let now_ns = scratch.seen.now_ns;
    let mut attempts = 0;
    while attempts < CHANGES {
        let Some(entry) = host.find(&scratch.leaving.key, scratch.leaving.slot) else { return };
        if read_settled(host, scratch, entry) {
            let due = is_due(host, scratch.before.flow.begun_ns, now_ns);
            let why = match why {
                Expiry::Timeout if !due => return,
                Expiry::Shutdown if due => Expiry::Timeout,
                why => why,
            };
            if try_to_end(host, scratch, entry, why) {
                return conclude(host, scratch, why);
            }
        }
        attempts += 1;
    }
    host.count(Counter::FlowsContended);
}

/// Copies a flow out, once no other CPU is writing it.
#[inline(always)]
fn read_settled<H: Host>(host: &mut H, scratch: &mut Scratch, entry: H::Entry) -> bool {
    let mut settled = false;
    H::repeat(LOOKS, || {
        settled = host.read(entry, scratch.leaving.slot, &mut scratch.before);
        !settled
    });
    settled
}

/// Writes the end, or removes the flow. What ended is left in `scratch.transition`.
#[inline(always)]
fn try_to_end<H: Host>(host: &mut H, scratch: &mut Scratch, entry: H::Entry, why: Expiry) -> bool {
    scratch.after = scratch.before;
    scratch.transition = Transition::EMPTY;
    if let Some((outcome, reason)) = handshake::expire(&mut scratch.after.flow, why) {
        scratch.transition.outcome = outcome.code();
        scratch.transition.reason = reason.code();
    }
    if why != Expiry::Evicted {
        return scratch.transition.outcome == 0 || host.write(entry, &scratch.after);
    }
    let claimed = host.claim(entry, &scratch.before);
    if claimed {
        host.remove(entry, &scratch.leaving.key, scratch.leaving.slot);
    }
    claimed
}

#[inline(always)]
fn conclude<H: Host>(host: &mut H, scratch: &mut Scratch, why: Expiry) {
    let now_ns = scratch.seen.now_ns;
    if why == Expiry::Evicted {
        let age_ns = now_ns.saturating_sub(scratch.before.flow.last_ns());
        note_eviction(host, scratch.leaving.slot, now_ns, age_ns);
        if scratch.transition.outcome != 0 {
            host.count(Counter::FlowsEvicted);
        }
    }
    if scratch.transition.outcome != 0 {
        let (key, flow) = (&scratch.leaving.key, &scratch.after.flow);
        handshake_event(&mut scratch.event, key, flow, &scratch.transition, now_ns);
        end(host, scratch, now_ns);
    }
}

#[inline(always)]
fn note_eviction<H: Host>(host: &mut H, slot: u32, now_ns: u64, age_ns: u64) {
    if age_ns < LINGER_NS {
        host.note_eviction(slot / WAYS as u32, now_ns);
    }
}
