//! The ledger: what the totals must add up to once nothing is under way any more.
//!
//! Each equation has one side that was counted where something began and one where it ended, so that whatever is
//! lost between the two, by whatever fault, shows.

use core::fmt;

use crate::{Counter, Counters};

/// The totals at the end, and what of their events arrived.
#[derive(Clone, Copy, Debug)]
pub struct Ledger<'a> {
    /// What the engine counted.
    pub totals: &'a Counters,
    /// Events that were handed on to whoever reports them.
    pub delivered: u64,
}

/// An equation that does not hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The equation, in the names of `stats`.
    pub equation: &'static str,
    /// What its left side is.
    pub left: u64,
    /// What its right side adds up to.
    pub right: u64,
}

/// One of the things that must add up.
struct Equation {
    says: &'static str,
    /// The left side, and what the right one is the sum of.
    sides: fn(&Ledger) -> (u64, [u64; 3]),
}

const EQUATIONS: [Equation; 4] = [
    Equation {
        says: "packets = tcp_segments + parse_errors + not_parsed",
        sides: |Ledger { totals, .. }| {
            (totals.get(Counter::Packets), [totals.get(Counter::TcpSegments), totals.all_unparsed(), 0])
        },
    },
    Equation {
        says: "begun = completed + unverified + refused + aborted + half_open + malformed",
        sides: |Ledger { totals, .. }| (totals.get(Counter::Begun), [totals.ended(), 0, 0]),
    },
    Equation {
        says: "events_produced = completed + unverified + refused + aborted + half_open + malformed \
               + completed_late + anomalies other than ack_unsolicited",
        sides: |Ledger { totals, .. }| {
            let late = totals.get(Counter::CompletedLate);
            (totals.get(Counter::EventsProduced), [totals.ended(), late, totals.anomaly_events()])
        },
    },
    Equation {
        says: "events_produced = events_delivered + events_lost + events_suppressed",
        sides: |Ledger { totals, delivered }| {
            let (lost, suppressed) = (totals.get(Counter::EventsLost), totals.get(Counter::EventsSuppressed));
            (totals.get(Counter::EventsProduced), [*delivered, lost, suppressed])
        },
    },
];

impl<'a> Ledger<'a> {
    /// The equations that do not hold; none, as it should be.
    pub fn differences(self) -> impl Iterator<Item = Difference> + use<'a> {
        EQUATIONS.iter().filter_map(move |equation| {
            let (left, addends) = (equation.sides)(&self);
            // A total that is wrong may be anything, and must not be the end of the program that says so.
            let right = addends.into_iter().fold(0, u64::wrapping_add);
            (left != right).then_some(Difference { equation: equation.says, left, right })
        })
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} is not {}", self.equation, self.left, self.right)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Anomaly, Outcome, Slot, Unparsed};

    const DELIVERED: u64 = 7;

    /// Some of everything, and it adds up.
    fn balanced() -> Counters {
        let mut totals = Counters::ZERO;
        let slots = [
            (Slot::of(Counter::Packets), 30),
            (Slot::of(Counter::TcpSegments), 20),
            (Slot::unparsed(Unparsed::NotTcp), 6),
            (Slot::unparsed(Unparsed::IpTruncated), 4),
            (Slot::of(Counter::Begun), 9),
            (Slot::outcome(Outcome::Completed), 3),
            (Slot::outcome(Outcome::Unverified), 2),
            (Slot::outcome(Outcome::Refused), 1),
            (Slot::outcome(Outcome::Aborted), 1),
            (Slot::outcome(Outcome::HalfOpen), 1),
            (Slot::outcome(Outcome::Malformed), 1),
            (Slot::of(Counter::CompletedLate), 2),
            (Slot::anomaly(Anomaly::SynackWrongAck), 4),
            (Slot::anomaly(Anomaly::AckUnsolicited), 100),
            (Slot::of(Counter::EventsProduced), 15),
            (Slot::of(Counter::EventsLost), 5),
            (Slot::of(Counter::EventsSuppressed), 3),
        ];
        slots.into_iter().for_each(|(slot, number)| totals.add(slot, number));
        totals
    }

    /// The equations that do not hold, by what their left side is called.
    fn broken(totals: &Counters, delivered: u64) -> Vec<&'static str> {
        let name = |difference: Difference| difference.equation.split(' ').next().unwrap_or("");
        Ledger { totals, delivered }.differences().map(name).collect()
    }

    #[test]
    fn what_adds_up_has_no_difference() {
        assert_eq!(broken(&balanced(), DELIVERED), [""; 0]);
        assert_eq!(broken(&Counters::ZERO, 0), [""; 0]);
    }

    #[test]
    fn one_more_or_less_of_anything_is_seen() {
        let (packets, begun, events) = ("packets", "begun", "events_produced");
        let mut table = vec![
            (Slot::of(Counter::Packets), vec![packets]),
            (Slot::of(Counter::TcpSegments), vec![packets]),
            (Slot::of(Counter::Begun), vec![begun]),
            (Slot::of(Counter::CompletedLate), vec![events]),
            (Slot::of(Counter::EventsProduced), vec![events, events]),
            (Slot::of(Counter::EventsLost), vec![events]),
            (Slot::of(Counter::EventsSuppressed), vec![events]),
        ];
        table.extend(Outcome::ALL.iter().map(|outcome| (Slot::outcome(*outcome), vec![begun, events])));
        table.extend(Unparsed::ALL.iter().map(|why| (Slot::unparsed(*why), vec![packets])));
        let told = Anomaly::ALL.iter().filter(|anomaly| anomaly.is_event());
        table.extend(told.map(|anomaly| (Slot::anomaly(*anomaly), vec![events])));
        for (slot, expected) in table {
            for change in [1, -1] {
                let mut totals = balanced();
                totals.add(slot, change);
                assert_eq!(broken(&totals, DELIVERED), expected, "{slot:?} by {change}");
            }
        }
        for delivered in [DELIVERED - 1, DELIVERED + 1] {
            assert_eq!(broken(&balanced(), delivered), [events], "{delivered} delivered");
        }
    }

    #[test]
    fn a_difference_tells_both_sides() {
        let mut totals = balanced();
        totals.add(Slot::of(Counter::Begun), 2);
        let difference = Ledger { totals: &totals, delivered: DELIVERED }.differences().next();
        assert_eq!(difference.map(|difference| [difference.left, difference.right]), Some([11, 9]));
    }

    #[test]
    fn what_only_is_counted_is_in_no_equation() {
        let mut totals = balanced();
        totals.add(Slot::anomaly(Anomaly::AckUnsolicited), 1);
        totals.add(Slot::of(Counter::Syn), 1);
        assert_eq!(broken(&totals, DELIVERED), [""; 0]);
    }
}
