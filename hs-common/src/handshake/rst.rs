//! A RST: it refuses, aborts, or breaks a rule.

use super::Transition;
use crate::flow::{Flow, note, phase};
use crate::seq::within;
use crate::{Anomaly, Outcome, Reason, Segment, TcpFlags};

/// How far past its ISN a side's RST is believed: an unscaled window.
const RST_WINDOW: u32 = 0xffff;

/// The responder resets.
#[inline(always)]
pub(super) fn from_responder(flow: &mut Flow, segment: &Segment, transition: &mut Transition) {
    if !flow.is_pending() {
        // The timeout has been reported, and only a completion is reported again.
        return;
    }
    if flow.phase == phase::SYN_SENT {
        return answering_syn(flow, segment, transition);
    }
    let acks = segment.flags.contains(TcpFlags::ACK)
        && (acknowledges_syn(flow, segment.ack) || acknowledges_other_syn(flow, segment.ack));
    if acks || within(segment.seq, flow.b, RST_WINDOW) {
        transition.end(flow, Outcome::Aborted, Reason::ResponderRst);
    }
    // Else it answers a wrong ACK of the initiator (its sequence number is that ACK's), and the
    // responder stays in SYN-RECEIVED (RFC 9293 3.10.7.4).
}

/// RFC 9293 3.10.7.3: in SYN-SENT a RST counts only if it acknowledges the SYN. One that answers a
/// superseded SYN comes too late: that handshake has its outcome, and the newer one may do better.
#[inline(always)]
fn answering_syn(flow: &mut Flow, segment: &Segment, transition: &mut Transition) {
    let has_ack = segment.flags.contains(TcpFlags::ACK);
    if has_ack && acknowledges_syn(flow, segment.ack) {
        transition.end(flow, Outcome::Refused, Reason::Rst);
    } else if !(has_ack && acknowledges_other_syn(flow, segment.ack)) {
        let expected = flow.a.wrapping_add(1);
        transition.blame_number(flow, Anomaly::RstOutOfWindow, expected, segment.ack);
    }
}

#[inline(always)]
fn acknowledges_syn(flow: &Flow, ack: u32) -> bool {
    within(ack, flow.a.wrapping_add(1), u32::from(flow.syn_payload))
}

#[inline(always)]
fn acknowledges_other_syn(flow: &Flow, ack: u32) -> bool {
    flow.has(note::PREVIOUS_A) && ack == flow.previous_a.wrapping_add(1)
}

/// The initiator resets.
#[inline(always)]
pub(super) fn from_initiator(flow: &mut Flow, segment: &Segment, transition: &mut Transition) {
    if !flow.is_pending() {
        return;
    }
    if flow.phase == phase::SYN_SENT {
        // It answers a challenge ACK, or gives up: the next SYN may have any ISN.
        flow.notes |= note::INITIATOR_RESET;
        transition.changed = true;
    } else if within(segment.seq, flow.a, RST_WINDOW) {
        if flow.has(note::OLD_ANSWERED) {
            return reject_answer(flow, transition);
        }
        transition.end(flow, Outcome::Aborted, Reason::InitiatorRst);
    }
}

/// RFC 9293 fig. 8: the initiator resets what its superseded SYN brought about. The newer SYN still
/// waits for its own answer.
#[inline(always)]
fn reject_answer(flow: &mut Flow, transition: &mut Transition) {
    core::mem::swap(&mut flow.a, &mut flow.previous_a);
    flow.notes &= !note::OLD_ANSWERED;
    flow.phase = phase::SYN_SENT;
    flow.synack_ns = 0;
    flow.synack_hook = 0;
    transition.changed = true;
}
