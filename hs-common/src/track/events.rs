//! What an event says: filled from the flow, the segment and the transition.

use super::Scratch;
use crate::event::{KIND_ANOMALY, KIND_HANDSHAKE, RTT_UNKNOWN};
use crate::flow::{Flow, FlowKey};
use crate::handshake::{self, Transition};
use crate::{Event, Reason};

/// The event of a handshake that ended.
///
/// Not inlined: its working registers would stay on the stack below the rest of the chain of calls.
#[inline(never)]
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
pub(super) fn anomaly_event(scratch: &mut Scratch) {
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
