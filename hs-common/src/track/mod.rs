//! One packet from segment to event: finds the flow, lets the engine step, counts, reports.
//!
//! Written once over [`Host`], which stands for what differs: the kernel's maps and ring buffer, or
//! the memory of `replay`. `plain` is the short way of most packets, `slots` has the ways of the SYN cache,
//! `expiry` the ends by time and by lack of room, `events` what is told.
//!
//! [`pass`] → [`track`] → [`follow`]: each sees to what the one before it left over.

mod events;
mod expiry;
mod host;
mod plain;
pub(crate) mod slots;

pub use expiry::{Sweep, sweep};
pub use host::Host;
pub use plain::{Passed, pass};
pub use slots::state_of;

use events::{end, handshake_event, report_anomaly};

use crate::config::{LINGER_NS, START_GRACE_NS};
use crate::flow::{Direction, Flow, FlowKey, Hook};
use crate::handshake::{self, Sighting, Transition};
use crate::rules::{self, Verdict};
use crate::syn_cache::{FirstSyn, Spot, State, Word};
use crate::victim::{Tally, Total};
use crate::{Anomaly, Counter, Event, Segment, Slot, TcpFlags, Unparsed, VictimKey};

/// How often a flow is tried when another CPU is at work on it, with a longer wait each time: about a millisecond in
/// all. The other needs a tenth of a microsecond, but a hypervisor may take its processor away in the midst of it, and
/// then the segment would be lost. There is an end to it because older kernels let packets interrupt a test run, and so a
/// sweep: a packet of the flow that the sweep is at, on the same CPU, would wait for itself.
pub const ATTEMPTS: u32 = 30;
/// Rounds of the first wait, some ten nanoseconds each.
const FIRST_WAIT: u32 = 8;

/// Where a packet was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Interface, 0 in replay.
    pub ifindex: u32,
    /// Ingress, egress or a capture.
    pub hook: Hook,
}

impl Place {
    /// A capture, or wherever nobody knows which way a packet went.
    pub const CAPTURE: Place = Place { ifindex: 0, hook: Hook::Capture };
}

/// A flow as it stands in a store that several CPUs write: with the version that it had when it was
/// read. A store with one writer leaves the version alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct Versioned {
    /// The version, the store's own.
    pub version: u64,
    /// The state.
    pub flow: Flow,
}

impl Versioned {
    const EMPTY: Versioned = Versioned { version: 0, flow: Flow::EMPTY };
}

/// Working memory of the tracker: too large for the 512 bytes of a BPF stack.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct Scratch {
    /// The segment at hand.
    pub segment: Segment,
    /// Which way it goes.
    direction: Direction,
    /// It must not change a handshake: its combination of flags, or the like, is illegal.
    is_illegal: bool,
    /// What it did to its flow.
    advance: Advance,
    /// How often it was tried to let it advance its flow.
    attempts: u32,
    /// Where it was seen, and when, as soon as the clock was asked.
    seen: Sighting,
    /// What the step did.
    transition: Transition,
    /// The flow's key.
    key: FlowKey,
    /// The flow's place in the SYN cache.
    spot: Spot,
    /// The flow's first SYN.
    first: FirstSyn,
    /// The flow as it was before its end, or before a SYN.
    before: Versioned,
    /// The flow as it becomes.
    after: Versioned,
    /// The flow that gives way to a new one, or whose time has come.
    leaving: Leaving,
    /// Whose totals change.
    responder: VictimKey,
    /// And which.
    tally: Tally,
    /// The event in the making.
    event: Event,
}

/// A flow on its way out.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
struct Leaving {
    /// Its key.
    key: FlowKey,
    /// Its slot.
    slot: u32,
    /// 1 if its end is told, 0 if it is only counted.
    told: u32,
    /// Its word, as it was.
    word: Word,
    /// Its first SYN, if its end is told.
    first: FirstSyn,
}

impl Scratch {
    /// All zero: a place to start from.
    pub const EMPTY: Scratch = Scratch {
        segment: Segment::EMPTY,
        direction: Direction::Up,
        is_illegal: false,
        advance: Advance::Idle,
        attempts: 0,
        seen: Sighting { now_ns: 0, ifindex: 0, hook: Hook::Capture },
        transition: Transition::EMPTY,
        key: FlowKey::EMPTY,
        spot: Spot::EMPTY,
        first: FirstSyn::EMPTY,
        before: Versioned::EMPTY,
        after: Versioned::EMPTY,
        leaving: Leaving { key: FlowKey::EMPTY, slot: 0, told: 0, word: Word::EMPTY, first: FirstSyn::EMPTY },
        responder: VictimKey::FREE,
        tally: Tally::NOTHING,
        event: Event::EMPTY,
    };

    /// Notes where the segment at hand was seen: before [`follow`].
    #[inline(always)]
    pub fn see(&mut self, place: Place) {
        (self.seen.ifindex, self.seen.hook) = (place.ifindex, place.hook);
    }

    /// The segment at hand may change the flow whose word belongs there.
    #[inline(always)]
    fn concern(&mut self, spot: Spot) {
        self.spot = spot;
        self.is_illegal = false;
        self.attempts = 0;
        self.leaving.word = Word::EMPTY;
    }
}

/// One packet that [`pass`] left. The segment, if there is one, is in `scratch.segment`. Tells whether it may change its
/// flow: then [`follow`] is to see to it.
#[inline(always)]
#[must_use]
pub fn track<H: Host>(host: &mut H, scratch: &mut Scratch, parsed: Result<(), Unparsed>) -> bool {
    host.count(Counter::Packets);
    if let Err(why) = parsed {
        host.count_at(Slot::unparsed(why), 1);
        return false;
    }
    sort(host, scratch)
}

/// One segment: counts its kind, applies the stateless rules, and lets go what concerns no handshake.
#[inline(always)]
fn sort<H: Host>(host: &mut H, scratch: &mut Scratch) -> bool {
    host.count(Counter::TcpSegments);
    let segment = &mut scratch.segment;
    if !host.config().watches(segment.src_port, segment.dst_port) {
        host.count(Counter::Filtered);
        return false;
    }
    (scratch.key, scratch.direction) = FlowKey::of(segment, host.config().vlan_aware != 0);
    scratch.concern(Spot::of(host.hash_key().hash(&scratch.key), host.config().max_flows));
    if scratch.segment.flags.is_syn() {
        // In this order: reading the clock waits for all loads before it.
        scratch.seen.now_ns = host.now_ns();
        host.fetch(scratch.spot.line);
    }
    count_kind(host, &scratch.segment);
    scratch.is_illegal = matches!(rules::inspect(&mut scratch.segment), Verdict::Illegal);
    if is_plain(&scratch.segment) {
        match slots::glance(host, &scratch.spot) {
            Glance::Unknown => {
                host.count_at(Slot::anomaly(Anomaly::AckUnsolicited), 1);
                return false;
            }
            Glance::Closed => return false,
            Glance::Concerned => {}
        }
    }
    true
}

#[inline(always)]
fn count_kind<H: Host>(host: &mut H, segment: &Segment) {
    let has_flags = segment.fault != Anomaly::TruncatedHeader.code();
    if has_flags && segment.flags.is_syn() {
        host.count(Counter::Syn);
    } else if has_flags && segment.flags.is_synack() {
        host.count(Counter::Synack);
    }
}

/// What one look at the SYN cache says of a flow.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
enum Glance {
    /// No such flow.
    Unknown,
    /// Nothing can change the outcome of its handshake any more.
    Closed,
    /// It is to be looked at.
    Concerned,
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

/// Whether a segment is none of those that matter after the end of a handshake.
#[inline(always)]
fn is_plain(segment: &Segment) -> bool {
    !segment.flags.contains(TcpFlags::SYN) && segment.fault == 0
}

/// What a segment did to its flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
enum Advance {
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
    if word.is_first_syn() {
        return second(host, scratch, line);
    }
    match host.find(&scratch.key, scratch.spot.slot()) {
        Some(entry) => advance(host, scratch, line, entry),
        None => Advance::Stranger,
    }
}

/// Anything of a flow of which a first SYN is known: it enters the flow table, if it matters.
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
    scratch.first.flow_into(&mut scratch.after.flow, word.is(State::Lapsed));
    let advance = judge(host, scratch);
    let mut word = word;
    if scratch.transition.changed {
        if !host.insert(&scratch.key, slot, &mut scratch.after) {
            host.put(line, way, word);
            return Advance::Contended;
        }
        word = slots::after_step(word, &scratch.after.flow, &scratch.transition);
    }
    host.put(line, way, word);
    advance
}

/// A segment of a flow that is in the flow table.
#[inline(always)]
fn advance<H: Host>(host: &mut H, scratch: &mut Scratch, line: H::Line, entry: H::Entry) -> Advance {
    if !host.read(entry, &mut scratch.after) {
        return Advance::Contended;
    }
    let advance = judge(host, scratch);
    if scratch.transition.changed {
        if !host.write(entry, &scratch.after) {
            return Advance::Contended;
        }
        slots::settle(host, scratch, line, entry);
    }
    advance
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
fn settle_tally<H: Host>(host: &mut H, scratch: &mut Scratch) {
    if !scratch.tally.is_empty() {
        host.tally(&scratch.responder, scratch.tally, scratch.seen.now_ns);
    }
}
