//! The record that crosses the ring buffer: one event, fixed size, plain old data.

use crate::{Addr, Anomaly, AnomalySet, HandshakeFlags, Outcome, Path, Reason, VlanTags};

/// [`Event::kind`] of a handshake that ended.
pub const KIND_HANDSHAKE: u8 = 1;
/// [`Event::kind`] of an anomaly.
pub const KIND_ANOMALY: u8 = 2;
/// A round-trip time that was not measured.
pub const RTT_UNKNOWN: u32 = u32::MAX;

/// What happened: a handshake ended, or an anomaly was seen. Integers are in native byte order,
/// addresses in network order inside [`Addr`]; codes are those of the enums, 0 for none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct Event {
    /// When it was known: nanoseconds of CLOCK_MONOTONIC, or of the capture's clock since 1970.
    pub time_ns: u64,
    /// Handshake: the initiator. Anomaly: the packet's source.
    pub src: Addr,
    /// Handshake: the responder. Anomaly: the packet's destination.
    pub dst: Addr,
    /// Port of `src`.
    pub src_port: u16,
    /// Port of `dst`.
    pub dst_port: u16,
    /// VLAN tags of the packet (handshake: of the SYN).
    pub vlan: VlanTags,
    /// Interface, 0 in replay.
    pub ifindex: u32,
    /// Handshake: A, the initiator's ISN.
    pub syn_seq: u32,
    /// Handshake: B, the responder's ISN; meaningful if `has_synack` is 1.
    pub synack_seq: u32,
    /// Handshake: SYN to SYN-ACK in microseconds, or [`RTT_UNKNOWN`].
    pub rtt_synack_us: u32,
    /// Handshake: SYN-ACK to ACK in microseconds, or [`RTT_UNKNOWN`].
    pub rtt_ack_us: u32,
    /// Handshake: the anomalies seen on the flow.
    pub anomalies: AnomalySet,
    /// Anomaly: the number that the rule expects.
    pub expected: u32,
    /// Anomaly: the number that the packet carries.
    pub actual: u32,
    /// Handshake: qualifiers.
    pub flags: HandshakeFlags,
    /// Anomaly: the packet's TCP flags, nine bits (RFC 9293 3.1, RFC 9768).
    pub tcp_flags: u16,
    /// Handshake: SYNs sent again.
    pub syn_retransmits: u16,
    /// Handshake: SYN-ACKs sent again.
    pub synack_retransmits: u16,
    /// [`KIND_HANDSHAKE`] or [`KIND_ANOMALY`].
    pub kind: u8,
    /// Handshake: code of its [`Outcome`].
    pub outcome: u8,
    /// Handshake: code of its [`Reason`].
    pub reason: u8,
    /// Code of the [`Anomaly`]; of a malformed handshake, its first one.
    pub anomaly: u8,
    /// Handshake: code of its [`Path`].
    pub path: u8,
    /// Handshake: 1 if a SYN-ACK was seen.
    pub has_synack: u8,
    /// Anomaly: 1 if `expected` and `actual` are meaningful.
    pub has_numbers: u8,
    /// Zero.
    pub padding: [u8; 1],
}

const _: () = assert!(size_of::<Event>() == 96 && align_of::<Event>() == 8);

impl Event {
    /// All zero: a place to start from.
    pub const EMPTY: Event = Event {
        time_ns: 0,
        src: Addr { high: 0, low: 0 },
        dst: Addr { high: 0, low: 0 },
        src_port: 0,
        dst_port: 0,
        vlan: VlanTags::NONE,
        ifindex: 0,
        syn_seq: 0,
        synack_seq: 0,
        rtt_synack_us: RTT_UNKNOWN,
        rtt_ack_us: RTT_UNKNOWN,
        anomalies: AnomalySet(0),
        expected: 0,
        actual: 0,
        flags: HandshakeFlags(0),
        tcp_flags: 0,
        syn_retransmits: 0,
        synack_retransmits: 0,
        kind: 0,
        outcome: 0,
        reason: 0,
        anomaly: 0,
        path: 0,
        has_synack: 0,
        has_numbers: 0,
        padding: [0],
    };

    /// The record as bytes from the ring buffer, or `None` if the size is not that of an event.
    pub fn from_bytes(bytes: &[u8]) -> Option<Event> {
        if bytes.len() != size_of::<Event>() {
            return None;
        }
        // SAFETY: the length was checked, every bit pattern is a valid `Event` (integers only), and
        // `read_unaligned` asks for no alignment.
        Some(unsafe { bytes.as_ptr().cast::<Event>().read_unaligned() })
    }

    /// The handshake's outcome, if this is a handshake with a known code.
    pub const fn outcome(&self) -> Option<Outcome> {
        Outcome::from_code(self.outcome)
    }

    /// The handshake's reason.
    pub const fn reason(&self) -> Option<Reason> {
        Reason::from_code(self.reason)
    }

    /// The anomaly, or a malformed handshake's first one.
    pub const fn anomaly(&self) -> Option<Anomaly> {
        Anomaly::from_code(self.anomaly)
    }

    /// The handshake's direction.
    pub const fn path(&self) -> Option<Path> {
        Path::from_code(self.path)
    }

    /// The reason as it is printed: of a malformed handshake, the first anomaly's name.
    pub fn reason_name(&self) -> &'static str {
        match (self.reason(), self.anomaly()) {
            (Some(Reason::FirstAnomaly), Some(anomaly)) => anomaly.name(),
            (Some(reason), _) => reason.name(),
            (None, _) => "",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_of_another_size_is_no_event() {
        assert_eq!(Event::from_bytes(&[0; 95]), None);
        assert_eq!(Event::from_bytes(&[0; 97]), None);
        assert!(Event::from_bytes(&[0xff; 96]).is_some_and(|event| event.outcome().is_none()));
    }
}
