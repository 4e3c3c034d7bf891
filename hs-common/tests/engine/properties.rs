//! What holds for every trace, whatever the network and the peers do.

use hs_common::event::{Event, KIND_HANDSHAKE};
use hs_common::memory::Tracker;
use hs_common::parse::Link;
use hs_common::track::Place;
use hs_common::{Config, Outcome, Reason};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::corpus::harness::{self, Account, Op};
use crate::legal::{Plan, plan, segments};

/// The events of segments that follow each other by a millisecond.
fn events_of(plan: &Plan, order: &[usize]) -> Vec<Event> {
    let sent = segments(plan);
    let mut tracker = Tracker::new(Config::DEFAULT);
    let mut account = Account::default();
    let mut all = Vec::new();
    for (index, at) in order.iter().enumerate() {
        let segment = sent[*at].segment;
        let now_ns = 1_000_000_000 + index as u64 * 1_000_000;
        tracker.sweep(now_ns);
        tracker.track_segment(segment, Place::CAPTURE, now_ns);
        let events: Vec<Event> = tracker.drain().collect();
        let tuple = ((segment.src, segment.src_port), (segment.dst, segment.dst_port));
        account.book(Some(tuple), tracker.counters(), &events);
        all.extend(events);
    }
    tracker.finish(100_000_000_000);
    all.extend(tracker.drain());
    all
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    /// Completed exactly once, under its reason, and nothing else is said.
    #[test]
    fn a_legal_handshake_completes(plan in plan()) {
        let order = plan.order();
        let events = events_of(&plan, &order);
        let trace = || plan.describe(&order);
        prop_assert_eq!(events.len(), 1, "{:#?}\nof\n{}", events, trace());
        prop_assert_eq!(events[0].kind, KIND_HANDSHAKE, "{}", trace());
        prop_assert_eq!(events[0].outcome(), Some(Outcome::Completed), "{}", trace());
        if order.is_sorted() {
            prop_assert_eq!(events[0].reason(), Some(plan.reason()), "{}", trace());
        }
        prop_assert!(plan.reason() != Reason::FirstAnomaly);
    }

    /// The totals add up after every packet, and each handshake has one outcome.
    #[test]
    fn the_books_balance(
        ops in vec(any::<[u8; 10]>().prop_map(Op::from), 0..200),
        max_flows in prop::sample::select(vec![8_u32, 16, 32, 1024]),
    ) {
        harness::run(Config { max_flows, ..Config::DEFAULT }, ops.into_iter());
    }

    #[test]
    fn no_bytes_make_the_parser_panic(choice: [u8; 2], bytes in vec(any::<u8>(), 0..200)) {
        harness::parse(&[&choice[..], &bytes].concat());
    }

    /// Random bytes seldom pass the first check: a header in front of them goes deeper.
    #[test]
    fn nor_do_damaged_packets(
        link in 0_u8..5,
        is_v4: bool,
        damage in vec((0_usize..120, any::<u8>()), 0..4),
        options in vec(any::<u8>(), 0..=40),
    ) {
        let options = &options[..options.len() / 4 * 4];
        let mut segment = crate::parser::syn(is_v4);
        segment.payload = 3;
        let mut frame = crate::wire::frame(&segment);
        let tcp = crate::wire::tcp_with(&segment, options);
        frame.truncate(frame.len() - 23);
        frame.extend(tcp);
        let link = Link::from_code(u32::from(link));
        let mut input = vec![link.code() as u8, 0];
        input.extend(&frame[if link == Link::Ethernet { 0 } else { 14 }..]);
        for (at, byte) in damage {
            input.get_mut(at).into_iter().for_each(|place| *place = byte);
        }
        harness::parse(&input);
    }
}
