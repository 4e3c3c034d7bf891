//! Totals: what the kernel counts per CPU and user space adds up. They never depend on an event
//! having been delivered.

use crate::{Anomaly, Outcome, Unparsed};

macro_rules! counters {
    ($($(#[$doc:meta])* $variant:ident = $index:literal, $name:literal;)+) => {
        /// An index into [`Counters`].
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(u8)]
        pub enum Counter { $($(#[$doc])* $variant = $index,)+ }

        impl Counter {
            /// The counters that have a name of their own in `stats`.
            pub const NAMED: &[Counter] = &[$(Counter::$variant,)+];

            /// The identifier, as it stands in `stats`.
            pub const fn name(self) -> &'static str {
                match self { $(Counter::$variant => $name,)+ }
            }

            const fn index(self) -> usize {
                self as usize
            }
        }
    };
}

counters! {
    /// Packets that passed a hook.
    Packets = 0, "packets";
    /// TCP segments among them; of a fragmented one, the first fragment.
    TcpSegments = 1, "tcp_segments";
    /// Segments with SYN and without ACK, retransmitted ones too.
    Syn = 2, "syn";
    /// Segments with SYN and ACK.
    Synack = 3, "synack";
    /// Handshakes begun: SYNs that opened one.
    Begun = 4, "begun";
    /// Handshakes completed, late ones too.
    Completed = 5, "completed";
    /// Handshakes completed after they had been reported otherwise.
    CompletedLate = 6, "completed_late";
    /// Handshakes of which only one direction was seen.
    Unverified = 7, "unverified";
    /// Handshakes that stayed half-open.
    HalfOpen = 8, "half_open";
    /// Handshakes refused by the responder.
    Refused = 9, "refused";
    /// Handshakes aborted by either side.
    Aborted = 10, "aborted";
    /// Handshakes that failed and broke the rules.
    Malformed = 11, "malformed";
    /// Pending handshakes that were pushed out of the full flow table.
    FlowsEvicted = 12, "flows_evicted";
    /// Segments whose flow could not be updated because another CPU held it, or the table refused it.
    FlowsContended = 13, "flows_contended";
    /// Events that were due: delivered, lost and suppressed ones.
    EventsProduced = 14, "events_produced";
    /// Events that found the ring buffer full.
    EventsLost = 15, "events_lost";
    /// Events left out under a flood, by budget.
    EventsSuppressed = 16, "events_suppressed";
    /// SYN-ACKs without a SYN, which may have passed before the watch began or been evicted since:
    /// neither an event nor an anomaly.
    SynackUnmatched = 17, "synack_unmatched";
    /// TCP segments between ports that are not watched.
    Filtered = 18, "filtered";
    /// SYNs that passed while hs-mon was attaching: not followed, since the answer may have passed a
    /// hook that was not there yet.
    SynBeforeWatch = 19, "syn_before_watch";
    /// SYNs and SYN-ACKs that were seen at another interface or hook just before: the same packets on their
    /// way through the host.
    SeenAgain = 20, "seen_again";
}

const ANOMALIES: usize = Counter::NAMED.len();
const UNPARSED: usize = ANOMALIES + Anomaly::MAX_CODE + 1;

/// The totals of one CPU, or their sum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct Counters(pub [u64; Counters::LEN]);

impl Counters {
    /// How many totals there is room for: a power of two, so that a mask bounds an index.
    pub const LEN: usize = (UNPARSED + Unparsed::MAX_CODE + 1).next_power_of_two();

    /// All zero.
    pub const ZERO: Counters = Counters([0; Counters::LEN]);

    /// One total.
    pub const fn get(&self, counter: Counter) -> u64 {
        self.0[counter.index()]
    }

    /// How often an anomaly was seen.
    pub const fn anomaly(&self, anomaly: Anomaly) -> u64 {
        self.0[Slot::anomaly(anomaly).0]
    }

    /// How many packets were left unparsed for this reason.
    pub const fn unparsed(&self, why: Unparsed) -> u64 {
        self.0[Slot::unparsed(why).0]
    }

    /// How many handshakes ended so.
    pub const fn outcome(&self, outcome: Outcome) -> u64 {
        self.0[Slot::outcome(outcome).0]
    }

    /// Handshakes that have an outcome.
    pub fn ended(&self) -> u64 {
        sum(Outcome::ALL.iter().map(|outcome| self.outcome(*outcome)))
    }

    /// Handshakes begun that have no outcome yet. Saturates: totals of several CPUs are not read at
    /// one instant.
    pub fn in_progress(&self) -> u64 {
        self.get(Counter::Begun).saturating_sub(self.ended())
    }

    /// Anomalies that are events.
    pub fn anomaly_events(&self) -> u64 {
        sum(Anomaly::ALL.iter().filter(|anomaly| anomaly.is_event()).map(|anomaly| self.anomaly(*anomaly)))
    }

    /// Packets that hold no segment, for whatever reason.
    pub fn all_unparsed(&self) -> u64 {
        sum(Unparsed::ALL.iter().map(|why| self.unparsed(*why)))
    }

    /// Adds one to a total. In user space (replay); the kernel counts in its own per-CPU memory.
    pub fn add(&mut self, slot: Slot, change: i64) {
        if let Some(total) = self.0.get_mut(slot.0) {
            *total = total.wrapping_add_signed(change);
        }
    }

    /// Adds the totals of another CPU.
    pub fn merge(&mut self, other: &Counters) {
        for (total, more) in self.0.iter_mut().zip(other.0) {
            *total = total.wrapping_add(more);
        }
    }
}

/// A total that is wrong may be anything, and must not be the end of the program that says so.
fn sum(totals: impl IntoIterator<Item = u64>) -> u64 {
    totals.into_iter().fold(0, u64::wrapping_add)
}

impl Default for Counters {
    fn default() -> Counters {
        Counters::ZERO
    }
}

/// The place of one total in [`Counters`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slot(usize);

impl Slot {
    /// The place of a named counter.
    #[inline(always)]
    pub const fn of(counter: Counter) -> Slot {
        Slot(counter.index())
    }

    /// The place of an anomaly's total.
    #[inline(always)]
    pub const fn anomaly(anomaly: Anomaly) -> Slot {
        Slot::anomaly_code(anomaly.code())
    }

    /// [`Slot::anomaly`] by its code.
    #[inline(always)]
    pub const fn anomaly_code(code: u8) -> Slot {
        const _: () = assert!(Anomaly::MAX_CODE < 32);
        Slot(ANOMALIES + (code & 31) as usize)
    }

    /// The place of the total of packets left unparsed for this reason.
    #[inline(always)]
    pub const fn unparsed(why: Unparsed) -> Slot {
        Slot(UNPARSED + why.code() as usize)
    }

    /// The place of an outcome's total.
    #[inline(always)]
    pub const fn outcome(outcome: Outcome) -> Slot {
        Slot::of(match outcome {
            Outcome::Completed => Counter::Completed,
            Outcome::Unverified => Counter::Unverified,
            Outcome::Refused => Counter::Refused,
            Outcome::Aborted => Counter::Aborted,
            Outcome::HalfOpen => Counter::HalfOpen,
            Outcome::Malformed => Counter::Malformed,
        })
    }

    /// [`Slot::outcome`] by its code, without a branch for each: the verifier would follow them all.
    #[inline(always)]
    pub const fn outcome_code(code: u8) -> Slot {
        const PLACES: u64 = {
            let (mut places, mut index) = (0, 0);
            while index < Outcome::ALL.len() {
                let outcome = Outcome::ALL[index];
                assert!(outcome.code() < 16 && Slot::outcome(outcome).0 < 16);
                places |= (Slot::outcome(outcome).0 as u64) << (4 * outcome.code());
                index += 1;
            }
            places
        };
        Slot((PLACES >> (4 * (code & 15)) & 15) as usize)
    }

    /// The index, always below [`Counters::LEN`].
    #[inline(always)]
    pub const fn index(self) -> usize {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_total_has_a_place_of_its_own() {
        let mut seen = [false; Counters::LEN];
        let named = Counter::NAMED.iter().map(|counter| Slot::of(*counter));
        let anomalies = Anomaly::ALL.iter().map(|anomaly| Slot::anomaly(*anomaly));
        let unparsed = Unparsed::ALL.iter().map(|why| Slot::unparsed(*why));
        for slot in named.chain(anomalies).chain(unparsed) {
            assert!(!seen[slot.index()], "{slot:?} is taken twice");
            seen[slot.index()] = true;
        }
    }

    #[test]
    fn in_progress_is_what_has_no_outcome() {
        let mut totals = Counters::ZERO;
        totals.add(Slot::of(Counter::Begun), 5);
        totals.add(Slot::outcome(Outcome::Completed), 2);
        totals.add(Slot::outcome(Outcome::Refused), 1);
        assert_eq!(totals.in_progress(), 2);
    }
}
