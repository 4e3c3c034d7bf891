//! A SYN without ACK: it begins a handshake, repeats, supersedes, or opens from both sides.

use super::{Sighting, Transition, micros, note_fault};
use crate::flow::{Direction, Flow, note, phase};
use crate::{Anomaly, HandshakeFlags, Outcome, Reason, Segment, TcpFlags};

/// A new handshake takes the place of whatever the flow held.
#[inline(always)]
pub(super) fn begin(
    flow: &mut Flow,
    segment: &Segment,
    direction: Direction,
    seen: Sighting,
    transition: &mut Transition,
) {
    *flow = Flow::EMPTY;
    flow.begun_ns = seen.now_ns;
    flow.syn_ns = seen.now_ns;
    flow.a = segment.seq;
    flow.initiator_window = segment.window;
    flow.ifindex = seen.ifindex;
    flow.vlan = segment.vlan;
    flow.phase = phase::SYN_SENT;
    flow.initiator = direction as u8;
    flow.syn_hook = seen.hook as u8;
    if segment.flags.contains(TcpFlags::ECE.with(TcpFlags::CWR)) {
        flow.flags.insert(HandshakeFlags::ECN);
    }
    note_syn(flow, segment);
    note_fault(flow, segment);
    transition.begun = true;
    transition.changed = true;
}

/// What a SYN carries, the first or a repeated one. A client that falls back from Fast Open repeats
/// its SYN without data: the answer may be to either.
#[inline(always)]
fn note_syn(flow: &mut Flow, segment: &Segment) {
    if segment.fast_open != 0 {
        flow.flags.insert(HandshakeFlags::FAST_OPEN);
    }
    if segment.payload > u32::from(flow.syn_payload) {
        let payload = if segment.payload > 0xffff { 0xffff } else { segment.payload as u16 };
        flow.syn_payload = payload;
        flow.initiator_sent = u32::from(payload);
    }
}

/// The side that opened sends a SYN.
#[inline(always)]
pub(super) fn from_initiator(
    flow: &mut Flow,
    segment: &Segment,
    direction: Direction,
    seen: Sighting,
    transition: &mut Transition,
) {
    if segment.seq == flow.a {
        return again(flow, segment, seen, transition);
    }
    if flow.is_closed() {
        return begin(flow, segment, direction, seen, transition);
    }
    if flow.has(note::PREVIOUS_A) && segment.seq == flow.previous_a {
        // A late copy of the SYN that was superseded.
        return;
    }
    supersede(flow, segment, direction, seen, transition);
}

/// The SYN with the same ISN once more.
#[inline(always)]
fn again(flow: &mut Flow, segment: &Segment, seen: Sighting, transition: &mut Transition) {
    if seen.is_passage(flow.ifindex, flow.syn_hook, flow.syn_ns) {
        return transition.pass();
    }
    if flow.outcome == Outcome::Completed.code() {
        // A late copy: the handshake is over.
        return;
    }
    transition.changed = true;
    flow.syn_ns = seen.now_ns;
    flow.syn_retransmits = flow.syn_retransmits.saturating_add(1);
    flow.notes &= !note::INITIATOR_RESET;
    if flow.is_closed() {
        // Windows tries a refused connection again with the same SYN.
        flow.notes |= note::SYN_AGAIN;
    }
    note_syn(flow, segment);
}

/// Another ISN before the handshake closed: the old one ends, and may still be answered.
#[inline(always)]
fn supersede(
    flow: &mut Flow,
    segment: &Segment,
    direction: Direction,
    seen: Sighting,
    transition: &mut Transition,
) {
    let previous = flow.a;
    let was_pending = flow.is_pending();
    let gave_up = flow.has(note::INITIATOR_RESET);
    if was_pending {
        let (outcome, reason) = super::judged(flow, Outcome::HalfOpen, Reason::Superseded);
        transition.superseded = true;
        transition.outcome = outcome.code();
        transition.reason = reason.code();
    }
    begin(flow, segment, direction, seen, transition);
    flow.previous_a = previous;
    flow.notes |= note::PREVIOUS_A;
    if was_pending && !gave_up {
        transition.blame_number(flow, Anomaly::SynIsnChanged, previous, segment.seq);
    }
}

/// The other side sends a SYN.
#[inline(always)]
pub(super) fn from_responder(
    flow: &mut Flow,
    segment: &Segment,
    direction: Direction,
    seen: Sighting,
    transition: &mut Transition,
) {
    let is_b = flow.synack_hook != 0 && segment.seq == flow.b;
    if flow.is_closed() {
        if is_b {
            // A late copy, or its SYN-ACK overtook it: a simultaneous open after all, and it is over.
            flow.notes |= note::SIMULTANEOUS;
            transition.changed = true;
        } else {
            begin(flow, segment, direction, seen, transition);
        }
        return;
    }
    if flow.phase == phase::SYN_SENT {
        transition.changed = true;
        flow.notes = flow.notes & !note::EARLY_DATA | note::SIMULTANEOUS;
        flow.phase = phase::SYN_RECEIVED;
        flow.responder_sent = 0;
        flow.b = segment.seq;
        flow.synack_ns = seen.now_ns;
        flow.rtt_synack_us = micros(seen.now_ns, flow.syn_ns);
        flow.responder_window = segment.window;
        flow.synack_ack = flow.a.wrapping_add(1);
        flow.synack_hook = seen.hook as u8;
        flow.synack_ifindex = seen.ifindex as u16;
    } else if is_b {
        // The responder's SYN, seen after its SYN-ACK or once more: a simultaneous open after all.
        transition.changed = true;
        if !flow.has(note::SIMULTANEOUS) {
            flow.notes |= note::SIMULTANEOUS | note::A_ACKED;
        }
        flow.synack_ns = seen.now_ns;
    } else {
        transition.blame_number(flow, Anomaly::SynFromResponder, flow.b, segment.seq);
    }
}
