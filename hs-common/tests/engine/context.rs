//! What an event tells besides the outcome: path, round-trip times, tags; and what the settings change.

use std::net::Ipv4Addr;

use hs_common::event::{Event, RTT_UNKNOWN};
use hs_common::flow::Hook;
use hs_common::memory::Tracker;
use hs_common::track::Place;
use hs_common::{Anomaly, Config, Counter, Outcome, Path, Segment, TcpFlags, VlanTags};

const SYN: TcpFlags = TcpFlags::SYN;
const SYNACK: TcpFlags = TcpFlags::SYN.with(TcpFlags::ACK);
const ACK: TcpFlags = TcpFlags::ACK;
const MICROSECOND: u64 = 1000;

/// A segment of a handshake with the ISNs 100 and 200.
fn segment(flags: TcpFlags) -> Segment {
    let (client, server) = (Ipv4Addr::new(192, 0, 2, 1).into(), Ipv4Addr::new(192, 0, 2, 2).into());
    let base = Segment { flags, window: 1000, ..Segment::EMPTY };
    if flags == SYNACK {
        Segment { src: server, dst: client, src_port: 80, dst_port: 4000, seq: 200, ack: 101, ..base }
    } else {
        let (seq, ack) = if flags == SYN { (100, 0) } else { (101, 201) };
        Segment { src: client, dst: server, src_port: 4000, dst_port: 80, seq, ack, ..base }
    }
}

/// A segment, where it is seen, and when, in microseconds.
type Seen = (Segment, Hook, u64);

fn watch(config: Config, trace: &[Seen]) -> (Tracker, Vec<Event>) {
    let mut tracker = Tracker::new(config);
    for (segment, hook, at) in trace {
        tracker.track_segment(*segment, Place { ifindex: 3, hook: *hook }, at * MICROSECOND);
    }
    let events = tracker.drain().collect();
    (tracker, events)
}

#[test]
fn paths() {
    let table = [
        (Hook::Ingress, Hook::Egress, Path::Inbound),
        (Hook::Egress, Hook::Ingress, Path::Outbound),
        (Hook::Ingress, Hook::Ingress, Path::Transit),
        (Hook::Egress, Hook::Egress, Path::Transit),
        (Hook::Capture, Hook::Capture, Path::Transit),
    ];
    for (first, second, path) in table {
        let trace = [(segment(SYN), first, 1), (segment(SYNACK), second, 2), (segment(ACK), first, 3)];
        let (_, events) = watch(Config::DEFAULT, &trace);
        assert_eq!(events[0].path(), Some(path), "{first:?} {second:?}");
        assert_eq!((events.len(), events[0].ifindex), (1, 3));
    }
}

/// A bridge and its port, or the two sides of a router: one packet, seen at each of them within microseconds.
#[test]
fn a_packet_that_passes_several_interfaces_is_counted_once() {
    const SECOND: u64 = 1_000_000;
    let (port, bridge) = ((3, Hook::Ingress), (4, Hook::Ingress));
    let (back, out) = ((4, Hook::Egress), (3, Hook::Egress));
    let watch = |trace: &[(TcpFlags, (u32, Hook), u64)]| {
        let mut tracker = Tracker::new(Config::DEFAULT);
        for (flags, (ifindex, hook), at) in trace {
            tracker.track_segment(
                segment(*flags),
                Place { ifindex: *ifindex, hook: *hook },
                at * MICROSECOND,
            );
        }
        let events: Vec<Event> = tracker.drain().collect();
        assert_eq!(events.len(), 1, "{events:?}");
        let totals = tracker.counters();
        assert_eq!((totals.get(Counter::Begun), totals.get(Counter::Completed)), (1, 1));
        (events[0], totals.get(Counter::SeenAgain))
    };

    let (event, again) = watch(&[
        (SYN, port, 1),
        (SYN, bridge, 3),
        (SYNACK, back, 50),
        (SYNACK, out, 52),
        (ACK, port, 90),
        (ACK, bridge, 91),
    ]);
    assert_eq!((event.syn_retransmits, event.synack_retransmits, again), (0, 0, 2));
    assert_eq!((event.rtt_synack_us, event.rtt_ack_us, event.ifindex), (49, 40, 3));

    // In and out by the same interface.
    let (event, again) =
        watch(&[(SYN, port, 1), (SYN, out, 2), (SYNACK, port, 9), (SYNACK, out, 10), (ACK, port, 20)]);
    assert_eq!((event.syn_retransmits, event.synack_retransmits, again), (0, 0, 2));

    // Real repetitions are seen by both too.
    let (event, again) = watch(&[
        (SYN, port, 1),
        (SYN, bridge, 2),
        (SYN, port, SECOND),
        (SYN, bridge, SECOND + 1),
        (SYNACK, back, SECOND + 50),
        (SYNACK, out, SECOND + 51),
        (SYNACK, back, 2 * SECOND),
        (SYNACK, out, 2 * SECOND + 1),
        (ACK, port, 2 * SECOND + 9),
    ]);
    assert_eq!((event.syn_retransmits, event.synack_retransmits, again), (1, 1, 4));

    // By another way the second time: that is no passage.
    let (event, again) =
        watch(&[(SYN, port, 1), (SYN, bridge, SECOND), (SYNACK, back, SECOND + 5), (ACK, port, SECOND + 9)]);
    assert_eq!((event.syn_retransmits, again), (1, 0));
}

#[test]
fn round_trip_times() {
    let at = |flags, at| (segment(flags), Hook::Capture, at);
    let table: [(&[Seen], u32, u32); 5] = [
        (&[at(SYN, 10), at(SYNACK, 40), at(ACK, 45)], 30, 5),
        // From the latest SYN and SYN-ACK: which of them was answered can't be told.
        (&[at(SYN, 10), at(SYN, 30), at(SYNACK, 40), at(SYNACK, 50), at(ACK, 57)], 10, 7),
        (&[at(SYN, 10), at(ACK, 40), at(SYNACK, 45)], 35, RTT_UNKNOWN),
        // A clock that is set back, and one that leaps.
        (&[at(SYN, 50), at(SYNACK, 40), at(ACK, 30)], 0, 0),
        (&[at(SYN, 0), at(SYNACK, 1 << 40), at(ACK, 1 << 41)], RTT_UNKNOWN - 1, RTT_UNKNOWN - 1),
    ];
    for (trace, synack, ack) in table {
        let (_, events) = watch(Config::DEFAULT, trace);
        let last = events.last().expect("an event");
        assert_eq!(last.outcome(), Some(Outcome::Completed));
        assert_eq!((last.rtt_synack_us, last.rtt_ack_us), (synack, ack), "{trace:?}");
    }
}

#[test]
fn a_flow_has_its_tag_only_on_demand() {
    let tagged = Segment { vlan: VlanTags([0x8005, 0]), ..segment(SYN) };
    let trace = [
        (tagged, Hook::Ingress, 1),
        (segment(SYNACK), Hook::Egress, 2),
        (Segment { vlan: tagged.vlan, ..segment(ACK) }, Hook::Ingress, 3),
    ];
    let (_, events) = watch(Config::DEFAULT, &trace);
    assert_eq!(events[0].outcome(), Some(Outcome::Completed));
    assert_eq!(events[0].vlan, tagged.vlan, "it is reported all the same");
    let (tracker, events) = watch(Config { vlan_aware: 1, ..Config::DEFAULT }, &trace);
    assert_eq!(events[0].anomaly(), Some(Anomaly::SynackUnsolicited));
    assert_eq!(tracker.counters().in_progress(), 1);
}

#[test]
fn ports_that_are_not_watched() {
    let trace = [(segment(SYN), Hook::Ingress, 1), (segment(SYNACK), Hook::Egress, 2)];
    for (port, begun) in [(80, 1), (4000, 1), (81, 0)] {
        let mut config = Config { ports_used: 1, ..Config::DEFAULT };
        config.ports[0] = port;
        let (tracker, _) = watch(config, &trace);
        assert_eq!(tracker.counters().get(Counter::Begun), begun, "port {port}");
        assert_eq!(tracker.counters().get(Counter::Filtered), 2 - 2 * begun, "port {port}");
    }
}

#[test]
fn a_synack_whose_syn_may_have_passed_unseen() {
    let second = 1_000_000;
    let config = Config { watch_began_ns: second * MICROSECOND, ..Config::DEFAULT };
    let table = [
        (config, Hook::Ingress, 3_900_000, false),
        (config, Hook::Ingress, 4_000_000, true),
        (config, Hook::Egress, 63_900_000, false),
        (config, Hook::Egress, 64_000_000, true),
        (Config::DEFAULT, Hook::Capture, second, true),
    ];
    for (config, hook, at, is_anomaly) in table {
        let (tracker, events) = watch(config, &[(segment(SYNACK), hook, at)]);
        assert_eq!(events.len(), usize::from(is_anomaly), "{hook:?} {at}");
        assert_eq!(tracker.counters().get(Counter::SynackUnmatched), u64::from(!is_anomaly));
    }
}

/// A responder repeats its SYN-ACK for 63 s. Who forgot the handshake meanwhile, for want of room, does not take that for
/// one that nobody asked for.
#[test]
fn a_synack_of_a_handshake_that_was_forgotten_is_no_anomaly() {
    let second = 1_000_000;
    for (after_the_synack, is_anomaly) in [(62, false), (64, true)] {
        let synack = 4 * second;
        let evicted = synack + after_the_synack * second;
        let mut trace = vec![
            (segment(SYN), Hook::Capture, 1),
            (segment(SYNACK), Hook::Capture, synack),
            (segment(ACK), Hook::Capture, synack + 1),
        ];
        let other = |port| Segment { src_port: port, ..segment(SYN) };
        trace.extend((5000..5008).map(|port| (other(port), Hook::Capture, evicted)));
        trace.push((segment(SYNACK), Hook::Capture, evicted + 1));
        let (tracker, events) = watch(Config { max_flows: 8, ..Config::DEFAULT }, &trace);
        assert_eq!(events[0].outcome(), Some(Outcome::Completed));
        assert_eq!(events.len(), 1 + usize::from(is_anomaly), "{after_the_synack}: {events:#?}");
        assert_eq!(tracker.counters().get(Counter::SynackUnmatched), u64::from(!is_anomaly));
        assert_eq!(tracker.counters().get(Counter::FlowsEvicted), 0);
    }
}

/// Slots know the time to a millisecond only: what is looked at too early must be looked at again, and not
/// when the next handshake may be due.
#[test]
fn timeouts_are_never_late() {
    let half_open_us = Config::DEFAULT.half_open_ns / MICROSECOND;
    for apart_us in [1, 200, 500, 900, 1_100] {
        let second = Segment { src_port: 4001, ..segment(SYN) };
        let trace = [(segment(SYN), Hook::Capture, 1), (second, Hook::Capture, 1 + apart_us)];
        let (mut tracker, _) = watch(Config::DEFAULT, &trace);
        for at_us in [1, 1 + apart_us] {
            tracker.sweep((at_us + half_open_us) * MICROSECOND);
            assert_eq!(tracker.drain().count(), 1, "{apart_us} µs apart, the one of {at_us} µs");
        }
    }
}
