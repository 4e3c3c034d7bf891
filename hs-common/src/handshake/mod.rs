//! The handshake engine: one flow, one segment, one step. Pure: the clock is an argument.
//!
//! ```text
//!     initiator  -- SYN      seq=A            -->  responder
//!     initiator  <-- SYN-ACK seq=B   ack=A+1  --   responder
//!     initiator  -- ACK      seq=A+1 ack=B+1  -->  responder
//! ```

mod ack;
mod expire;
mod rst;
mod syn;
mod synack;

pub use expire::{Expiry, expire};

use crate::config::{LINGER_NS, PASSAGE_NS};
use crate::event::RTT_UNKNOWN;
use crate::flow::{Direction, Flow, Hook, note, phase};
use crate::{Anomaly, HandshakeFlags, Outcome, Path, Reason, Segment, TcpFlags};

/// Where and when a segment was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sighting {
    /// The caller's clock.
    pub now_ns: u64,
    /// Interface, 0 in replay.
    pub ifindex: u32,
    /// Ingress, egress or a capture.
    pub hook: Hook,
}

impl Sighting {
    /// Whether a segment that was seen at `then_ns`, at this interface and hook, is on its way through the host
    /// and only passes another: a bridge behind its port, a VLAN device above its parent, the way out of a router.
    /// Of the interface the low half is compared.
    #[inline(always)]
    fn is_passage(self, ifindex: u32, hook: u8, then_ns: u64) -> bool {
        (ifindex as u16 != self.ifindex as u16 || hook != self.hook as u8)
            && self.now_ns.saturating_sub(then_ns) < PASSAGE_NS
    }
}

/// What a step did. Plain codes and no `Option`, so that the verifier sees constants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transition {
    /// The flow's state changed and must be written back.
    pub changed: bool,
    /// A handshake began.
    pub begun: bool,
    /// The initiator acknowledged a SYN-ACK that was not seen here, for the first time.
    pub early_acked: bool,
    /// The segment was seen before, at another interface or hook: nothing happened.
    pub seen_again: bool,
    /// The outcome belongs to the handshake that was there before: a new SYN superseded it.
    pub superseded: bool,
    /// Code of the [`Outcome`] of a handshake that ended, or 0.
    pub outcome: u8,
    /// Code of its [`Reason`].
    pub reason: u8,
    /// Code of the outcome that it was counted under before it completed late, or 0.
    pub late_from: u8,
    /// SYN-ACK to ACK in microseconds.
    pub rtt_ack_us: u32,
    /// Code of the [`Anomaly`] of this segment, or 0.
    pub anomaly: u8,
    /// `expected` and `actual` are meaningful.
    pub has_numbers: bool,
    /// The number that the rule expects.
    pub expected: u32,
    /// The number that the segment carries.
    pub actual: u32,
}

impl Transition {
    /// Nothing happened.
    pub const EMPTY: Transition = Transition {
        changed: false,
        begun: false,
        early_acked: false,
        seen_again: false,
        superseded: false,
        outcome: 0,
        reason: 0,
        late_from: 0,
        rtt_ack_us: RTT_UNKNOWN,
        anomaly: 0,
        has_numbers: false,
        expected: 0,
        actual: 0,
    };

    /// Whatever the segment breaks was told when it was seen first.
    #[inline(always)]
    fn pass(&mut self) {
        self.seen_again = true;
        self.anomaly = 0;
    }

    #[inline(always)]
    fn blame(&mut self, flow: &mut Flow, anomaly: Anomaly) {
        // One event a packet, by the first rule: what the parser found comes first.
        if self.anomaly == 0 {
            self.anomaly = anomaly.code();
        }
        note_anomaly(flow, anomaly);
        self.changed = true;
    }

    #[inline(always)]
    fn blame_number(&mut self, flow: &mut Flow, anomaly: Anomaly, expected: u32, actual: u32) {
        if self.anomaly == 0 {
            self.has_numbers = true;
            self.expected = expected;
            self.actual = actual;
        }
        self.blame(flow, anomaly);
    }

    /// The handshake ends for good.
    #[inline(always)]
    fn end(&mut self, flow: &mut Flow, outcome: Outcome, reason: Reason) {
        let (outcome, reason) = judged(flow, outcome, reason);
        self.outcome = outcome.code();
        self.reason = reason.code();
        self.changed = true;
        flow.outcome = outcome.code();
        flow.phase = phase::CLOSED;
    }

    /// The handshake completes, perhaps after it had been reported otherwise.
    #[inline(always)]
    fn complete(&mut self, flow: &mut Flow, now_ns: u64) {
        if !flow.is_pending() {
            self.late_from = flow.outcome;
            flow.flags.insert(HandshakeFlags::LATE);
        }
        let reason = if flow.has(note::SIMULTANEOUS) {
            Reason::Simultaneous
        } else if flow.has(note::DATA_ACCEPTED) && flow.flags.contains(HandshakeFlags::FAST_OPEN) {
            Reason::FastOpen
        } else {
            Reason::Normal
        };
        let timed = flow.synack_hook != 0 && !flow.flags.contains(HandshakeFlags::REORDERED);
        self.rtt_ack_us = if timed { micros(now_ns, flow.synack_ns) } else { RTT_UNKNOWN };
        self.end(flow, Outcome::Completed, reason);
    }
}

#[inline(always)]
fn note_anomaly(flow: &mut Flow, anomaly: Anomaly) {
    if flow.first_anomaly == 0 {
        flow.first_anomaly = anomaly.code();
    }
    flow.anomalies.insert(anomaly);
}

/// What an outcome becomes in the light of the flow's anomalies: malformed, unless the handshake
/// was completed or refused all the same.
#[inline(always)]
fn judged(flow: &Flow, outcome: Outcome, reason: Reason) -> (Outcome, Reason) {
    match outcome {
        Outcome::Completed | Outcome::Refused => (outcome, reason),
        _ if flow.anomalies.is_empty() => (outcome, reason),
        _ => (Outcome::Malformed, Reason::FirstAnomaly),
    }
}

/// Microseconds from `then` to `now`; a clock set back counts as no time.
#[inline(always)]
fn micros(now_ns: u64, then_ns: u64) -> u32 {
    let micros = now_ns.saturating_sub(then_ns) / 1000;
    if micros < RTT_UNKNOWN as u64 { micros as u32 } else { RTT_UNKNOWN - 1 }
}

/// Whether a flow is still worth remembering: it is pending, or its last SYN or SYN-ACK is recent.
#[inline(always)]
pub fn is_remembered(flow: &Flow, now_ns: u64) -> bool {
    flow.is_pending() || now_ns.saturating_sub(flow.last_ns()) <= LINGER_NS
}

/// The flow of a SYN on a tuple that is not remembered. What it does is left in `transition`: the
/// kernel has no stack to spare for copies.
#[inline(always)]
pub fn begin(
    flow: &mut Flow,
    segment: &Segment,
    direction: Direction,
    seen: Sighting,
    transition: &mut Transition,
) {
    *transition = Transition::EMPTY;
    transition.anomaly = segment.fault;
    syn::begin(flow, segment, direction, seen, transition);
}

/// One segment of a remembered flow. A segment with an illegal combination of flags never comes
/// here: it changes nothing. What it does is left in `transition`.
#[inline(always)]
pub fn step(
    flow: &mut Flow,
    segment: &Segment,
    direction: Direction,
    seen: Sighting,
    transition: &mut Transition,
) {
    let flags = segment.flags;
    let from_initiator = direction as u8 == flow.initiator;
    *transition = Transition::EMPTY;
    transition.anomaly = segment.fault;
    if flags.is_syn() {
        if from_initiator {
            syn::from_initiator(flow, segment, direction, seen, transition);
        } else {
            syn::from_responder(flow, segment, direction, seen, transition);
        }
    } else if flags.is_synack() {
        if from_initiator {
            synack::from_initiator(flow, segment, seen, transition);
        } else {
            synack::from_responder(flow, segment, seen, transition);
        }
    } else if flow.is_closed() {
        // The common case of a flow that is only remembered: nothing to do.
    } else if flags.contains(TcpFlags::RST) {
        if from_initiator {
            rst::from_initiator(flow, segment, transition);
        } else {
            rst::from_responder(flow, segment, transition);
        }
    } else if from_initiator {
        ack::from_initiator(flow, segment, seen, transition);
    } else {
        ack::from_responder(flow, segment, seen, transition);
    }
    if segment.fault != 0 && !transition.seen_again {
        note_fault(flow, segment);
        transition.changed = true;
    }
}

/// Marks what the parser and the stateless rules found on a flow.
#[inline(always)]
pub fn note_fault(flow: &mut Flow, segment: &Segment) {
    if segment.fault != 0 {
        if flow.first_anomaly == 0 {
            flow.first_anomaly = segment.fault;
        }
        flow.anomalies.0 |= 1 << (segment.fault & 31);
    }
}

/// The handshake's direction as seen by the watched host.
#[inline(always)]
pub fn path(flow: &Flow) -> Path {
    if flow.syn_hook == Hook::Capture as u8 || flow.syn_hook == flow.synack_hook {
        Path::Transit
    } else if flow.syn_hook == Hook::Ingress as u8 {
        Path::Inbound
    } else {
        Path::Outbound
    }
}
