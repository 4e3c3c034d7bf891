//! One packet from segment to event: finds the flow, lets the engine step, counts, reports.
//!
//! Written once over [`Host`], which stands for what differs: the kernel's maps and ring buffer, or
//! the memory of `replay`. `plain` is the short way of most packets, here is the long one, `follow` has what may change a
//! flow, `slots` the ways of the SYN cache, `expiry` the ends by time and by lack of room, `events` what is told.
//!
//! [`pass`] → [`track`] → [`follow`]: each sees to what the one before it left over.

mod events;
mod expiry;
mod follow;
mod host;
mod plain;
pub(crate) mod slots;

pub use expiry::{Sweep, sweep};
pub use follow::{ATTEMPTS, follow};
pub use host::Host;
pub use plain::{Passed, pass};
pub use slots::state_of;

use follow::Advance;

use crate::flow::{Direction, Flow, FlowKey, Hook};
use crate::handshake::{Sighting, Transition};
use crate::rules::{self, Verdict};
use crate::syn_cache::{FirstSyn, Spot, Word};
use crate::victim::Tally;
use crate::{Anomaly, Counter, Event, Segment, Slot, TcpFlags, Unparsed, VictimKey};

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

/// Whether a segment is none of those that matter after the end of a handshake.
#[inline(always)]
fn is_plain(segment: &Segment) -> bool {
    !segment.flags.contains(TcpFlags::SYN) && segment.fault == 0
}
