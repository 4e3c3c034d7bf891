//! One packet from segment to event: finds the flow, lets the engine step, counts, reports.
//!
//! Written once over [`Host`], which stands for what differs: the kernel's maps and ring buffer, or
//! the memory of `replay`. The flow store lies behind four of its functions.

mod events;

use events::{anomaly_event, handshake_event};

use crate::config::{LINGER_NS, START_GRACE_NS};
use crate::flow::{Direction, Flow, FlowKey, Hook};
use crate::handshake::{self, Expiry, Sighting, Transition};
use crate::rules::{self, Verdict};
use crate::victim::Tally;
use crate::{Anomaly, Config, Counter, Event, Outcome, Segment, Slot, TcpFlags, Unparsed, VictimKey};

/// How often a segment is tried again when another CPU changes its flow in between.
const ATTEMPTS: usize = 3;

/// What the tracker stands on. `#[inline(always)]` in the kernel.
pub trait Host {
    /// An entry of the flow store.
    type Entry: Copy;

    /// The settings.
    fn config(&self) -> &Config;

    /// The clock of the events, in nanoseconds. Asked only when a handshake is concerned: in the
    /// kernel it costs more than all the rest of an established segment.
    fn now_ns(&self) -> u64;

    /// Adds one to a total that is known when the code is compiled.
    fn count(&mut self, counter: Counter);

    /// When the watch began: SYNs before that are not followed. 0 in replay.
    fn watch_began_ns(&self) -> u64;

    /// Changes a total by +1 or -1.
    fn count_at(&mut self, slot: Slot, change: i64);

    /// Finds a flow.
    fn find(&mut self, key: &FlowKey) -> Option<Self::Entry>;

    /// Whether nothing can change the outcome of a flow's handshake any more. A glance, without the
    /// protection of [`Host::read`]: a flow that is just being closed may seem open.
    fn is_closed(&self, entry: Self::Entry) -> bool;

    /// Copies a flow out. `false` if another CPU is writing it.
    fn read(&mut self, entry: Self::Entry, into: &mut Versioned) -> bool;

    /// Writes a flow back, unless it changed since `flow` was read: then `false`.
    fn write(&mut self, entry: Self::Entry, flow: &Versioned) -> bool;

    /// Adds a flow that is not there. `false` if it is, or if there is no room.
    fn insert(&mut self, key: &FlowKey, flow: &mut Versioned) -> bool;

    /// Removes a flow, unless it changed since `flow` was read: then `false`.
    fn remove(&mut self, entry: Self::Entry, key: &FlowKey, flow: &Versioned) -> bool;

    /// Takes the next place in the queue of ages for a handshake. What stood in that place, the
    /// oldest there is, is left in `oldest`; `false` if there was nothing.
    fn enqueue(&mut self, key: &FlowKey, begun_ns: u64, oldest: &mut Aged) -> bool;

    /// Notes that a flow was forgotten before its time.
    fn note_eviction(&mut self, now_ns: u64);

    /// When a flow was last forgotten before its time; 0 if never.
    fn last_eviction_ns(&self) -> u64;

    /// Shows a SYN that began a handshake to whoever watches its responder.
    fn watch_syn(&mut self, segment: &Segment, now_ns: u64);

    /// Adds to a responder's totals.
    fn tally(&mut self, responder: &VictimKey, tally: Tally, now_ns: u64);

    /// Whether one more event about this responder, or about none, is within the budget.
    fn may_report(&mut self, responder: Option<&VictimKey>, now_ns: u64) -> bool;

    /// Hands an event on. `false` if there is no room for it.
    fn emit(&mut self, event: &Event) -> bool;
}

/// Where a packet was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Interface, 0 in replay.
    pub ifindex: u32,
    /// Ingress, egress or a capture.
    pub hook: Hook,
}

/// A handshake in the queue of ages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct Aged {
    /// Its flow.
    pub key: FlowKey,
    /// When it began: tells it from later handshakes of the same flow.
    pub begun_ns: u64,
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
    /// Where it was seen, and when, as soon as the clock was asked.
    seen: Sighting,
    /// What the step did.
    transition: Transition,
    /// The flow's key.
    key: FlowKey,
    /// The flow as it was found.
    before: Versioned,
    /// The flow as it becomes.
    after: Versioned,
    /// The handshake that gives way to a new one.
    oldest: Aged,
    /// Whose totals change.
    responder: VictimKey,
    /// The event in the making.
    event: Event,
}

impl Scratch {
    /// All zero: a place to start from.
    pub const EMPTY: Scratch = Scratch {
        segment: Segment::EMPTY,
        direction: Direction::Up,
        seen: Sighting { now_ns: 0, ifindex: 0, hook: Hook::Capture },
        transition: Transition::EMPTY,
        key: FlowKey::EMPTY,
        before: Versioned::EMPTY,
        after: Versioned::EMPTY,
        oldest: Aged { key: FlowKey::EMPTY, begun_ns: 0 },
        responder: VictimKey::FREE,
        event: Event::EMPTY,
    };
}

/// One packet. The segment, if there is one, is in `scratch.segment`.
///
/// The stages below that are not inlined pass on nothing but what is in `scratch`. So the verifier
/// sees the same state behind all the ways through the parser, and follows only one of them.
#[inline(always)]
pub fn track<H: Host>(host: &mut H, scratch: &mut Scratch, parsed: Result<(), Unparsed>, place: Place) {
    host.count(Counter::Packets);
    if let Err(why) = parsed {
        return host.count_at(Slot::unparsed(why), 1);
    }
    (scratch.seen.ifindex, scratch.seen.hook) = (place.ifindex, place.hook);
    sort(host, scratch);
}

/// One segment: counts its kind, applies the stateless rules, finds its flow.
#[inline(never)]
fn sort<H: Host>(host: &mut H, scratch: &mut Scratch) {
    host.count(Counter::TcpSegments);
    let segment = &mut scratch.segment;
    if !host.config().watches(segment.src_port, segment.dst_port) {
        return host.count(Counter::Filtered);
    }
    let has_flags = segment.fault != Anomaly::TruncatedHeader.code();
    if has_flags && segment.flags.is_syn() {
        host.count(Counter::Syn);
    } else if has_flags && segment.flags.is_synack() {
        host.count(Counter::Synack);
    }
    let verdict = rules::inspect(segment);
    (scratch.key, scratch.direction) = FlowKey::of(segment, host.config().vlan_aware != 0);
    match verdict {
        Verdict::Legal => follow(host, scratch),
        Verdict::Illegal => illegal(host, scratch),
    }
}

/// Asks the clock once it is known to matter.
#[inline(always)]
fn ask_the_clock<H: Host>(host: &mut H, scratch: &mut Scratch) -> Sighting {
    scratch.seen.now_ns = host.now_ns();
    scratch.seen
}

/// A segment that may change its flow.
#[inline(always)]
fn follow<H: Host>(host: &mut H, scratch: &mut Scratch) {
    let mut attempts = 0;
    while attempts < ATTEMPTS {
        let advance = match host.find(&scratch.key) {
            // Every data segment of an established connection comes here: no copy, no clock.
            Some(entry) if is_plain(&scratch.segment) && host.is_closed(entry) => Advance::Idle,
            Some(entry) => advance(host, scratch, entry),
            None if scratch.segment.flags.is_syn() => open(host, scratch),
            None => Advance::Stranger,
        };
        match advance {
            Advance::Idle => return,
            Advance::Stranger => return stranger(host, scratch),
            Advance::Changed => {
                apply(host, scratch);
                if scratch.transition.begun {
                    make_room(host, scratch);
                }
                return;
            }
            Advance::Contended => attempts += 1,
        }
    }
    host.count(Counter::FlowsContended);
}

/// Whether a segment is none of those that matter after the end of a handshake.
#[inline(always)]
fn is_plain(segment: &Segment) -> bool {
    !segment.flags.contains(TcpFlags::SYN) && segment.fault == 0
}

/// What a segment did to its flow.
#[derive(Clone, Copy, PartialEq, Eq)]
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

/// A segment of a flow that is in the store.
#[inline(never)]
fn advance<H: Host>(host: &mut H, scratch: &mut Scratch, entry: H::Entry) -> Advance {
    if !host.read(entry, &mut scratch.before) {
        return Advance::Contended;
    }
    let seen = ask_the_clock(host, scratch);
    scratch.after = scratch.before;
    let (flow, segment) = (&mut scratch.after.flow, &scratch.segment);
    if handshake::is_remembered(flow, seen.now_ns) {
        handshake::step(flow, segment, scratch.direction, seen, &mut scratch.transition);
    } else if segment.flags.is_syn() {
        handshake::begin(flow, segment, scratch.direction, seen, &mut scratch.transition);
    } else {
        return Advance::Stranger;
    }
    if scratch.transition.changed && !host.write(entry, &scratch.after) {
        return Advance::Contended;
    }
    if scratch.transition.changed || !is_plain(segment) { Advance::Changed } else { Advance::Idle }
}

/// A SYN of a flow that is not in the store.
#[inline(never)]
fn open<H: Host>(host: &mut H, scratch: &mut Scratch) -> Advance {
    let seen = ask_the_clock(host, scratch);
    if seen.now_ns < host.watch_began_ns() {
        host.count(Counter::SynBeforeWatch);
        return Advance::Idle;
    }
    let segment = &scratch.segment;
    handshake::begin(&mut scratch.after.flow, segment, scratch.direction, seen, &mut scratch.transition);
    if host.insert(&scratch.key, &mut scratch.after) { Advance::Changed } else { Advance::Contended }
}

/// A segment of a flow that was never seen to begin.
#[inline(never)]
fn stranger<H: Host>(host: &mut H, scratch: &mut Scratch) {
    let segment = scratch.segment;
    if segment.fault == 0 && !segment.flags.is_synack() {
        return host.count_at(Slot::anomaly(Anomaly::AckUnsolicited), 1);
    }
    let seen = ask_the_clock(host, scratch);
    let anomaly = if segment.fault != 0 {
        segment.fault
    } else if may_have_missed_a_syn(host, seen) {
        return host.count(Counter::SynackUnmatched);
    } else {
        // Backscatter comes to ports without a meaning.
        scratch.responder = VictimKey::address(segment.dst);
        host.tally(&scratch.responder, Tally::Unsolicited, seen.now_ns);
        Anomaly::SynackUnsolicited.code()
    };
    scratch.transition = Transition { anomaly, ..Transition::EMPTY };
    report_anomaly(host, scratch);
}

/// Whether the SYN that a SYN-ACK answers may have passed unseen: before the watch began, or its
/// flow was forgotten. A host that answers a flood goes on repeating its SYN-ACKs for 63 s.
#[inline(always)]
fn may_have_missed_a_syn<H: Host>(host: &H, seen: Sighting) -> bool {
    let began = host.watch_began_ns();
    let grace = if seen.hook as u8 == Hook::Egress as u8 { LINGER_NS } else { START_GRACE_NS };
    let evicted = host.last_eviction_ns();
    began != 0 && seen.now_ns.saturating_sub(began) < grace
        || evicted != 0 && seen.now_ns.saturating_sub(evicted) < LINGER_NS
}

/// An illegal combination of flags and the like: an anomaly on the flow, if there is one, and no step.
#[inline(never)]
fn illegal<H: Host>(host: &mut H, scratch: &mut Scratch) {
    if let Some(entry) = host.find(&scratch.key)
        && host.read(entry, &mut scratch.after)
        && scratch.after.flow.is_pending()
    {
        handshake::note_fault(&mut scratch.after.flow, &scratch.segment);
        if !host.write(entry, &scratch.after) {
            host.count(Counter::FlowsContended);
        }
    }
    scratch.transition = Transition { anomaly: scratch.segment.fault, ..Transition::EMPTY };
    ask_the_clock(host, scratch);
    report_anomaly(host, scratch);
}

/// Counts and reports what a step did.
#[inline(always)]
fn apply<H: Host>(host: &mut H, scratch: &mut Scratch) {
    tally_segment(host, scratch);
    if scratch.transition.outcome != 0 {
        let flow = if scratch.transition.superseded { &scratch.before.flow } else { &scratch.after.flow };
        handshake_event(&mut scratch.event, &scratch.key, flow, &scratch.transition, scratch.seen.now_ns);
        end(host, scratch, scratch.seen.now_ns);
    }
    if scratch.transition.anomaly != 0 {
        report_anomaly(host, scratch);
    }
}

/// Adds a SYN or SYN-ACK to its responder's totals.
#[inline(never)]
fn tally_segment<H: Host>(host: &mut H, scratch: &mut Scratch) {
    let (segment, now_ns) = (&scratch.segment, scratch.seen.now_ns);
    if scratch.transition.begun {
        host.count(Counter::Begun);
    }
    if segment.flags.is_syn() {
        scratch.responder = VictimKey::port(segment.dst, segment.dst_port);
        host.tally(&scratch.responder, Tally::Syn { begun: scratch.transition.begun }, now_ns);
        if scratch.transition.begun {
            host.watch_syn(segment, now_ns);
        }
    } else if segment.flags.is_synack() {
        scratch.responder = VictimKey::port(segment.src, segment.src_port);
        host.tally(&scratch.responder, Tally::Synack, now_ns);
    } else if scratch.transition.early_acked {
        scratch.responder = VictimKey::port(segment.dst, segment.dst_port);
        host.tally(&scratch.responder, Tally::Acked, now_ns);
    }
}

/// Gives the handshake that began a place in the queue of ages, and takes out what stood there. The
/// table has room for one flow more on each CPU, so this can follow and needs no place of its own.
#[inline(always)]
fn make_room<H: Host>(host: &mut H, scratch: &mut Scratch) {
    if host.enqueue(&scratch.key, scratch.after.flow.begun_ns, &mut scratch.oldest) {
        give_up(host, scratch, Expiry::Evicted, scratch.seen.now_ns);
    }
}

/// Ends the handshake `oldest` by its timeout, or because the watch ends.
#[inline(always)]
pub fn give_up_aged<H: Host>(host: &mut H, scratch: &mut Scratch, oldest: &Aged, why: Expiry, now_ns: u64) {
    scratch.oldest = *oldest;
    give_up(host, scratch, why, now_ns);
}

/// Ends the handshake `scratch.oldest`, if its flow still holds that one: by its timeout, because
/// its place is needed, or because the watch ends.
#[inline(never)]
fn give_up<H: Host>(host: &mut H, scratch: &mut Scratch, why: Expiry, now_ns: u64) {
    let evicts = matches!(why, Expiry::Evicted);
    let Some(entry) = host.find(&scratch.oldest.key) else { return };
    if !host.read(entry, &mut scratch.before) {
        return host.count(Counter::FlowsContended);
    }
    if scratch.before.flow.begun_ns != scratch.oldest.begun_ns {
        return;
    }
    scratch.after = scratch.before;
    let ended = handshake::expire(&mut scratch.after.flow, why);
    let written = if evicts {
        host.remove(entry, &scratch.oldest.key, &scratch.before)
    } else {
        ended.is_none() || host.write(entry, &scratch.after)
    };
    if !written {
        return host.count(Counter::FlowsContended);
    }
    if evicts && now_ns.saturating_sub(scratch.before.flow.last_ns()) < LINGER_NS {
        host.note_eviction(now_ns);
    }
    let Some((outcome, reason)) = ended else { return };
    if evicts {
        host.count(Counter::FlowsEvicted);
    }
    scratch.transition = Transition { outcome: outcome.code(), reason: reason.code(), ..Transition::EMPTY };
    let (key, flow) = (&scratch.oldest.key, &scratch.after.flow);
    handshake_event(&mut scratch.event, key, flow, &scratch.transition, now_ns);
    end(host, scratch, now_ns);
}

/// Counts a handshake's end and reports `scratch.event`.
#[inline(never)]
fn end<H: Host>(host: &mut H, scratch: &mut Scratch, now_ns: u64) {
    let Some(outcome) = Outcome::from_code(scratch.transition.outcome) else { return };
    scratch.responder = VictimKey::port(scratch.event.dst, scratch.event.dst_port);
    host.count_at(Slot::outcome(outcome), 1);
    if let Some(before) = Outcome::from_code(scratch.transition.late_from) {
        host.count_at(Slot::outcome(before), -1);
        host.count(Counter::CompletedLate);
    }
    host.tally(&scratch.responder, Tally::Ended(outcome), now_ns);
    // A completed handshake is never thinned: real clients stay visible in a flood.
    let within_budget =
        matches!(outcome, Outcome::Completed) || host.may_report(Some(&scratch.responder), now_ns);
    deliver(host, scratch, within_budget);
}

/// Counts and reports the segment's anomaly.
#[inline(never)]
fn report_anomaly<H: Host>(host: &mut H, scratch: &mut Scratch) {
    anomaly_event(scratch);
    if let Some(anomaly) = scratch.event.anomaly() {
        host.count_at(Slot::anomaly(anomaly), 1);
    }
    let within_budget = host.may_report(None, scratch.seen.now_ns);
    deliver(host, scratch, within_budget);
}

#[inline(always)]
fn deliver<H: Host>(host: &mut H, scratch: &mut Scratch, within_budget: bool) {
    host.count(Counter::EventsProduced);
    if !within_budget {
        host.count(Counter::EventsSuppressed);
    } else if !host.emit(&scratch.event) {
        host.count(Counter::EventsLost);
    }
}
