//! Other CPUs, as far as a segment notices them: they are at work on its flow, for a while or for good.

use std::cell::Cell;
use std::net::Ipv4Addr;

use super::*;
use crate::TcpFlags;
use crate::syn_cache::State;
use crate::track::ATTEMPTS;

/// How many looks find them at work.
#[derive(Debug, Default)]
pub(super) struct Others {
    words: Cell<u32>,
    flows: Cell<u32>,
    room: Cell<u32>,
}

impl Others {
    pub(super) fn at_work_on(&self, word: Word) -> Word {
        if word != Word::EMPTY && taken(&self.words) { word.with(State::Busy) } else { word }
    }

    pub(super) fn are_writing(&self) -> bool {
        taken(&self.flows)
    }

    pub(super) fn leave_no_room(&self) -> bool {
        taken(&self.room)
    }
}

fn taken(looks: &Cell<u32>) -> bool {
    let left = looks.get();
    looks.set(left.saturating_sub(1));
    left > 0
}

/// A hypervisor may take the CPU away from whoever is at work: that lasts many looks, and the waits between them.
const A_WHILE: u32 = ATTEMPTS / 2;
const SECOND: u64 = 1_000_000_000;

fn tracker() -> Tracker {
    Tracker::new(Config { max_flows: WAYS as u32, ..Config::DEFAULT })
}

fn send(tracker: &mut Tracker, port: u16, flags: TcpFlags, (seq, ack): (u32, u32), now_ns: u64) {
    let client = (Ipv4Addr::new(198, 18, 0, 1).into(), port);
    let server = (Ipv4Addr::new(198, 18, 0, 2).into(), 80);
    let is_answer = flags == TcpFlags::SYN.with(TcpFlags::ACK);
    let ((src, src_port), (dst, dst_port)) = if is_answer { (server, client) } else { (client, server) };
    let segment = Segment { src, src_port, dst, dst_port, seq, ack, flags, window: 1024, ..Segment::EMPTY };
    tracker.track_segment(segment, Place::CAPTURE, now_ns);
}

fn open(tracker: &mut Tracker, port: u16, now_ns: u64) {
    send(tracker, port, TcpFlags::SYN, (10, 0), now_ns);
    send(tracker, port, TcpFlags::SYN.with(TcpFlags::ACK), (20, 11), now_ns);
}

#[test]
fn a_segment_waits_for_another_cpu_that_is_at_work_on_its_flow() {
    let mut tracker = tracker();
    for (step, flags, numbers) in [
        (1, TcpFlags::SYN, (10, 0)),
        (2, TcpFlags::SYN.with(TcpFlags::ACK), (20, 11)),
        (3, TcpFlags::ACK, (11, 21)),
    ] {
        tracker.host.others.words.set(A_WHILE);
        tracker.host.others.flows.set(A_WHILE);
        send(&mut tracker, 4000, flags, numbers, step);
    }
    let totals = *tracker.counters();
    assert_eq!((totals.get(Counter::Completed), totals.get(Counter::FlowsContended)), (1, 0));
}

#[test]
fn a_segment_does_not_wait_for_ever() {
    let mut tracker = tracker();
    open(&mut tracker, 4000, 1);
    tracker.host.others.words.set(u32::MAX);
    send(&mut tracker, 4000, TcpFlags::ACK, (11, 21), 2);
    assert_eq!(tracker.counters().get(Counter::FlowsContended), 1);
}

/// Until the flow has entered the table, all that is known of it is its first SYN: that must stay as it was.
#[test]
fn a_flow_that_finds_no_room_keeps_its_first_syn() {
    let mut tracker = tracker();
    for (port, looks) in [(4000, A_WHILE), (4001, u32::MAX)] {
        tracker.host.others.room.set(looks);
        open(&mut tracker, port, 1);
        tracker.host.others.room.set(0);
        send(&mut tracker, port, TcpFlags::ACK, (11, 21), 2);
    }
    tracker.finish(SECOND);
    let totals = *tracker.counters();
    assert_eq!((totals.get(Counter::Completed), totals.get(Counter::FlowsContended)), (1, 1));
    let last = tracker.drain().next_back().map(|event| (event.outcome(), event.syn_seq, event.ifindex));
    assert_eq!(last, Some((Some(crate::Outcome::HalfOpen), 10, 0)));
}

#[test]
fn a_flow_that_is_being_written_has_its_end_all_the_same() {
    let mut tracker = tracker();
    (0..WAYS as u16).for_each(|number| open(&mut tracker, 4000 + number, 1));
    // One gives way, the others time out.
    tracker.host.others.flows.set(A_WHILE);
    send(&mut tracker, 5000, TcpFlags::SYN, (10, 0), SECOND);
    tracker.host.others.flows.set(A_WHILE);
    tracker.sweep(60 * SECOND);
    let totals = *tracker.counters();
    assert_eq!((totals.get(Counter::Begun), totals.ended()), (WAYS as u64 + 1, WAYS as u64 + 1));
    assert_eq!((totals.get(Counter::FlowsEvicted), totals.get(Counter::FlowsContended)), (1, 0));
}
