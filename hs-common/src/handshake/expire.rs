//! The end of a handshake by time, by lack of room, or by the end of the watch.

use super::judged;
use crate::flow::{Flow, note, phase};
use crate::{Outcome, Reason};

/// Why a handshake can't be waited for any longer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expiry {
    /// `half_open_ns` passed since its first SYN. It is remembered, and may complete late.
    Timeout,
    /// Its place in the full flow table is needed.
    Evicted,
    /// hs-mon or the capture ends.
    Shutdown,
}

/// Ends a pending handshake; `None` if it has an outcome.
#[inline(always)]
pub fn expire(flow: &mut Flow, why: Expiry) -> Option<(Outcome, Reason)> {
    if !flow.is_pending() {
        return None;
    }
    let (outcome, reason) = unjudged(flow, why);
    let (outcome, reason) = judged(flow, outcome, reason);
    flow.outcome = outcome.code();
    if why != Expiry::Timeout {
        flow.phase = phase::CLOSED;
    }
    Some((outcome, reason))
}

#[inline(always)]
fn unjudged(flow: &Flow, why: Expiry) -> (Outcome, Reason) {
    if flow.has(note::FIN_SEEN) {
        return (Outcome::Aborted, Reason::Fin);
    }
    match why {
        Expiry::Evicted => (Outcome::HalfOpen, Reason::Evicted),
        Expiry::Shutdown => (Outcome::HalfOpen, Reason::Shutdown),
        Expiry::Timeout if flow.phase == phase::SYN_RECEIVED => (Outcome::HalfOpen, Reason::NoAck),
        Expiry::Timeout if flow.has(note::EARLY_ACK) => (Outcome::Unverified, Reason::SynackUnseen),
        Expiry::Timeout => (Outcome::HalfOpen, Reason::NoSynack),
    }
}
