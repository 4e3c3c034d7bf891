//! A target's recent past, which of its handshakes count as unanswered, and whether they are too many.
//!
//! A handshake is unanswered once it is older than the time of grace. With B(t) begun and A(t) answered
//! until t, at least B(t - grace) - A(t) handshakes are: as far as that number rises above what it ever
//! was, they are new. Answers to younger handshakes make it too small, never too large, so a crowd that
//! completes raises no alarm when it comes or goes; and an answer that comes late is taken back.
//!
//! Two CUSUMs (Page, 1954) sum up what is more than the baseline and an allowance: one for floods, one, more
//! patient, for those that fill a backlog over minutes. The baseline stands still while either is up.

use std::collections::VecDeque;

use hs_common::config::NS_PER_SEC;

use super::ledger::Step;
use super::settings::Settings;

/// Points are kept for so long.
const KEEP_NS: u64 = 5 * NS_PER_SEC;
/// The baseline follows the past with this time constant, in seconds.
const BASELINE_S: f64 = 120.0;
/// A new target is taken to have been quiet for so long, in seconds.
const PRIOR_S: f64 = 30.0;
/// So much is learned at a time, in seconds.
const LESSON_S: f64 = 4.0;
/// Rates that are told are taken over this time.
const RATE_NS: u64 = NS_PER_SEC;
/// Such a share of the handshakes that complete does so late: an ACK was lost, a client is far away.
const LATE: f64 = 0.02;
/// A crowd is remembered for so long.
const CROWD_NS: u64 = 2 * NS_PER_SEC;
/// So many clients a second tell by their absence.
const CLIENTS: f64 = 20.0;
/// Linux and the others repeat a SYN after one second (RFC 6298); a little more for the way.
const REPEAT_NS: u64 = NS_PER_SEC + NS_PER_SEC / 5;

/// Totals at one instant; they begin with 0 when the target wakes.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Point {
    pub(super) time_ns: u64,
    pub(super) syn: i64,
    pub(super) begun: i64,
    pub(super) synack: i64,
    pub(super) completed: i64,
    pub(super) answered: i64,
    pub(super) unanswered: i64,
    pub(super) unsolicited: i64,
    pub(super) fresh: i64,
    pub(super) fresh_begun: i64,
}

/// What is usual for a target, per second.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Baseline {
    seconds: f64,
    /// How much of it was seen, 0 to 1; the rest is the assumption that it had been quiet.
    seen: f64,
    begun: f64,
    pub(super) completed: f64,
    unanswered: f64,
    /// Mean of the squared deviation of `unanswered`, of a rate taken over a second.
    variance: f64,
    lesson: Lesson,
}

/// What is not learned yet: the beginning of a flood must not be taken for usual.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Lesson {
    seconds: f64,
    begun: i64,
    completed: i64,
    unanswered: i64,
    /// Sum of the squares of `unanswered` by step, divided by the step's length.
    squares: f64,
}

impl Baseline {
    /// Adds a step to the lesson, and learns it when it is long enough.
    fn hear(&mut self, step: &Step, unanswered: i64, seconds: f64) {
        let lesson = &mut self.lesson;
        lesson.seconds += seconds;
        lesson.begun += step.begun;
        lesson.completed += step.completed;
        lesson.unanswered += unanswered;
        lesson.squares += (unanswered * unanswered) as f64 / seconds;
        if lesson.seconds >= LESSON_S {
            let lesson = std::mem::take(lesson);
            self.learn(&lesson);
        }
    }

    fn learn(&mut self, lesson: &Lesson) {
        self.seconds += lesson.seconds;
        // A lesson of hours, in which nobody looked because nothing happened, is all that is known; more than that it
        // must not weigh, or what is usual would be less than nothing.
        let weight = (lesson.seconds / (PRIOR_S + self.seconds).min(BASELINE_S)).min(1.0);
        let rate = |count: i64| count as f64 / lesson.seconds;
        self.seen += (1.0 - self.seen) * weight;
        self.begun += (rate(lesson.begun) - self.begun) * weight;
        self.completed += (rate(lesson.completed) - self.completed) * weight;
        self.unanswered += (rate(lesson.unanswered) - self.unanswered) * weight;
        self.variance += (lesson.squares / lesson.seconds - self.variance) * weight;
    }

    /// What was heard of late is forgotten: something began in it.
    fn unhear(&mut self) {
        self.lesson = Lesson::default();
    }
}

/// Whether handshakes stay unanswered in numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// As usual.
    Calm,
    /// More than usual.
    Suspicious,
    /// A flood.
    Flood,
}

/// A target's past.
#[derive(Debug, Default)]
pub(super) struct Series {
    points: VecDeque<Point>,
    now: Point,
    /// How far B(t - grace) - A(t) has risen.
    risen: i64,
    baseline: Baseline,
    fast: f64,
    slow: f64,
    /// Since when a CUSUM is up.
    pub(super) rising_since_ns: u64,
    /// When clients were last found not to hear the service.
    cut_off_ns: u64,
}

impl Series {
    pub(super) fn is_asleep(&self) -> bool {
        self.points.is_empty()
    }

    /// Totals now.
    pub(super) fn now(&self) -> &Point {
        &self.now
    }

    /// Adds a step that ends at `now_ns`, and tells how many handshakes turned out to be unanswered in it.
    pub(super) fn push(&mut self, now_ns: u64, step_ns: u64, step: &Step, settings: &Settings) -> i64 {
        if self.points.is_empty() {
            self.now.time_ns = now_ns.saturating_sub(step_ns);
            self.points.push_back(self.now);
        }
        let one_sided = step.synack == 0 && self.now.synack == self.at(now_ns.saturating_sub(RATE_NS)).synack;
        let now = &mut self.now;
        now.time_ns = now_ns;
        now.syn += step.syn;
        now.begun += step.begun;
        now.synack += step.synack;
        now.completed += step.completed;
        // Where no SYN-ACK passes, what the initiator acknowledges was answered on another path.
        now.answered += step.answered() + if one_sided { step.acked } else { 0 };
        now.unsolicited += step.unsolicited;
        now.fresh += step.fresh;
        now.fresh_begun += step.fresh_begun;

        let old = self.at(now_ns.saturating_sub(settings.grace_ns));
        let level = old.begun - self.now.answered;
        // No more can be owed than there are young ones.
        self.risen = self.risen.min(level + (self.now.begun - old.begun).max(0));
        let unanswered = (level - self.risen).max(0);
        self.risen += unanswered;
        self.now.unanswered += unanswered;

        self.points.push_back(self.now);
        while self.points.get(1).is_some_and(|point| point.time_ns + KEEP_NS <= now_ns) {
            self.points.pop_front();
        }
        unanswered
    }

    /// Adds what was unanswered in a step to the CUSUMs, or to the baseline.
    pub(super) fn judge(
        &mut self,
        step_ns: u64,
        step: &Step,
        unanswered: i64,
        settings: &Settings,
        warming_up: bool,
    ) -> Verdict {
        let seconds = step_ns as f64 / 1e9;
        let usual = self.baseline;
        let patience = if warming_up { 2.0 } else { 1.0 };
        // Of a crowd that is larger than usual some get no answer in time: lost SYNs, a full backlog. It may be
        // over by the time that they are missed.
        let completed =
            (step.completed as f64 / seconds).max(self.rate_over(CROWD_NS, |point| point.completed));
        let crowd = 0.1 * (completed - 1.5 * usual.completed).max(0.0) + LATE * completed;
        let sudden = settings.floor * patience + usual.unanswered + 3.0 * usual.variance.sqrt() + crowd;
        let steady = settings.slow_floor * patience + 1.25 * usual.unanswered + crowd;
        if self.is_cut_off() {
            self.cut_off_ns = self.now.time_ns;
        }
        let was_down = self.fast <= 0.0 && self.slow <= 0.0;
        let limit = settings.backlog.max(settings.burst) * 4.0;
        self.fast = (self.fast + unanswered as f64 - sudden * seconds).clamp(0.0, limit);
        self.slow = (self.slow + unanswered as f64 - steady * seconds).clamp(0.0, limit);
        if was_down {
            self.rising_since_ns = self.now.time_ns.saturating_sub(step_ns);
        }
        let crowded = step.begun as f64 > (3.0 * usual.begun + 100.0) * seconds;
        if self.fast >= settings.burst * patience || self.slow >= settings.backlog * patience {
            self.baseline.unhear();
            Verdict::Flood
        } else if self.fast >= settings.burst / 8.0 || self.slow >= settings.backlog / 8.0 {
            self.baseline.unhear();
            Verdict::Suspicious
        } else {
            self.baseline.hear(step, unanswered, seconds);
            if crowded { Verdict::Suspicious } else { Verdict::Calm }
        }
    }

    /// Takes out what another target, a part of this one, answers for.
    pub(super) fn forgive(&mut self, other: &Series) {
        self.fast = (self.fast - other.fast).max(0.0);
        self.slow = (self.slow - other.slow).max(0.0);
    }

    /// Begins to sum up anew.
    pub(super) fn settle(&mut self) {
        (self.fast, self.slow) = (0.0, 0.0);
    }

    /// Other handshakes count from now on: what is open until now is none of theirs.
    pub(super) fn begin_anew(&mut self) {
        self.settle();
        self.points.clear();
        self.risen = self.now.begun - self.now.answered;
    }

    /// How far up the faster CUSUM is.
    pub(super) fn pressure(&self) -> f64 {
        self.fast.max(self.slow)
    }

    /// Whether clients and service do not reach each other: nobody answers, or nobody hears the answers, and
    /// clients repeat their SYNs, as no flood does. `None` if it is too early to tell.
    pub(super) fn is_dead(&self) -> Option<bool> {
        let start = self.at(self.rising_since_ns);
        let begun = self.now.begun - start.begun;
        // What was lost while they were cut off is made up for a little later.
        let was_cut_off = self.cut_off_ns != 0 && self.cut_off_ns + 2 * REPEAT_NS > self.now.time_ns;
        if (self.now.synack - start.synack) * 20 > begun && !was_cut_off {
            return Some(false);
        }
        // So many more than usual are no clients that try again.
        if self.rate_over(NS_PER_SEC / 4, |point| point.begun)
            > (10.0 * (self.baseline.begun + 20.0)).max(1e3)
        {
            return Some(false);
        }
        let due = self.at(self.now.time_ns.saturating_sub(REPEAT_NS)).begun - start.begun;
        if due < 10 {
            return None;
        }
        let repeated = (self.now.syn - start.syn) - begun;
        Some(repeated * 2 >= due)
    }

    /// Whether the service answers, but hardly any client hears it, though no more come than usual: a flood
    /// would come on top of them.
    fn is_cut_off(&self) -> bool {
        let lately = |of: fn(&Point) -> i64| self.rate_over(NS_PER_SEC / 4, of);
        let seen = |usual: f64| usual / self.baseline.seen;
        self.baseline.completed >= CLIENTS
            && lately(|point| point.completed) <= 0.3 * seen(self.baseline.completed)
            && self.rate(|point| point.begun) <= 1.3 * seen(self.baseline.begun) + CLIENTS
    }

    /// Whether SYN-ACKs come, as far as SYNs do.
    pub(super) fn answers(&self) -> bool {
        let synacks = self.rate(|point| point.synack);
        synacks > 0.0 && synacks * 20.0 > self.rate(|point| point.begun)
    }

    /// The newest point that is not after `time_ns`, or else the oldest.
    pub(super) fn at(&self, time_ns: u64) -> Point {
        let newest = self.points.iter().rev().find(|point| point.time_ns <= time_ns);
        newest.or(self.points.front()).copied().unwrap_or(self.now)
    }

    /// What was added a second, of late.
    pub(super) fn rate(&self, of: impl Fn(&Point) -> i64) -> f64 {
        self.rate_over(RATE_NS, of)
    }

    /// What was added a second, over so long.
    pub(super) fn rate_over(&self, over_ns: u64, of: impl Fn(&Point) -> i64) -> f64 {
        let start = self.at(self.now.time_ns.saturating_sub(over_ns));
        let elapsed_ns = self.now.time_ns - start.time_ns;
        if elapsed_ns == 0 {
            return 0.0;
        }
        (of(&self.now) - of(&start)).max(0) as f64 * 1e9 / elapsed_ns as f64
    }

    /// What is usual.
    #[cfg(test)]
    pub(super) fn baseline(&self) -> &Baseline {
        &self.baseline
    }

    /// Unanswered handshakes a second that are no news over so long.
    pub(super) fn ordinary(&self, over_ns: u64) -> f64 {
        2.0 * self.baseline.unanswered + LATE * self.rate_over(over_ns, |point| point.completed)
    }

    /// Whether nothing happened in the time that counts, so that the points can go.
    pub(super) fn is_flat(&self) -> bool {
        let first = self.points.front().copied().unwrap_or_default();
        first.syn == self.now.syn
            && first.answered == self.now.answered
            && first.unsolicited == self.now.unsolicited
            && self.pressure() <= 0.0
            && self.now.time_ns - first.time_ns >= KEEP_NS
    }

    /// Forgets the points and keeps the baseline.
    pub(super) fn sleep(&mut self) {
        self.points = VecDeque::new();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Tens of thousands of targets may be known, and most of them sleep.
    #[test]
    fn one_that_sleeps_keeps_no_room_for_a_past() {
        let (mut series, settings) = (Series::default(), Settings::default());
        for step in 1..100 {
            series.push(
                step * NS_PER_SEC / 8,
                NS_PER_SEC / 8,
                &Step { begun: 1, ..Step::default() },
                &settings,
            );
        }
        assert!(series.points.capacity() > 16);
        series.sleep();
        assert!(series.is_asleep());
        assert_eq!(series.points.capacity(), 0);
    }
}
