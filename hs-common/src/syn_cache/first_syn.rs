//! What lies beside a word, in half a line of the CPU's cache: a first SYN, and once it was answered, what there is to
//! know of its handshake if it completes as most do.

use crate::flow::{Direction, Flow, FlowKey, phase};
use crate::handshake::{self, Expiry, Sighting};
use crate::{Addr, AnomalySet, HandshakeFlags, Outcome, Segment, TcpFlags, VlanTags};

const INITIATOR: u8 = 0x03;
const HOOK_SHIFT: u32 = 2;
const HOOK: u8 = 0x03;
const ECN: u8 = 0x10;
const FAST_OPEN: u8 = 0x20;
const HAS_REST: u8 = 0x40;

/// What a first SYN leaves behind. Numbers in host order, times in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct FirstSyn {
    /// All there is to an ordinary one.
    pub brief: Brief,
    /// What IPv6, VLAN tags or data add.
    pub rest: Rest,
}

/// The first half: all of an IPv4 SYN without tag and data. So a flood of them touches half the memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct Brief {
    /// When it was seen; once it was answered, when that was.
    pub seen_ns: u64,
    /// The last four bytes of [`FlowKey::low`].
    low_end: u32,
    /// The last four bytes of [`FlowKey::high`].
    high_end: u32,
    /// See [`FlowKey::low_port`].
    low_port: u16,
    /// See [`FlowKey::high_port`].
    high_port: u16,
    /// A: its sequence number.
    a: u32,
    /// Its interface, 0 in replay; once it was answered, B.
    ifindex_or_b: u32,
    /// Its window; once it was answered, the low half of its interface.
    window_or_ifindex: u16,
    /// Code of its anomaly, or 0.
    anomaly: u8,
    /// Direction, hook, ECN, Fast Open, and whether there is a rest.
    bits: u8,
}

/// The second half.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct Rest {
    /// The first twelve bytes of [`FlowKey::low`].
    low: [u32; 3],
    /// The first twelve bytes of [`FlowKey::high`].
    high: [u32; 3],
    /// VLAN tags of the SYN.
    vlan: VlanTags,
    /// L: its payload, 65,535 at the most.
    payload: u32,
}

const _: () = assert!(size_of::<Brief>() == 32 && size_of::<Rest>() == 32);

impl FirstSyn {
    /// All zero: a place to start from.
    pub const EMPTY: FirstSyn = FirstSyn {
        brief: Brief {
            seen_ns: 0,
            low_end: 0,
            high_end: 0,
            low_port: 0,
            high_port: 0,
            a: 0,
            ifindex_or_b: 0,
            window_or_ifindex: 0,
            anomaly: 0,
            bits: 0,
        },
        rest: Rest { low: [0; 3], high: [0; 3], vlan: VlanTags::NONE, payload: 0 },
    };

    /// What is to be remembered of a SYN.
    #[inline(always)]
    pub fn of(segment: &Segment, key: &FlowKey, direction: Direction, seen: Sighting) -> FirstSyn {
        let ecn = segment.flags.contains(TcpFlags::ECE.with(TcpFlags::CWR));
        let (low, high) = (key.low.words(), key.high.words());
        let rest = Rest {
            low: [low[0], low[1], low[2]],
            high: [high[0], high[1], high[2]],
            vlan: segment.vlan,
            payload: if segment.payload > 0xffff { 0xffff } else { segment.payload },
        };
        let brief = Brief {
            seen_ns: seen.now_ns,
            low_end: low[3],
            high_end: high[3],
            low_port: key.low_port,
            high_port: key.high_port,
            a: segment.seq,
            ifindex_or_b: seen.ifindex,
            window_or_ifindex: segment.window,
            anomaly: segment.fault,
            bits: direction as u8
                | (seen.hook as u8) << HOOK_SHIFT
                | if ecn { ECN } else { 0 }
                | if segment.fast_open != 0 { FAST_OPEN } else { 0 }
                | if rest.is_ordinary() { 0 } else { HAS_REST },
        };
        FirstSyn { brief, rest }
    }

    /// Whether it is of this flow.
    #[inline(always)]
    pub fn is_of(&self, key: &FlowKey, vlan_aware: bool) -> bool {
        self.low() == key.low
            && self.high() == key.high
            && self.brief.low_port == key.low_port
            && self.brief.high_port == key.high_port
            && (!vlan_aware || self.rest.vlan == key.vlan)
    }

    /// The key of its flow.
    #[inline(always)]
    pub fn key_into(&self, key: &mut FlowKey, vlan_aware: bool) {
        key.low = self.low();
        key.high = self.high();
        key.low_port = self.brief.low_port;
        key.high_port = self.brief.high_port;
        key.vlan = if vlan_aware { self.rest.vlan } else { VlanTags::NONE };
    }

    #[inline(always)]
    fn low(&self) -> Addr {
        let [a, b, c] = self.rest.low;
        Addr::from_words([a, b, c, self.brief.low_end])
    }

    #[inline(always)]
    fn high(&self) -> Addr {
        let [a, b, c] = self.rest.high;
        Addr::from_words([a, b, c, self.brief.high_end])
    }

    /// The flow as it stands after this SYN, and with `lapsed` after its timeout too.
    #[inline(always)]
    pub fn flow_into(&self, flow: &mut Flow, lapsed: bool) {
        let (brief, rest) = (&self.brief, &self.rest);
        *flow = Flow::EMPTY;
        flow.begun_ns = brief.seen_ns;
        flow.syn_ns = brief.seen_ns;
        flow.a = brief.a;
        flow.initiator_window = brief.window_or_ifindex;
        flow.ifindex = brief.ifindex_or_b;
        flow.vlan = rest.vlan;
        flow.phase = phase::SYN_SENT;
        flow.initiator = brief.bits & INITIATOR;
        flow.syn_hook = brief.bits >> HOOK_SHIFT & HOOK;
        if brief.bits & ECN != 0 {
            flow.flags.insert(HandshakeFlags::ECN);
        }
        if brief.bits & FAST_OPEN != 0 {
            flow.flags.insert(HandshakeFlags::FAST_OPEN);
        }
        flow.syn_payload = rest.payload as u16;
        flow.initiator_sent = rest.payload;
        flow.first_anomaly = brief.anomaly;
        if brief.anomaly != 0 {
            flow.anomalies = AnomalySet(1 << (brief.anomaly & 31));
        }
        if lapsed {
            handshake::expire(flow, Expiry::Timeout);
        }
    }

    /// Takes in the SYN-ACK that has just made `flow` of it, so that nothing has to be written when the handshake
    /// completes. The flow is in the flow table meanwhile, and of this no more than its key is needed.
    #[inline(always)]
    pub fn answer(&mut self, flow: &Flow) {
        self.brief.seen_ns = flow.synack_ns;
        self.brief.ifindex_or_b = flow.b;
        self.brief.window_or_ifindex = flow.ifindex as u16;
    }

    /// The flow as it stands after it was answered and completed: all that a SYN or a SYN-ACK is judged by, see
    /// [`Flow::is_in_record`].
    #[inline(always)]
    pub fn completed_flow_into(&self, flow: &mut Flow) {
        let brief = &self.brief;
        *flow = Flow::EMPTY;
        flow.begun_ns = brief.seen_ns;
        flow.syn_ns = brief.seen_ns;
        flow.synack_ns = brief.seen_ns;
        flow.a = brief.a;
        flow.b = brief.ifindex_or_b;
        flow.ifindex = u32::from(brief.window_or_ifindex);
        flow.vlan = self.rest.vlan;
        flow.phase = phase::CLOSED;
        flow.outcome = Outcome::Completed.code();
        flow.initiator = brief.bits & INITIATOR;
        flow.syn_hook = brief.bits >> HOOK_SHIFT & HOOK;
        // That there was one is all that counts.
        flow.synack_hook = flow.syn_hook;
    }
}

impl Brief {
    /// Whether there is more than this: the [`Rest`] is not [`Rest::ORDINARY`].
    #[inline(always)]
    pub const fn has_rest(&self) -> bool {
        self.bits & HAS_REST != 0
    }
}

impl Rest {
    /// That of IPv4 without tag and data.
    pub const ORDINARY: Rest =
        Rest { low: Rest::MAPPED, high: Rest::MAPPED, vlan: VlanTags::NONE, payload: 0 };

    const MAPPED: [u32; 3] = {
        let [a, b, c, _] = Addr::from_v4_word(0).words();
        [a, b, c]
    };

    #[inline(always)]
    fn is_ordinary(&self) -> bool {
        *self == Rest::ORDINARY
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Anomaly;
    use crate::flow::{Hook, note};
    use crate::handshake::{Transition, begin, is_remembered, step};

    const MS: u64 = 1_000_000;
    const INGRESS: Sighting = Sighting { now_ns: 10 * MS, ifindex: 3, hook: Hook::Ingress };

    #[test]
    fn a_first_syn_becomes_the_flow_that_its_handshake_began() {
        let seen = Sighting { now_ns: 77, ifindex: 3, hook: Hook::Egress };
        let ecn = TcpFlags::SYN.with(TcpFlags::ECE).with(TcpFlags::CWR);
        for (flags, payload, fast_open, fault, direction) in [
            (TcpFlags::SYN, 0, 0, 0, Direction::Up),
            (ecn, 9, 1, 0, Direction::Down),
            (TcpFlags::SYN, 70_000, 0, Anomaly::SynWithData.code(), Direction::Up),
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

    /// A handshake that completed, and what its record makes of it.
    fn completed() -> (Flow, Flow) {
        let (a, b) = (u32::MAX - 1, 7000);
        let segment =
            |flags, seq, ack: u32| Segment { flags, seq, ack, window: 1024, src_port: 9, ..Segment::EMPTY };
        let syn = segment(TcpFlags::SYN, a, 0);
        let mut record = FirstSyn::of(&syn, &FlowKey::EMPTY, Direction::Down, INGRESS);
        let (mut flow, mut transition) = (Flow::EMPTY, Transition::EMPTY);
        record.flow_into(&mut flow, false);
        for (direction, flags, seq, ack, ms) in [
            (Direction::Up, TcpFlags::SYN.with(TcpFlags::ACK), b, a.wrapping_add(1), 20),
            (Direction::Down, TcpFlags::ACK, a.wrapping_add(1), b + 1, 30),
        ] {
            let seen = Sighting { now_ns: ms * MS, ..INGRESS };
            step(&mut flow, &segment(flags, seq, ack), direction, seen, &mut transition);
            if flags.is_synack() {
                flow.notes |= note::RECORDED;
                record.answer(&flow);
            }
        }
        assert!(flow.is_in_record() && transition.outcome == Outcome::Completed.code());
        let mut kept = Flow::EMPTY;
        record.completed_flow_into(&mut kept);
        (flow, kept)
    }

    /// Every segment that comes near the numbers of [`completed`], with the time and the place at which it is seen.
    fn all_that_may_follow() -> Vec<(Segment, Direction, Sighting)> {
        let (a, b) = (u32::MAX - 1, 7000);
        let mut all = Vec::new();
        for direction in [Direction::Up, Direction::Down] {
            for flags in [TcpFlags::SYN, TcpFlags::SYN.with(TcpFlags::ACK), TcpFlags::ACK, TcpFlags::RST] {
                for (seq, ack) in [(a, 0), (a, b + 1), (b, a.wrapping_add(1)), (b, 0), (5, a), (5, 0), (a, 5)]
                {
                    for (fault, ms) in [(0, 50), (Anomaly::SynWithData.code(), 60), (0, 60_000), (0, 64_000)]
                    {
                        for place in [INGRESS, Sighting { ifindex: 4, ..INGRESS }] {
                            let segment = Segment { flags, seq, ack, fault, ..Segment::EMPTY };
                            all.push((segment, direction, Sighting { now_ns: ms * MS, ..place }));
                        }
                    }
                }
            }
        }
        all
    }

    fn judge(
        flow: &mut Flow,
        (segment, direction, seen): &(Segment, Direction, Sighting),
    ) -> Option<Transition> {
        let mut transition = Transition::EMPTY;
        if is_remembered(flow, seen.now_ns) {
            step(flow, segment, *direction, *seen, &mut transition);
        } else if segment.flags.is_syn() {
            begin(flow, segment, *direction, *seen, &mut transition);
        } else {
            return None;
        }
        Some(transition)
    }

    /// Whatever comes after a handshake, and after that: the record tells the same as the flow would.
    #[test]
    fn a_completed_handshake_is_judged_by_its_record_as_by_its_flow() {
        let (flow, kept) = completed();
        for first in all_that_may_follow() {
            let (mut flow, mut kept) = (flow, kept);
            assert_eq!(judge(&mut flow, &first), judge(&mut kept, &first), "{first:?}");
            for second in all_that_may_follow() {
                if second.2.now_ns >= first.2.now_ns {
                    let (mut flow, mut kept) = (flow, kept);
                    assert_eq!(judge(&mut flow, &second), judge(&mut kept, &second), "{first:?} {second:?}");
                }
            }
        }
    }

    /// Whatever is not plain about a handshake keeps it in the flow table.
    #[test]
    fn what_a_record_has_no_room_for_is_not_left_to_it() {
        let (flow, _) = completed();
        let changes: [fn(&mut Flow); 7] = [
            |flow| flow.notes |= note::PREVIOUS_A,
            |flow| flow.notes = 0,
            |flow| flow.syn_payload = 1,
            |flow| flow.syn_retransmits = 1,
            |flow| flow.synack_retransmits = 1,
            |flow| flow.outcome = Outcome::Refused.code(),
            |flow| flow.outcome = 0,
        ];
        for change in changes {
            let mut flow = flow;
            change(&mut flow);
            assert!(!flow.is_in_record(), "{flow:?}");
        }
    }
}
