//! What is counted and told: events, filled from the flow, the segment and the transition.

use super::{Host, Scratch};
use crate::event::{KIND_ANOMALY, KIND_HANDSHAKE, RTT_UNKNOWN};
use crate::flow::{Flow, FlowKey};
use crate::handshake::{self, Expiry, Transition};
use crate::syn_cache::Word;
use crate::victim::Tally;
use crate::{Counter, Event, Outcome, Reason, Slot, VictimKey};

/// The event of a handshake that ended.
#[inline(always)]
pub(super) fn handshake_event(
    event: &mut Event,
    key: &FlowKey,
    flow: &Flow,
    transition: &Transition,
    now_ns: u64,
) {
    let ((src, src_port), (dst, dst_port)) = key.endpoints(flow.initiator());
    let malformed = transition.reason == Reason::FirstAnomaly.code();
    let has_synack = flow.synack_hook != 0;
    *event = Event::EMPTY;
    event.time_ns = now_ns;
    (event.src, event.src_port) = (src, src_port);
    (event.dst, event.dst_port) = (dst, dst_port);
    event.vlan = flow.vlan;
    event.ifindex = flow.ifindex;
    event.syn_seq = flow.a;
    event.synack_seq = flow.b;
    event.rtt_synack_us = if has_synack { flow.rtt_synack_us } else { RTT_UNKNOWN };
    event.rtt_ack_us = transition.rtt_ack_us;
    event.anomalies = flow.anomalies;
    event.flags = flow.flags;
    event.syn_retransmits = flow.syn_retransmits;
    event.synack_retransmits = flow.synack_retransmits;
    event.kind = KIND_HANDSHAKE;
    event.outcome = transition.outcome;
    event.reason = transition.reason;
    event.anomaly = if malformed { flow.first_anomaly } else { 0 };
    event.path = handshake::path(flow) as u8;
    event.has_synack = has_synack as u8;
}

/// The event of the anomaly of the segment at hand.
#[inline(always)]
fn anomaly_event(scratch: &mut Scratch) {
    let (event, segment, transition) = (&mut scratch.event, &scratch.segment, &scratch.transition);
    *event = Event::EMPTY;
    event.time_ns = scratch.seen.now_ns;
    (event.src, event.src_port) = (segment.src, segment.src_port);
    (event.dst, event.dst_port) = (segment.dst, segment.dst_port);
    event.vlan = segment.vlan;
    event.ifindex = scratch.seen.ifindex;
    event.expected = transition.expected;
    event.actual = transition.actual;
    event.tcp_flags = segment.flags.0;
    event.kind = KIND_ANOMALY;
    event.anomaly = transition.anomaly;
    event.has_numbers = transition.has_numbers as u8;
}

/// Counts a handshake's end and reports `scratch.event`.
#[inline(always)]
pub(super) fn end<H: Host>(host: &mut H, scratch: &mut Scratch, now_ns: u64) {
    let (outcome, late_from) = (scratch.transition.outcome, scratch.transition.late_from);
    if outcome == 0 {
        return;
    }
    scratch.responder = VictimKey::port(scratch.event.dst, scratch.event.dst_port);
    host.count_at(Slot::outcome_code(outcome), 1);
    if late_from != 0 {
        host.count_at(Slot::outcome_code(late_from), -1);
        host.count(Counter::CompletedLate);
    }
    scratch.tally = scratch.tally.with(Tally::ended_code(outcome));
    // A completed handshake is never thinned: real clients stay visible in a flood.
    let within_budget =
        outcome == Outcome::Completed.code() || host.may_report(Some(&scratch.responder), now_ns);
    deliver(host, scratch, within_budget);
}

/// Fills `scratch.event` with the end of a handshake of which only the first SYN was seen, which is in
/// `scratch.leaving.first`.
#[inline(never)]
pub(super) fn expire_first_syn<H: Host>(host: &mut H, scratch: &mut Scratch, why: Expiry) {
    let vlan_aware = host.config().vlan_aware != 0;
    scratch.leaving.first.key_into(&mut scratch.leaving.key, vlan_aware);
    scratch.leaving.first.flow_into(&mut scratch.after.flow, false);
    let Some((outcome, reason)) = handshake::expire(&mut scratch.after.flow, why) else { return };
    scratch.transition = Transition { outcome: outcome.code(), reason: reason.code(), ..Transition::EMPTY };
    let (key, flow) = (&scratch.leaving.key, &scratch.after.flow);
    handshake_event(&mut scratch.event, key, flow, &scratch.transition, scratch.seen.now_ns);
}

/// Counts a first SYN that gave way to another, and its event, which is told if it is within the budget.
#[inline(always)]
pub(super) fn count_evicted<H: Host>(host: &mut H, word: Word, told: bool) {
    let outcome = if word.is_flawed() { Outcome::Malformed } else { Outcome::HalfOpen };
    host.count_at(Slot::outcome(outcome), 1);
    host.count(Counter::FlowsEvicted);
    if !told {
        host.count(Counter::EventsProduced);
        host.count(Counter::EventsSuppressed);
    }
}

/// Counts and reports the segment's anomaly.
#[inline(never)]
pub(super) fn report_anomaly<H: Host>(host: &mut H, scratch: &mut Scratch) {
    anomaly_event(scratch);
    host.count_at(Slot::anomaly_code(scratch.transition.anomaly), 1);
    let within_budget = host.may_report(None, scratch.seen.now_ns);
    deliver(host, scratch, within_budget);
}

#[inline(always)]
pub(super) fn deliver<H: Host>(host: &mut H, scratch: &mut Scratch, within_budget: bool) {
    host.count(Counter::EventsProduced);
    if !within_budget {
        host.count(Counter::EventsSuppressed);
    } else if !host.emit(&scratch.event) {
        host.count(Counter::EventsLost);
    }
}
