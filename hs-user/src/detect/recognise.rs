//! What happens to a target: a flood, a scan, backscatter, or a service that died.

use hs_common::config::NS_PER_SEC;
use hs_common::victim::{VictimKey, scope};

use super::Track;
use super::alert::Signature;
use super::judge::{MOST, Parts};
use super::series::{Point, Series, Verdict};
use super::settings::Settings;
use super::watches::Watch;

/// Scans are counted over so long.
const SCAN_NS: u64 = 4 * NS_PER_SEC;
/// Backscatter is counted over so long; so many SYN-ACKs in that time are an alarm.
const REFLECTION_NS: u64 = 2 * NS_PER_SEC;
const REFLECTION: f64 = 80.0;

/// What happens to a target.
pub(super) enum Finding {
    /// Nothing, or nothing that can be told yet.
    Nothing,
    /// Nobody is there to answer.
    DeadService,
    /// This.
    Attack(Signature),
}

/// Looks at a target's past, its parts, and what a watch saw of it.
pub(super) fn recognise(
    key: &VictimKey,
    track: &mut Track,
    parts: &Parts,
    watch: Option<&Watch>,
    settings: &Settings,
) -> Finding {
    if key.scope != scope::PORT {
        if is_reflection(track, parts) {
            return Finding::Attack(Signature::Reflection);
        }
        match is_scan(track, parts, watch, settings) {
            Some(true) => return Finding::Attack(Signature::SynScan),
            Some(false) => {}
            None => return Finding::Nothing,
        }
    }
    if track.verdict != Verdict::Flood {
        track.waits_since_ns = None;
        return Finding::Nothing;
    }
    if parts.explain(track.series.pressure()) {
        return Finding::Nothing;
    }
    match track.series.is_dead() {
        Some(false) => Finding::Attack(Signature::SynFlood),
        Some(true) => Finding::DeadService,
        None => Finding::Nothing,
    }
}

fn is_reflection(track: &Track, parts: &Parts) -> bool {
    let count = unsolicited(&track.series);
    count >= REFLECTION && parts.unsolicited < MOST * count
}

/// SYN-ACKs of late that nobody had asked for.
pub(super) fn unsolicited(series: &Series) -> f64 {
    let start = series.at(series.now().time_ns.saturating_sub(REFLECTION_NS));
    (series.now().unsolicited - start.unsolicited) as f64
}

/// Ports of late that nobody had tried before.
pub(super) fn fresh_ports(series: &Series) -> f64 {
    grown(series, |point| point.fresh)
}

/// What was added in the time that scans are counted over.
fn grown(series: &Series, of: fn(&Point) -> i64) -> f64 {
    let start = series.at(series.now().time_ns.saturating_sub(SCAN_NS));
    (of(series.now()) - of(&start)) as f64
}

/// Whether one source tries port after port. `None` if that can't be told yet, and it may be.
fn is_scan(track: &mut Track, parts: &Parts, watch: Option<&Watch>, settings: &Settings) -> Option<bool> {
    let series = &track.series;
    let fresh = fresh_ports(series);
    // A port that is tried again and again is no port that is looked for.
    let touched =
        grown(series, |point| point.fresh_begun) >= 0.5 * grown(series, |point| point.begun - point.answered);
    if !touched || fresh < settings.scan_ports / 4.0 || parts.fresh >= MOST * fresh {
        return Some(false);
    }
    let Some(watch) = watch.filter(|watch| watch.samples() >= 16) else {
        let now_ns = series.now().time_ns;
        let since_ns = *track.waits_since_ns.get_or_insert(now_ns);
        return if now_ns - since_ns < NS_PER_SEC { None } else { Some(false) };
    };
    let largest = watch.top.shares(&watch.completed).first().map_or(0.0, |(_, share)| *share);
    let tried = watch.largest_failed();
    match (largest >= 0.8, fresh >= settings.scan_ports && tried >= settings.scan_ports / 2.0) {
        (true, true) => Some(true),
        // Soon it will be enough, and a flood it is not.
        (true, false) => None,
        (false, _) => Some(false),
    }
}
