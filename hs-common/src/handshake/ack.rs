//! A segment without SYN and RST: the completing ACK, data, or what comes before its time.

use super::{Sighting, Transition};
use crate::flow::{Flow, note, phase};
use crate::seq::{past, within};
use crate::{Anomaly, HandshakeFlags, Segment, TcpFlags};

/// The initiator acknowledges, sends data or closes.
#[inline(always)]
pub(super) fn from_initiator(
    flow: &mut Flow,
    segment: &Segment,
    seen: Sighting,
    transition: &mut Transition,
) {
    if flow.phase == phase::SYN_SENT {
        before_synack(flow, segment, transition);
    } else if flow.has(note::SIMULTANEOUS) {
        simultaneous_from_initiator(flow, segment, seen, transition);
    } else {
        completing(flow, segment, seen, transition);
    }
}

/// No SYN-ACK passed here yet: the final ACK overtook it, only one direction is visible, or data
/// comes too early.
#[inline(always)]
fn before_synack(flow: &mut Flow, segment: &Segment, transition: &mut Transition) {
    let first = flow.a.wrapping_add(1);
    let too_early =
        segment.payload > 0 && !flow.flags.contains(HandshakeFlags::FAST_OPEN) && !flow.has(note::EARLY_ACK);
    if within(segment.seq, first, u32::from(flow.syn_payload)) && !flow.has(note::EARLY_ACK) {
        flow.notes |= note::EARLY_ACK;
        flow.early_ack = segment.ack;
        transition.early_acked = true;
        transition.changed = true;
    }
    if too_early {
        transition.blame(flow, Anomaly::DataBeforeEstablished);
    }
    let sent = farther(flow.initiator_sent, segment, first);
    if sent > flow.initiator_sent && flow.has(note::EARLY_ACK) {
        flow.initiator_sent = sent;
        transition.changed = true;
    }
}

/// The SYN-ACK passed: this segment completes the handshake if its numbers prove it.
#[inline(always)]
fn completing(flow: &mut Flow, segment: &Segment, seen: Sighting, transition: &mut Transition) {
    let first = flow.a.wrapping_add(1);
    let payload = u32::from(flow.syn_payload);
    // The window begins behind what the SYN-ACK acknowledged, under TFO perhaps the data of the SYN.
    let window = past(flow.synack_ack, first) + u32::from(flow.responder_window);
    let span = if payload > window { payload } else { window };
    if !within(segment.seq, first, span) {
        return transition.blame_number(flow, Anomaly::AckWrongSeq, first, segment.seq);
    }
    let at_the_start =
        segment.seq == first || segment.seq == flow.synack_ack || segment.seq == first.wrapping_add(payload);
    let answers = flow.b.wrapping_add(1);
    if flow.has(note::PREVIOUS_B) && segment.ack == flow.previous_b.wrapping_add(1) {
        // Of two SYN-ACKs it took the first.
        core::mem::swap(&mut flow.b, &mut flow.previous_b);
    }
    if acknowledges_synack(flow, segment.ack) {
        if !at_the_start {
            flow.flags.insert(HandshakeFlags::ACK_INFERRED);
        }
    } else if explained(flow, segment.ack, at_the_start) {
        flow.flags.insert(HandshakeFlags::ACK_INFERRED);
    } else {
        // The responder may acknowledge it all the same.
        flow.initiator_sent = farther(flow.initiator_sent, segment, first);
        return transition.blame_number(flow, Anomaly::AckWrongAck, answers, segment.ack);
    }
    transition.complete(flow, seen.now_ns);
}

/// Whether `ack` is B+1, or B+1 and the data of the SYN-ACK.
#[inline(always)]
fn acknowledges_synack(flow: &Flow, ack: u32) -> bool {
    let first = flow.b.wrapping_add(1);
    ack == first || ack == first.wrapping_add(u32::from(flow.synack_payload))
}

/// Whether the responder's data explains `ack`. If the initiator is past its start, segments of it
/// were not seen here, so the responder's may not have been either: then its window is the bound.
#[inline(always)]
fn explained(flow: &Flow, ack: u32, at_the_start: bool) -> bool {
    let unseen = if at_the_start { 0 } else { u32::from(flow.initiator_window) };
    let span = if flow.responder_sent > unseen { flow.responder_sent } else { unseen };
    within(ack, flow.b.wrapping_add(1), span)
}

/// Both sides sent a SYN: the initiator acknowledges B.
#[inline(always)]
fn simultaneous_from_initiator(
    flow: &mut Flow,
    segment: &Segment,
    seen: Sighting,
    transition: &mut Transition,
) {
    let expected = flow.b.wrapping_add(1);
    if !within(segment.ack, expected, flow.responder_sent) {
        return transition.blame_number(flow, Anomaly::AckWrongAck, expected, segment.ack);
    }
    if !within(segment.seq, flow.a, 1 + u32::from(flow.responder_window)) {
        return transition.blame_number(flow, Anomaly::AckWrongSeq, flow.a.wrapping_add(1), segment.seq);
    }
    transition.changed = true;
    flow.notes |= note::B_ACKED;
    if flow.has(note::A_ACKED) {
        transition.complete(flow, seen.now_ns);
    }
}

/// The responder sends a segment without SYN before the handshake is complete.
#[inline(always)]
pub(super) fn from_responder(
    flow: &mut Flow,
    segment: &Segment,
    seen: Sighting,
    transition: &mut Transition,
) {
    let first = flow.a.wrapping_add(1);
    if flow.phase == phase::SYN_SENT {
        return before_own_syn(flow, segment, transition);
    }
    if flow.has(note::SIMULTANEOUS) {
        note_sent(flow, segment, transition);
        if segment.ack == first {
            transition.changed = true;
            flow.notes |= note::A_ACKED;
            if flow.has(note::B_ACKED) {
                transition.complete(flow, seen.now_ns);
            }
        }
        return;
    }
    if !within(segment.ack, first, flow.initiator_sent) {
        return transition.blame_number(flow, Anomaly::AckFromResponder, first, segment.ack);
    }
    note_sent(flow, segment, transition);
    if segment.flags.contains(TcpFlags::FIN) {
        flow.notes |= note::FIN_SEEN;
        transition.changed = true;
    }
}

/// A challenge ACK of an older connection (RFC 9293 3.10.7.4), half of a split SYN-ACK, or under Fast
/// Open data that overtook the SYN-ACK.
#[inline(always)]
fn before_own_syn(flow: &mut Flow, segment: &Segment, transition: &mut Transition) {
    if !within(segment.ack, flow.a.wrapping_add(1), u32::from(flow.syn_payload)) {
        return;
    }
    transition.changed = true;
    flow.notes |= note::A_ACKED;
    let end = end_of(segment);
    if flow.flags.contains(HandshakeFlags::FAST_OPEN)
        && (!flow.has(note::EARLY_DATA) || past(end, flow.responder_sent) > 0)
    {
        flow.notes |= note::EARLY_DATA;
        flow.responder_sent = end;
    }
}

/// How far the responder has sent: what the initiator may acknowledge.
#[inline(always)]
fn note_sent(flow: &mut Flow, segment: &Segment, transition: &mut Transition) {
    let sent = farther(flow.responder_sent, segment, flow.b.wrapping_add(1));
    if sent > flow.responder_sent {
        flow.responder_sent = sent;
        transition.changed = true;
    }
}

/// How far past `first` a side has sent, which was `so_far`, after one more segment.
#[inline(always)]
fn farther(so_far: u32, segment: &Segment, first: u32) -> u32 {
    let end = past(end_of(segment), first);
    if end > so_far { end } else { so_far }
}

/// The sequence number behind a segment without SYN. A FIN counts as one.
#[inline(always)]
fn end_of(segment: &Segment) -> u32 {
    let fin = segment.flags.contains(TcpFlags::FIN) as u32;
    segment.seq.wrapping_add(segment.payload).wrapping_add(fin)
}
