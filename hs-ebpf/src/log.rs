//! Debug logging through aya-log. The level is read-only data: when it is off, the verifier removes
//! the code, and a packet pays nothing.

use aya_log_ebpf::debug;
use aya_log_ebpf::macro_support::{Level, level_enabled};
use hs_common::Event;

/// Tells of an event that is about to be handed on. The question is asked before the call, which costs too.
#[inline(always)]
pub fn event(event: &Event) {
    if level_enabled(Level::Debug) {
        tell(event);
    }
}

#[inline(never)]
fn tell(event: &Event) {
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
