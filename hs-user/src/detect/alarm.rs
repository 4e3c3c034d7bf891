//! One alarm: from the moment when something is recognised to its end.

use std::net::IpAddr;

use hs_common::config::NS_PER_SEC;

use super::alert::{Alert, Evidence, Kind, Phase, Signature, Target};
use super::kind::{self, Picture};
use super::series::{Point, Series};
use super::settings::Settings;
use super::sources::extrapolated;
use super::watches::Watch;

/// An alarm is told again after this time at the earliest.
const UPDATE_NS: u64 = NS_PER_SEC;
/// Whether it still goes on is seen by so much of the past.
const ACTIVE_NS: u64 = NS_PER_SEC / 2;

/// An alarm that is open.
pub(super) struct Alarm {
    id: u64,
    pub(super) signature: Signature,
    victim: Target,
    /// Where it began.
    start: Point,
    /// Where it was last seen to go on.
    last: Point,
    peak_rate: f64,
    /// The largest rate of what it is about: unanswered handshakes, tried ports, SYN-ACKs.
    peak_activity: f64,
    told_ns: u64,
    kind: Kind,
    evidence: Vec<Evidence>,
    sources: f64,
    top_sources: Vec<(IpAddr, f64)>,
}

impl Alarm {
    pub(super) fn new(
        id: u64,
        signature: Signature,
        victim: Target,
        series: &Series,
        settings: &Settings,
    ) -> Alarm {
        let began_ns = match signature {
            Signature::SynFlood => series.rising_since_ns.saturating_sub(settings.grace_ns),
            _ => series.now().time_ns.saturating_sub(2 * NS_PER_SEC),
        };
        let start = series.at(began_ns);
        Alarm {
            id,
            signature,
            victim,
            start,
            last: *series.now(),
            peak_rate: 0.0,
            peak_activity: 0.0,
            told_ns: series.now().time_ns,
            kind: Kind::Distributed,
            evidence: Vec::new(),
            sources: 0.0,
            top_sources: Vec::new(),
        }
    }

    /// Looks at what happened in a step, and says what is to be told now, if anything. Once it only fades,
    /// nothing is news but the end.
    pub(super) fn step(
        &mut self,
        series: &Series,
        watch: Option<&mut Watch>,
        settings: &Settings,
    ) -> Option<Phase> {
        let now = *series.now();
        let activity = series.rate_over(ACTIVE_NS, |point| self.measure(point));
        self.peak_activity = self.peak_activity.max(activity);
        self.peak_rate = self.peak_rate.max(series.rate(|point| self.segments(point)));
        let ordinary = if self.signature == Signature::SynFlood { series.ordinary(ACTIVE_NS) } else { 0.0 };
        if activity > ordinary + settings.slow_floor.max(self.peak_activity * 0.05) {
            self.last = now;
            if let Some(watch) = watch {
                watch.keep();
                self.look(watch, watch.sources());
            }
        } else if now.time_ns - self.last.time_ns >= settings.quiet_ns {
            if let Some(watch) = watch {
                self.look(watch, watch.sources_at_last());
            }
            return Some(Phase::End);
        }
        if self.last.time_ns < now.time_ns || now.time_ns - self.told_ns < UPDATE_NS {
            return None;
        }
        self.told_ns = now.time_ns;
        Some(Phase::Update)
    }

    fn measure(&self, point: &Point) -> i64 {
        match self.signature {
            Signature::SynFlood => point.unanswered,
            Signature::SynScan => point.fresh,
            Signature::Reflection => point.unsolicited,
        }
    }

    fn segments(&self, point: &Point) -> i64 {
        if self.signature == Signature::Reflection { point.unsolicited } else { point.syn }
    }

    /// What the watch says by now.
    fn look(&mut self, watch: &Watch, distinct: f64) {
        if watch.samples() == 0 {
            return;
        }
        let failed = |begun: i64, answered: i64| (begun - answered).max(1) as f64;
        let seen = failed(self.last.begun - watch.begun, self.last.answered - watch.answered);
        let all = failed(self.last.begun - self.start.begun, self.last.answered - self.start.answered);
        // What came before the watch is as the rest.
        self.sources = extrapolated(distinct, seen.max(distinct), all.max(seen));
        let shares = watch.top.shares(&watch.completed);
        let picture = Picture {
            marks: &watch.marks,
            sources: distinct,
            begun: seen,
            largest_share: shares.first().map_or(0.0, |(_, share)| *share),
        };
        (self.kind, self.evidence) = kind::of(&picture);
        self.top_sources = shares.into_iter().map(|(source, share)| (source.into(), share)).collect();
    }

    pub(super) fn alert(&self, phase: Phase, series: &Series) -> Alert {
        let (start, last, now) = (&self.start, &self.last, series.now());
        let grown = |of: fn(&Point) -> i64| (of(last) - of(start)).max(0) as u64;
        let begun = grown(|point| point.begun);
        let completed = grown(|point| point.completed);
        let answered = grown(|point| point.answered);
        let total = match self.signature {
            Signature::SynFlood => grown(|point| point.syn).saturating_sub(answered),
            Signature::SynScan => grown(|point| point.syn).saturating_sub(completed),
            Signature::Reflection => grown(|point| point.unsolicited),
        };
        Alert {
            id: self.id,
            signature: self.signature,
            phase,
            victim: self.victim,
            started_at_ns: start.time_ns,
            last_seen_ns: last.time_ns,
            now_ns: now.time_ns,
            syn_rate: series.rate(|point| self.segments(point)),
            completed_rate: series.rate(|point| point.completed),
            completion_ratio: if begun == 0 { 1.0 } else { (completed as f64 / begun as f64).min(1.0) },
            half_open: begun.saturating_sub(answered),
            peak_syn_rate: self.peak_rate.max(series.rate(|point| self.segments(point))),
            syn_total: total,
            sources_estimate: self.sources.round().max(1.0) as u64,
            kind: self.kind,
            evidence: self.evidence.clone(),
            ports: grown(|point| point.fresh),
            top_sources: self.top_sources.clone(),
            host: None,
        }
    }
}
