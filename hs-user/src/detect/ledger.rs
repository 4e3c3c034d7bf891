//! What happened to each responder since the last look: the tables of all CPUs, compared with what they
//! held then.
//!
//! An entry that gave way has left its totals to its prefix. So the sum over a prefix goes on: what its
//! own entry gained, and its ports, minus what it inherited.

use std::collections::HashMap;

use hs_common::victim::{Total, Totals, Victim, VictimKey, VictimSet, scope};

/// What was added to totals in one step.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Step {
    pub(super) syn: i64,
    pub(super) begun: i64,
    pub(super) synack: i64,
    pub(super) completed: i64,
    pub(super) refused: i64,
    pub(super) aborted: i64,
    pub(super) acked: i64,
    pub(super) unsolicited: i64,
    /// Ports that had no entry in the step before, and handshakes begun at them.
    pub(super) fresh: i64,
    pub(super) fresh_begun: i64,
}

impl Step {
    fn between(before: &Totals, now: &Totals) -> Step {
        let grown = |total| now.get(total) as i64 - before.get(total) as i64;
        Step {
            syn: grown(Total::Syn),
            begun: grown(Total::Begun),
            synack: grown(Total::Synack),
            completed: grown(Total::Completed),
            refused: grown(Total::Refused),
            aborted: grown(Total::Aborted),
            acked: grown(Total::Acked),
            unsolicited: grown(Total::Unsolicited),
            fresh: 0,
            fresh_begun: 0,
        }
    }

    pub(super) fn add(&mut self, other: &Step, sign: i64) {
        self.syn += sign * other.syn;
        self.begun += sign * other.begun;
        self.synack += sign * other.synack;
        self.completed += sign * other.completed;
        self.refused += sign * other.refused;
        self.aborted += sign * other.aborted;
        self.acked += sign * other.acked;
        self.unsolicited += sign * other.unsolicited;
        self.fresh += sign * other.fresh;
        self.fresh_begun += sign * other.fresh_begun;
    }

    /// Handshakes that got an answer.
    pub(super) fn answered(&self) -> i64 {
        self.completed + self.refused + self.aborted
    }
}

/// The tables as they were at the last look.
#[derive(Default)]
pub(super) struct Ledger {
    known: Vec<Victim>,
    next: usize,
    steps: HashMap<VictimKey, Step>,
}

impl Ledger {
    /// Takes the next set, in the same order in every round.
    pub(super) fn take(&mut self, set: &VictimSet) {
        for victim in &set.0 {
            if self.next == self.known.len() {
                self.known.push(Victim::FREE);
            }
            let before = std::mem::replace(&mut self.known[self.next], *victim);
            self.next += 1;
            self.compare(&before, victim);
        }
    }

    fn compare(&mut self, before: &Victim, now: &Victim) {
        let same = before.key == now.key && before.born_ns == now.born_ns;
        // The rest has no key: what is nobody's in particular is no target.
        if same && (before.totals == now.totals || now.key.scope == scope::FREE) {
            return;
        }
        if same {
            return self.note(now.key, Step::between(&before.totals, &now.totals), false);
        }
        if before.key.scope == scope::PORT || before.key.scope == scope::ADDRESS {
            // Its prefix has inherited this, and it is not new.
            let inherited = Step::between(&Totals::ZERO, &before.totals);
            self.steps.entry(VictimKey::prefix(before.key.addr)).or_default().add(&inherited, -1);
        }
        if now.key.scope != scope::FREE {
            self.note(now.key, Step::between(&Totals::ZERO, &now.totals), true);
        }
    }

    fn note(&mut self, key: VictimKey, step: Step, is_new: bool) {
        let mut step = step;
        if is_new && key.scope == scope::PORT && step.begun > 0 {
            (step.fresh, step.fresh_begun) = (1, step.begun);
        }
        self.steps.entry(key).or_default().add(&step, 1);
        if key.scope == scope::PORT {
            self.steps.entry(VictimKey::address(key.addr)).or_default().add(&step, 1);
        }
        if key.scope == scope::PORT || key.scope == scope::ADDRESS {
            self.steps.entry(VictimKey::prefix(key.addr)).or_default().add(&step, 1);
        }
    }

    /// The steps of this round, and begins the next one.
    pub(super) fn finish(&mut self) -> HashMap<VictimKey, Step> {
        self.next = 0;
        std::mem::take(&mut self.steps)
    }
}
