//! A SYN with ACK: it answers a SYN, repeats, or breaks a rule.

use super::{Sighting, Transition, micros};
use crate::flow::{Flow, note, phase};
use crate::seq::{past, within};
use crate::{Anomaly, HandshakeFlags, Outcome, Segment};

/// The responder answers.
#[inline(always)]
pub(super) fn from_responder(
    flow: &mut Flow,
    segment: &Segment,
    seen: Sighting,
    transition: &mut Transition,
) {
    // RFC 9293 3.10.7.3: SND.UNA < SEG.ACK =< SND.NXT, which takes in the data of the SYN.
    let first = flow.a.wrapping_add(1);
    if !within(segment.ack, first, u32::from(flow.syn_payload)) {
        if flow.has(note::PREVIOUS_A) && segment.ack == flow.previous_a.wrapping_add(1) {
            return answers_other_syn(flow, segment, seen, transition);
        }
        return transition.blame_number(flow, Anomaly::SynackWrongAck, first, segment.ack);
    }
    if flow.is_closed() {
        return after_the_end(flow, segment, seen, transition);
    }
    if flow.phase == phase::SYN_SENT {
        transition.changed = true;
        return answer(flow, segment, seen, transition);
    }
    let is_known = segment.seq == flow.b;
    if is_known && seen.is_passage(u32::from(flow.synack_ifindex), flow.synack_hook, flow.synack_ns) {
        return transition.pass();
    }
    transition.changed = true;
    flow.synack_ns = seen.now_ns;
    if segment.seq == flow.b {
        flow.synack_retransmits =
            flow.synack_retransmits.saturating_add(!flow.has(note::SIMULTANEOUS) as u16);
    } else if !(flow.has(note::PREVIOUS_B) && segment.seq == flow.previous_b) {
        changed_isn(flow, segment, transition);
    }
    if flow.has(note::SIMULTANEOUS) && segment.seq == flow.b {
        flow.notes |= note::A_ACKED;
        if flow.has(note::B_ACKED) {
            transition.complete(flow, seen.now_ns);
        }
    }
}

/// A superseded SYN is answered too. The newer one counts if both are: the initiator knows no other.
#[inline(always)]
fn answers_other_syn(flow: &mut Flow, segment: &Segment, seen: Sighting, transition: &mut Transition) {
    if flow.is_closed() || flow.phase == phase::SYN_RECEIVED && !flow.has(note::OLD_ANSWERED) {
        return;
    }
    transition.changed = true;
    core::mem::swap(&mut flow.a, &mut flow.previous_a);
    flow.notes ^= note::OLD_ANSWERED;
    answer(flow, segment, seen, transition);
}

/// The first SYN-ACK.
#[inline(always)]
fn answer(flow: &mut Flow, segment: &Segment, seen: Sighting, transition: &mut Transition) {
    let first = segment.seq.wrapping_add(1);
    flow.phase = phase::SYN_RECEIVED;
    flow.b = segment.seq;
    flow.synack_ns = seen.now_ns;
    flow.synack_ack = segment.ack;
    flow.synack_payload = if segment.payload > 0xffff { 0xffff } else { segment.payload as u16 };
    let overtook = if flow.has(note::EARLY_DATA) { past(flow.responder_sent, first) } else { 0 };
    let payload = u32::from(flow.synack_payload);
    flow.responder_sent = if overtook > payload { overtook } else { payload };
    flow.notes &= !note::EARLY_DATA;
    flow.responder_window = segment.window;
    flow.rtt_synack_us = micros(seen.now_ns, flow.syn_ns);
    flow.synack_hook = seen.hook as u8;
    flow.synack_ifindex = seen.ifindex as u16;
    if segment.ack != flow.a.wrapping_add(1) {
        flow.notes |= note::DATA_ACCEPTED;
    }
    if flow.has(note::EARLY_ACK) && within(flow.early_ack, first, flow.responder_sent) {
        flow.flags.insert(HandshakeFlags::REORDERED);
        transition.complete(flow, seen.now_ns);
    }
}

/// A second SYN-ACK with another B: both are remembered, since the initiator may have taken either.
#[inline(always)]
fn changed_isn(flow: &mut Flow, segment: &Segment, transition: &mut Transition) {
    let before = flow.b;
    flow.previous_b = before;
    flow.b = segment.seq;
    flow.synack_ack = segment.ack;
    flow.notes |= note::PREVIOUS_B;
    transition.blame_number(flow, Anomaly::SynackIsnChanged, before, segment.seq);
}

/// A SYN-ACK of a flow that has its outcome: a late copy, unless the SYN was tried again.
#[inline(always)]
fn after_the_end(flow: &mut Flow, segment: &Segment, seen: Sighting, transition: &mut Transition) {
    let is_known = segment.seq == flow.b || flow.has(note::PREVIOUS_B) && segment.seq == flow.previous_b;
    if flow.has(note::SYN_AGAIN) {
        reopen(flow);
        transition.begun = true;
        transition.changed = true;
        return answer(flow, segment, seen, transition);
    }
    if flow.outcome == Outcome::Refused.code() {
        return;
    }
    transition.changed = true;
    flow.synack_ns = seen.now_ns;
    if !is_known {
        changed_isn(flow, segment, transition);
    }
}

/// The SYN that was tried again after a refusal is answered: another handshake, begun by that SYN.
#[inline(always)]
fn reopen(flow: &mut Flow) {
    flow.begun_ns = flow.syn_ns;
    flow.synack_ns = 0;
    flow.notes = 0;
    flow.outcome = 0;
    flow.anomalies.0 = 0;
    flow.first_anomaly = 0;
    flow.syn_retransmits = 0;
    flow.synack_retransmits = 0;
}

/// The side that sent the SYN sends a SYN-ACK: a simultaneous open, or an anomaly.
#[inline(always)]
pub(super) fn from_initiator(
    flow: &mut Flow,
    segment: &Segment,
    seen: Sighting,
    transition: &mut Transition,
) {
    if !flow.has(note::SIMULTANEOUS) {
        return transition.blame(flow, Anomaly::SynackFromInitiator);
    }
    let expected = flow.b.wrapping_add(1);
    if segment.ack != expected {
        return transition.blame_number(flow, Anomaly::SynackWrongAck, expected, segment.ack);
    }
    if segment.seq != flow.a {
        return transition.blame_number(flow, Anomaly::SynackIsnChanged, flow.a, segment.seq);
    }
    if !flow.is_closed() {
        transition.changed = true;
        flow.notes |= note::B_ACKED;
        if flow.has(note::A_ACKED) {
            transition.complete(flow, seen.now_ns);
        }
    }
}
