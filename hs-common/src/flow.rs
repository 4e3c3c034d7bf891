//! What is kept of a flow: its canonical key and the state of its handshake.

use crate::{Addr, AnomalySet, HandshakeFlags, Outcome, Segment, VlanTags};

/// Which way a segment goes, relative to the canonical key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Direction {
    /// From the lower endpoint to the higher one.
    Up = 0,
    /// From the higher endpoint to the lower one.
    Down = 1,
}

/// The identity of a flow: both endpoints, the lower one first, so that both directions find the
/// same entry with one lookup. Ports in host order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[repr(C)]
pub struct FlowKey {
    /// Address of the lower endpoint.
    pub low: Addr,
    /// Address of the higher endpoint.
    pub high: Addr,
    /// Port of the lower endpoint.
    pub low_port: u16,
    /// Port of the higher endpoint.
    pub high_port: u16,
    /// VLAN tags if they are a part of the identity, else none.
    pub vlan: VlanTags,
}

const _: () = assert!(size_of::<FlowKey>() == 40);

impl FlowKey {
    /// All zero: a place to start from.
    pub const EMPTY: FlowKey = FlowKey {
        low: Addr { high: 0, low: 0 },
        high: Addr { high: 0, low: 0 },
        low_port: 0,
        high_port: 0,
        vlan: VlanTags::NONE,
    };

    /// The key of a segment's flow, and which way the segment goes.
    #[inline(always)]
    pub fn of(segment: &Segment, vlan_aware: bool) -> (FlowKey, Direction) {
        let vlan = if vlan_aware { segment.vlan } else { VlanTags::NONE };
        if is_lower(segment) {
            let key = FlowKey {
                low: segment.src,
                high: segment.dst,
                low_port: segment.src_port,
                high_port: segment.dst_port,
                vlan,
            };
            (key, Direction::Up)
        } else {
            let key = FlowKey {
                low: segment.dst,
                high: segment.src,
                low_port: segment.dst_port,
                high_port: segment.src_port,
                vlan,
            };
            (key, Direction::Down)
        }
    }

    /// Source and destination of a segment that goes this way.
    #[inline(always)]
    pub const fn endpoints(&self, direction: Direction) -> ((Addr, u16), (Addr, u16)) {
        let (low, high) = ((self.low, self.low_port), (self.high, self.high_port));
        match direction {
            Direction::Up => (low, high),
            Direction::Down => (high, low),
        }
    }
}

/// Any total order does; this one compares native words and is not the numeric order of addresses.
#[inline(always)]
fn is_lower(segment: &Segment) -> bool {
    let (src, dst) = (segment.src, segment.dst);
    if src.low != dst.low {
        return src.low < dst.low;
    }
    if src.high != dst.high {
        return src.high < dst.high;
    }
    segment.src_port < segment.dst_port
}

/// Where a packet was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Hook {
    /// Coming in: XDP or tc ingress.
    Ingress = 1,
    /// Going out: tc egress.
    Egress = 2,
    /// A capture, which does not tell.
    Capture = 3,
}

/// Where the handshake stands (RFC 9293 3.3.2), as codes in [`Flow::phase`].
pub mod phase {
    /// A SYN passed; nothing has answered it.
    pub const SYN_SENT: u8 = 1;
    /// A SYN-ACK passed, or the responder's SYN of a simultaneous open.
    pub const SYN_RECEIVED: u8 = 2;
    /// It has an outcome for good: completed, refused, aborted, or taken out of the table.
    pub const CLOSED: u8 = 3;
}

/// What was noted on the way, as bits of [`Flow::notes`].
pub mod note {
    /// `previous_a` is meaningful: an older SYN may still be answered.
    pub const PREVIOUS_A: u16 = 1 << 0;
    /// `previous_b` is meaningful: the responder answered with another ISN before.
    pub const PREVIOUS_B: u16 = 1 << 1;
    /// The initiator acknowledged `early_ack` before a SYN-ACK passed here.
    pub const EARLY_ACK: u16 = 1 << 2;
    /// Both sides sent a SYN before any SYN-ACK (RFC 9293 fig. 7), or the responder split its SYN-ACK.
    pub const SIMULTANEOUS: u16 = 1 << 3;
    /// Simultaneous: the initiator acknowledged B.
    pub const B_ACKED: u16 = 1 << 4;
    /// Simultaneous: the responder acknowledged A.
    pub const A_ACKED: u16 = 1 << 5;
    /// A FIN passed after the SYN-ACK and before the completing ACK.
    pub const FIN_SEEN: u16 = 1 << 6;
    /// The initiator reset the attempt before a SYN-ACK: the next SYN may have any ISN.
    pub const INITIATOR_RESET: u16 = 1 << 7;
    /// The SYN came again after the handshake was refused or aborted: it may be answered yet.
    pub const SYN_AGAIN: u16 = 1 << 8;
    /// The SYN-ACK acknowledged data of the SYN (RFC 7413).
    pub const DATA_ACCEPTED: u16 = 1 << 9;
    /// The SYN-ACK answers the superseded SYN: `a` is its ISN, `previous_a` that of the newer one.
    pub const OLD_ANSWERED: u16 = 1 << 10;
    /// Fast Open: the responder's data overtook its SYN-ACK, and `responder_sent` is where it ends.
    pub const EARLY_DATA: u16 = 1 << 11;
    /// The record beside the flow's word has its SYN-ACK.
    pub const RECORDED: u16 = 1 << 12;
}

/// The state of one flow's handshake. Sequence numbers and lengths in host order, times in
/// nanoseconds of the caller's clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct Flow {
    /// When the handshake began: its first SYN.
    pub begun_ns: u64,
    /// The initiator's latest SYN.
    pub syn_ns: u64,
    /// The latest SYN-ACK; 0 if none.
    pub synack_ns: u64,
    /// A: the initiator's ISN.
    pub a: u32,
    /// B: the responder's ISN.
    pub b: u32,
    /// The ISN of the SYN before, see [`note::PREVIOUS_A`].
    pub previous_a: u32,
    /// The ISN of the SYN-ACK before, see [`note::PREVIOUS_B`].
    pub previous_b: u32,
    /// What the SYN-ACK acknowledged: A+1, or more under TFO.
    pub synack_ack: u32,
    /// See [`note::EARLY_ACK`].
    pub early_ack: u32,
    /// How far past A+1 the initiator has sent.
    pub initiator_sent: u32,
    /// How far past B+1 the responder has sent.
    pub responder_sent: u32,
    /// SYN to SYN-ACK in microseconds.
    pub rtt_synack_us: u32,
    /// Anomalies seen on the flow.
    pub anomalies: AnomalySet,
    /// Interface of the SYN, 0 in replay.
    pub ifindex: u32,
    /// VLAN tags of the SYN.
    pub vlan: VlanTags,
    /// L: the SYN's payload.
    pub syn_payload: u16,
    /// The SYN-ACK's payload.
    pub synack_payload: u16,
    /// The responder's window, from the SYN-ACK.
    pub responder_window: u16,
    /// The initiator's window, from the SYN.
    pub initiator_window: u16,
    /// SYNs sent again.
    pub syn_retransmits: u16,
    /// SYN-ACKs sent again.
    pub synack_retransmits: u16,
    /// See [`note`].
    pub notes: u16,
    /// Qualifiers of the outcome.
    pub flags: HandshakeFlags,
    /// See [`phase`].
    pub phase: u8,
    /// Code of the outcome that it was counted under, 0 while it is pending. With a phase other
    /// than closed it was a timeout, and the handshake may complete late.
    pub outcome: u8,
    /// Code of the [`Direction`] of the initiator's segments.
    pub initiator: u8,
    /// Code of the first anomaly, or 0.
    pub first_anomaly: u8,
    /// Code of the [`Hook`] that saw the SYN.
    pub syn_hook: u8,
    /// Code of the [`Hook`] that saw the SYN-ACK, or 0.
    pub synack_hook: u8,
    /// Low half of the number of the interface that saw the latest SYN-ACK first, 0 in replay.
    pub synack_ifindex: u16,
}

const _: () = assert!(size_of::<Flow>() == 96 && align_of::<Flow>() == 8);

impl Flow {
    /// All zero: a place to start from.
    pub const EMPTY: Flow = Flow {
        begun_ns: 0,
        syn_ns: 0,
        synack_ns: 0,
        a: 0,
        b: 0,
        previous_a: 0,
        previous_b: 0,
        synack_ack: 0,
        early_ack: 0,
        initiator_sent: 0,
        responder_sent: 0,
        rtt_synack_us: 0,
        anomalies: AnomalySet(0),
        ifindex: 0,
        vlan: VlanTags::NONE,
        syn_payload: 0,
        synack_payload: 0,
        responder_window: 0,
        initiator_window: 0,
        syn_retransmits: 0,
        synack_retransmits: 0,
        notes: 0,
        flags: HandshakeFlags(0),
        phase: 0,
        outcome: 0,
        initiator: 0,
        first_anomaly: 0,
        syn_hook: 0,
        synack_hook: 0,
        synack_ifindex: 0,
    };

    /// Whether it has no outcome yet.
    #[inline(always)]
    pub const fn is_pending(&self) -> bool {
        self.outcome == 0
    }

    /// Whether nothing can change its outcome any more.
    #[inline(always)]
    pub const fn is_closed(&self) -> bool {
        self.phase == phase::CLOSED
    }

    /// Whether all of these bits of [`note`] are set.
    #[inline(always)]
    pub const fn has(&self, notes: u16) -> bool {
        self.notes & notes == notes
    }

    /// Whether the record beside its word tells all that is still to be known of it: it completed, and nothing but a SYN,
    /// its SYN-ACK and what followed had to do with that.
    #[inline(always)]
    pub const fn is_in_record(&self) -> bool {
        // One comparison, for the verifier follows each.
        let differs = (self.outcome ^ Outcome::Completed.code()) as u16 | self.notes ^ note::RECORDED;
        differs | self.syn_payload | self.syn_retransmits | self.synack_retransmits == 0
    }

    /// The direction of the initiator's segments.
    #[inline(always)]
    pub const fn initiator(&self) -> Direction {
        if self.initiator == Direction::Up as u8 { Direction::Up } else { Direction::Down }
    }

    /// The latest SYN or SYN-ACK.
    #[inline(always)]
    pub fn last_ns(&self) -> u64 {
        if self.synack_ns > self.syn_ns { self.synack_ns } else { self.syn_ns }
    }
}
