//! A victim's recent past, and the rule by which handshakes count as unanswered.
//!
//! ```text
//!        start            end            now
//! ---------|---------------|--------------|--->
//!          |<-- window --->|<--- grace -->|
//! ```
//! Of the handshakes that began between `start` and `end`, at least those are unanswered that are
//! more than all answers between `start` and `now`: all had the time of grace, and none of the crowd
//! that completes within it is taken for unanswered, neither when it comes nor when it goes. What is
//! underestimated are the answers to handshakes that began later, or before. As an alarm asks for
//! more unanswered than completed handshakes, that is about grace / window (30 %) at the most.

use std::collections::VecDeque;

use super::{Settings, VictimSample};

/// Totals that never fall.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Totals {
    pub(super) syn: u64,
    pub(super) begun: u64,
    pub(super) completed: u64,
    pub(super) refused: u64,
    pub(super) expired: u64,
    /// Estimate of all sources; this one may fall.
    pub(super) sources: u64,
}

impl Totals {
    pub(super) fn of(sample: &VictimSample) -> Totals {
        Totals {
            syn: sample.syn,
            begun: sample.begun,
            completed: sample.completed,
            refused: sample.refused,
            expired: sample.expired,
            sources: sample.sources_estimate,
        }
    }

    /// Adds what came between two samples. When the totals fell, the victim's entry in the kernel's map
    /// was evicted and made anew: all of `now` came since.
    pub(super) fn grow(&mut self, before: &VictimSample, now: &VictimSample) {
        let anew = now.syn < before.syn || now.begun < before.begun;
        let (before, now) =
            if anew { (Totals::default(), Totals::of(now)) } else { (Totals::of(before), Totals::of(now)) };
        self.syn += now.syn.saturating_sub(before.syn);
        self.begun += now.begun.saturating_sub(before.begun);
        self.completed += now.completed.saturating_sub(before.completed);
        self.refused += now.refused.saturating_sub(before.refused);
        self.expired += now.expired.saturating_sub(before.expired);
        self.sources = now.sources;
    }

    fn answered(&self) -> u64 {
        self.completed + self.refused
    }
}

/// Totals at one instant.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Point {
    pub(super) time_ns: u64,
    pub(super) totals: Totals,
}

/// The points of the time that counts, oldest first.
#[derive(Debug, Default)]
pub(super) struct Window {
    points: VecDeque<Point>,
}

/// What a window says.
#[derive(Clone, Copy, Debug)]
pub(super) struct View {
    /// Where the window begins.
    pub(super) start: Point,
    /// The totals now.
    pub(super) totals: Totals,
    /// Handshakes a second that stay unanswered.
    pub(super) unanswered_rate: f64,
    /// Completed handshakes of those begun since `start`.
    pub(super) completed_share: f64,
    /// SYNs a second.
    pub(super) syn_rate: f64,
    /// Completed handshakes a second.
    pub(super) completed_rate: f64,
}

impl Window {
    pub(super) fn is_empty(&self) -> bool {
        self.points.is_empty()
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.points.len()
    }

    /// Whether nothing happened in all the time that counts.
    pub(super) fn is_flat(&self) -> bool {
        self.points.front().map(|point| point.totals) == self.points.back().map(|point| point.totals)
    }

    /// Adds a point and drops what is too old. Points that come too often replace each other, so that
    /// their number is bounded.
    pub(super) fn push(&mut self, now_ns: u64, totals: Totals, settings: &Settings) {
        let spacing_ns = settings.window_ns / 16;
        if self.points.len() >= 2 && now_ns - self.points[self.points.len() - 2].time_ns < spacing_ns {
            self.points.pop_back();
        }
        self.points.push_back(Point { time_ns: now_ns, totals });
        let end = self.newest_until(now_ns.saturating_sub(settings.grace_ns)).time_ns;
        let start_ns = end.saturating_sub(settings.window_ns);
        while self.points.get(1).is_some_and(|second| second.time_ns <= start_ns) {
            self.points.pop_front();
        }
    }

    pub(super) fn view(&self, settings: &Settings) -> View {
        let now = self.points.back().copied().unwrap_or_default();
        let start = self.points.front().copied().unwrap_or_default();
        let end = self.newest_until(now.time_ns.saturating_sub(settings.grace_ns));
        let answered = now.totals.answered() - start.totals.answered();
        let unanswered = (end.totals.begun - start.totals.begun).saturating_sub(answered);
        // Not less than the window: much in a short time is as bad as the same spread over the window.
        let span_ns = (end.time_ns - start.time_ns).max(settings.window_ns);

        let recent = self.newest_until(now.time_ns.saturating_sub(settings.window_ns));
        let recent_ns = now.time_ns - recent.time_ns;
        View {
            start,
            totals: now.totals,
            unanswered_rate: per_second(unanswered, span_ns),
            completed_share: share(
                now.totals.completed - start.totals.completed,
                now.totals.begun - start.totals.begun,
            ),
            syn_rate: per_second(now.totals.syn - recent.totals.syn, recent_ns),
            completed_rate: per_second(now.totals.completed - recent.totals.completed, recent_ns),
        }
    }

    /// The newest point that is not after `time_ns`, or else the oldest.
    fn newest_until(&self, time_ns: u64) -> Point {
        let newest = self.points.iter().rev().find(|point| point.time_ns <= time_ns);
        newest.or(self.points.front()).copied().unwrap_or_default()
    }
}

fn per_second(count: u64, span_ns: u64) -> f64 {
    if span_ns == 0 { 0.0 } else { count as f64 * 1e9 / span_ns as f64 }
}

/// `part` of `whole`; all of nothing.
pub(super) fn share(part: u64, whole: u64) -> f64 {
    if whole == 0 { 1.0 } else { (part as f64 / whole as f64).min(1.0) }
}
