//! Debug logging through aya-log. The level is read-only data: when it is off, the verifier removes
//! the code, and a packet pays nothing.

use aya_log_ebpf::debug;
use hs_common::Event;

/// Tells of an event that is about to be handed on.
#[inline(never)]
pub fn event(event: &Event) {
    debug!(
        &(),
        "event kind={} outcome={} reason={} anomaly={} ports={}->{} A={} B={}",
        event.kind,
        event.outcome,
        event.reason,
        event.anomaly,
        event.src_port,
        event.dst_port,
        event.syn_seq,
        event.synack_seq
    );
}
