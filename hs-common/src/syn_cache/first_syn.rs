//! A handshake of which nothing but the first SYN has passed, in one line of the CPU's cache.

use crate::flow::{Direction, Flow, FlowKey, phase};
use crate::handshake::{self, Expiry, Sighting};
use crate::{Addr, AnomalySet, HandshakeFlags, Segment, TcpFlags, VlanTags};

const INITIATOR: u8 = 0x03;
const HOOK_SHIFT: u32 = 2;
const HOOK: u8 = 0x03;
const ECN: u8 = 0x10;
const FAST_OPEN: u8 = 0x20;

/// What a first SYN leaves behind. Numbers in host order, times in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct FirstSyn {
    /// See [`FlowKey::low`].
    pub low: Addr,
    /// See [`FlowKey::high`].
    pub high: Addr,
    /// See [`FlowKey::low_port`].
    pub low_port: u16,
    /// See [`FlowKey::high_port`].
    pub high_port: u16,
    /// VLAN tags of the SYN.
    pub vlan: VlanTags,
    /// When it was seen.
    pub begun_ns: u64,
    /// A: its sequence number.
    pub a: u32,
    /// Interface, 0 in replay.
    pub ifindex: u32,
    /// Its window.
    pub window: u16,
    /// L: its payload.
    pub payload: u16,
    /// Code of its anomaly, or 0.
    pub anomaly: u8,
    /// Direction, hook, ECN and Fast Open.
    pub bits: u8,
    /// Zero.
    pub padding: [u8; 2],
}

const _: () = assert!(size_of::<FirstSyn>() == 64);

impl FirstSyn {
    /// All zero: a place to start from.
    pub const EMPTY: FirstSyn = FirstSyn {
        low: Addr { high: 0, low: 0 },
        high: Addr { high: 0, low: 0 },
        low_port: 0,
        high_port: 0,
        vlan: VlanTags::NONE,
        begun_ns: 0,
        a: 0,
        ifindex: 0,
        window: 0,
        payload: 0,
        anomaly: 0,
        bits: 0,
        padding: [0; 2],
    };

    /// What is to be remembered of a SYN.
    #[inline(always)]
    pub fn of(segment: &Segment, key: &FlowKey, direction: Direction, seen: Sighting) -> FirstSyn {
        let ecn = segment.flags.contains(TcpFlags::ECE.with(TcpFlags::CWR));
        FirstSyn {
            low: key.low,
            high: key.high,
            low_port: key.low_port,
            high_port: key.high_port,
            vlan: segment.vlan,
            begun_ns: seen.now_ns,
            a: segment.seq,
            ifindex: seen.ifindex,
            window: segment.window,
            payload: if segment.payload > 0xffff { 0xffff } else { segment.payload as u16 },
            anomaly: segment.fault,
            bits: direction as u8
                | (seen.hook as u8) << HOOK_SHIFT
                | if ecn { ECN } else { 0 }
                | if segment.fast_open != 0 { FAST_OPEN } else { 0 },
            padding: [0; 2],
        }
    }

    /// Whether it is of this flow.
    #[inline(always)]
    pub fn is_of(&self, key: &FlowKey, vlan_aware: bool) -> bool {
        self.low.low == key.low.low
            && self.high.low == key.high.low
            && self.low_port == key.low_port
            && self.high_port == key.high_port
            && self.low.high == key.low.high
            && self.high.high == key.high.high
            && (!vlan_aware || self.vlan == key.vlan)
    }

    /// The key of its flow.
    #[inline(always)]
    pub fn key_into(&self, key: &mut FlowKey, vlan_aware: bool) {
        key.low = self.low;
        key.high = self.high;
        key.low_port = self.low_port;
        key.high_port = self.high_port;
        key.vlan = if vlan_aware { self.vlan } else { VlanTags::NONE };
    }

    /// The flow as it stands after this SYN, and with `lapsed` after its timeout too.
    #[inline(always)]
    pub fn flow_into(&self, flow: &mut Flow, lapsed: bool) {
        *flow = Flow::EMPTY;
        flow.begun_ns = self.begun_ns;
        flow.syn_ns = self.begun_ns;
        flow.a = self.a;
        flow.initiator_window = self.window;
        flow.ifindex = self.ifindex;
        flow.vlan = self.vlan;
        flow.phase = phase::SYN_SENT;
        flow.initiator = self.bits & INITIATOR;
        flow.syn_hook = self.bits >> HOOK_SHIFT & HOOK;
        if self.bits & ECN != 0 {
            flow.flags.insert(HandshakeFlags::ECN);
        }
        if self.bits & FAST_OPEN != 0 {
            flow.flags.insert(HandshakeFlags::FAST_OPEN);
        }
        flow.syn_payload = self.payload;
        flow.initiator_sent = u32::from(self.payload);
        flow.first_anomaly = self.anomaly;
        if self.anomaly != 0 {
            flow.anomalies = AnomalySet(1 << (self.anomaly & 31));
        }
        if lapsed {
            handshake::expire(flow, Expiry::Timeout);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::Hook;
    use crate::handshake::{Transition, begin};

    #[test]
    fn a_first_syn_becomes_the_flow_that_its_handshake_began() {
        let seen = Sighting { now_ns: 77, ifindex: 3, hook: Hook::Egress };
        let ecn = TcpFlags::SYN.with(TcpFlags::ECE).with(TcpFlags::CWR);
        for (flags, payload, fast_open, fault, direction) in [
            (TcpFlags::SYN, 0, 0, 0, Direction::Up),
            (ecn, 9, 1, 0, Direction::Down),
            (TcpFlags::SYN, 70_000, 0, crate::Anomaly::SynWithData.code(), Direction::Up),
        ] {
            let vlan = VlanTags::NONE.push(5);
            let segment =
                Segment { seq: 11, window: 12, vlan, flags, payload, fast_open, fault, ..Segment::EMPTY };
            let mut began = Flow::EMPTY;
            begin(&mut began, &segment, direction, seen, &mut Transition::EMPTY.clone());
            let record = FirstSyn::of(&segment, &FlowKey::EMPTY, direction, seen);
            let mut flow = Flow::EMPTY;
            record.flow_into(&mut flow, false);
            assert_eq!(flow, began);
            record.flow_into(&mut flow, true);
            assert!(!flow.is_pending() && !flow.is_closed());
        }
    }
}
