//! The books: what the totals and the events say must agree after every packet.

use std::collections::HashMap;

use hs_common::event::{Event, KIND_ANOMALY};
use hs_common::{Addr, Anomaly, Counter, Counters, HandshakeFlags, Ledger, Outcome};

type Endpoint = (Addr, u16);
/// A tuple, whichever way its packets go.
type Tuple = (Endpoint, Endpoint);

/// What is known of a tuple from its events alone.
#[derive(Debug, Default)]
struct Story {
    /// Handshakes begun that have no outcome: never more than one.
    pending: i32,
    /// The last one may yet complete late.
    may_complete: bool,
}

/// Follows every handshake from its beginning to its outcome.
#[derive(Debug, Default)]
pub struct Account {
    stories: HashMap<Tuple, Story>,
    begun: u64,
    events: u64,
    completed: u64,
    late: u64,
    anomalies: [u64; 32],
}

impl Account {
    /// Books what one packet, between these endpoints, or one sweep brought about.
    pub fn book(&mut self, packet: Option<Tuple>, totals: &Counters, events: &[Event]) {
        let begun = totals.get(Counter::Begun) - self.begun;
        self.begun += begun;
        assert!(begun <= u64::from(packet.is_some()), "{begun} handshakes out of one packet");
        events.iter().for_each(|event| self.event(event));
        if let (Some((src, dst)), 1) = (packet, begun) {
            let story = self.stories.entry(tuple(src, dst)).or_default();
            story.pending += 1;
            story.may_complete = false;
        }
        for (tuple, story) in &self.stories {
            assert!((0..=1).contains(&story.pending), "{tuple:?}: {story:?}");
        }
        self.balance(totals);
    }

    /// At the end, when nothing is pending: the ledger that hs-mon itself checks adds up too.
    pub fn close(&self, totals: &Counters) {
        let ledger = Ledger { totals, delivered: self.events };
        assert_eq!(ledger.differences().collect::<Vec<_>>(), [], "the ledger adds up");
    }

    fn event(&mut self, event: &Event) {
        self.events += 1;
        if event.kind == KIND_ANOMALY {
            self.anomalies[usize::from(event.anomaly)] += 1;
            return;
        }
        let outcome = event.outcome().expect("an outcome");
        let story = self.stories.entry(tuple((event.src, event.src_port), (event.dst, event.dst_port)));
        let story = story.or_default();
        self.completed += u64::from(outcome == Outcome::Completed);
        if event.flags.contains(HandshakeFlags::LATE) {
            assert!(outcome == Outcome::Completed && story.may_complete, "late, out of nothing: {event:?}");
            story.may_complete = false;
            self.late += 1;
        } else {
            story.pending -= 1;
            story.may_complete = !matches!(outcome, Outcome::Completed | Outcome::Refused);
        }
        if outcome == Outcome::Malformed {
            assert!(!event.anomalies.is_empty() && event.anomaly().is_some(), "malformed by nothing");
        }
    }

    /// begun = completed + unverified + refused + aborted + half-open + malformed + in progress, and
    /// the totals are those of the events.
    fn balance(&self, totals: &Counters) {
        let ended: u64 = Outcome::ALL.iter().map(|outcome| totals.outcome(*outcome)).sum();
        let pending: i32 = self.stories.values().map(|story| story.pending).sum();
        assert_eq!(self.begun, ended + pending as u64, "begun");
        assert_eq!(totals.in_progress(), pending as u64, "in progress");
        assert_eq!(totals.get(Counter::Completed), self.completed, "completed");
        assert_eq!(totals.get(Counter::CompletedLate), self.late, "late");
        assert_eq!(totals.get(Counter::EventsProduced), self.events, "events produced and delivered");
        assert_eq!(totals.get(Counter::EventsLost) + totals.get(Counter::EventsSuppressed), 0);
        for anomaly in Anomaly::ALL.iter().filter(|anomaly| anomaly.is_event()) {
            let events = self.anomalies[usize::from(anomaly.code())];
            assert_eq!(totals.anomaly(*anomaly), events, "{}", anomaly.name());
        }
    }
}

fn tuple(a: Endpoint, b: Endpoint) -> Tuple {
    if a <= b { (a, b) } else { (b, a) }
}
