//! What hs-mon says, reduced to what a table states, and the accounts that must always balance.

use hs_common::event::{Event, KIND_ANOMALY};
use hs_common::{Anomaly, AnomalySet, Counter, Counters, HandshakeFlags, Outcome, Reason};

use crate::trace::Side;

/// An event. `None` where the table does not say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Said {
    pub outcome: Option<Outcome>,
    pub reason: Option<Reason>,
    pub anomaly: Option<Anomaly>,
    pub expected: Option<u32>,
    pub actual: Option<u32>,
    pub flags: HandshakeFlags,
    pub anomalies: AnomalySet,
    /// SYNs and SYN-ACKs sent again.
    pub again: (u16, u16),
    /// The initiator's ISN.
    pub isn: Option<u32>,
    /// The responder's ISN.
    pub answer: Option<u32>,
    /// Handshake: the initiator. Anomaly: the sender.
    pub by: Option<Side>,
}

impl Said {
    pub const NOTHING: Said = Said {
        outcome: None,
        reason: None,
        anomaly: None,
        expected: None,
        actual: None,
        flags: HandshakeFlags(0),
        anomalies: AnomalySet(0),
        again: (0, 0),
        isn: None,
        answer: None,
        by: None,
    };

    /// An anomaly, or the end of a handshake.
    pub fn of(event: &Event, by: Side) -> Said {
        if event.kind == KIND_ANOMALY {
            let number = |number| (event.has_numbers == 1).then_some(number);
            let (expected, actual) = (number(event.expected), number(event.actual));
            return Said { anomaly: event.anomaly(), expected, actual, by: Some(by), ..Said::NOTHING };
        }
        Said {
            outcome: event.outcome(),
            reason: event.reason(),
            anomaly: event.anomaly(),
            flags: event.flags,
            anomalies: event.anomalies,
            again: (event.syn_retransmits, event.synack_retransmits),
            isn: Some(event.syn_seq),
            answer: (event.has_synack == 1).then_some(event.synack_seq),
            by: Some(by),
            ..Said::NOTHING
        }
    }

    /// Whether `said` is what this expects.
    pub fn admits(&self, said: &Said) -> bool {
        let answer = self.answer.or(said.answer);
        let by = self.by.or(said.by);
        Said { answer, by, ..*self } == *said
    }

    /// The anomaly's numbers: what the rule expects, what the packet carries.
    pub fn numbers(anomaly: Anomaly, expected: u32, actual: u32) -> Said {
        let (expected, actual) = (Some(expected), Some(actual));
        Said { anomaly: Some(anomaly), expected, actual, ..Said::NOTHING }
    }

    /// The anomalies that the handshake lists.
    pub fn noting(mut self, anomalies: &[Anomaly]) -> Said {
        anomalies.iter().for_each(|anomaly| self.anomalies.insert(*anomaly));
        self
    }

    /// SYNs and SYN-ACKs sent again.
    pub fn again(self, syns: u16, synacks: u16) -> Said {
        Said { again: (syns, synacks), ..self }
    }

    /// Another ISN of the initiator than A.
    pub fn isn(self, isn: u32) -> Said {
        Said { isn: Some(isn), ..self }
    }

    /// Another ISN of the responder than B.
    pub fn answered(self, isn: u32) -> Said {
        Said { answer: Some(isn), ..self }
    }

    /// Who began the handshake, or sent the packet.
    pub fn by(self, side: Side) -> Said {
        Said { by: Some(side), ..self }
    }
}

/// What the events add up to, to be compared with the totals.
#[derive(Debug, Default)]
pub struct Ledger {
    ended: u64,
    completed: u64,
    late: u64,
    events: u64,
    anomalies: [u64; 32],
}

impl Ledger {
    /// Takes in the events of one step.
    pub fn book(&mut self, events: &[Event]) {
        for event in events {
            self.events += 1;
            if event.kind == KIND_ANOMALY {
                self.anomalies[usize::from(event.anomaly)] += 1;
                continue;
            }
            let is_late = event.flags.contains(HandshakeFlags::LATE);
            self.ended += u64::from(!is_late);
            self.late += u64::from(is_late);
            self.completed += u64::from(event.outcome() == Some(Outcome::Completed));
        }
    }

    /// The totals agree with the events, and with each other.
    pub fn check(&self, totals: &Counters, at: &str) {
        let ended: u64 = Outcome::ALL.iter().map(|outcome| totals.outcome(*outcome)).sum();
        assert_eq!(ended, self.ended, "{at}: one outcome each");
        assert_eq!(totals.get(Counter::Begun), ended + totals.in_progress(), "{at}: begun");
        assert_eq!(totals.get(Counter::Completed), self.completed, "{at}: completed");
        assert_eq!(totals.get(Counter::CompletedLate), self.late, "{at}: late");
        assert_eq!(totals.get(Counter::EventsProduced), self.events, "{at}: events");
        for anomaly in Anomaly::ALL.iter().filter(|anomaly| anomaly.is_event()) {
            let seen = self.anomalies[usize::from(anomaly.code())];
            assert_eq!(totals.anomaly(*anomaly), seen, "{at}: {}", anomaly.name());
        }
    }
}
