//! Judges the targets, the narrow ones first, and raises and ends their alarms.

use std::collections::HashMap;

use hs_common::victim::{VictimKey, scope};

use super::alarm::Alarm;
use super::alert::{Alert, Phase, Signature, Target};
use super::ledger::Step;
use super::recognise::{Finding, fresh_ports, recognise, unsolicited};
use super::series::Verdict;
use super::settings::Settings;
use super::{Detector, Track, watches};

/// A part that makes up so much of a whole is the one to name.
pub(super) const MOST: f64 = 0.6;
/// So few parts are named one by one.
const FEW: u32 = 4;

/// What the parts of a whole are about to tell, and what they have told.
#[derive(Clone, Copy, Default)]
pub(super) struct Parts {
    /// Pressure of the part that has most.
    largest: f64,
    /// Pressure of those that are suspicious, and how many these are.
    suspicious: f64,
    suspects: u32,
    /// SYN-ACKs of the part that has most.
    pub(super) unsolicited: f64,
    /// New ports of the part that has most.
    pub(super) fresh: f64,
    /// Unanswered handshakes that an alarm of a part tells of.
    told: i64,
}

impl Parts {
    /// Whether the pressure of the whole is that of one part, or of a few: it waits for them.
    pub(super) fn explain(&self, pressure: f64) -> bool {
        let few = if self.suspects <= FEW { self.suspicious } else { 0.0 };
        self.largest.max(few) >= MOST * pressure
    }

    fn add(&mut self, part: &Track) {
        self.largest = self.largest.max(part.series.pressure());
        self.unsolicited = self.unsolicited.max(unsolicited(&part.series));
        self.fresh = self.fresh.max(fresh_ports(&part.series));
        let alarmed = part.alarm.as_ref().is_some_and(|alarm| alarm.signature != Signature::Reflection);
        self.told += if alarmed || part.is_dead { part.unanswered } else { 0 };
    }

    /// The part is of the next smaller kind, so that nothing is counted twice.
    fn add_next(&mut self, part: &Track) {
        if part.verdict != Verdict::Calm {
            self.suspicious += part.series.pressure();
            self.suspects += 1;
        }
    }
}

impl Detector {
    /// What narrow targets answer for is taken out of the wide ones.
    pub(super) fn judge(&mut self, now_ns: u64, step_ns: u64, warming_up: bool, out: &mut Vec<Alert>) {
        let mut parts: HashMap<VictimKey, Parts> = HashMap::new();
        let awake = std::mem::take(&mut self.awake);
        for key in &awake {
            let own = parts.get(key).copied().unwrap_or_default();
            let covered = wholes(key).iter().flatten().any(|whole| self.has_flood(whole));
            let Some(track) = self.tracks.get_mut(key) else { continue };
            let Some(settings) = track.settings.clone() else {
                self.drop_alarm(key, out);
                continue;
            };
            let unanswered = (track.unanswered - own.told).max(0);
            track.verdict = track.series.judge(step_ns, &track.step, unanswered, &settings, warming_up);
            let told_by_a_part = own.told > 0 && own.told as f64 >= MOST * track.unanswered as f64;
            if (covered || told_by_a_part) && track.alarm.is_none() {
                track.series.settle();
            }
            self.look_closer(key, now_ns);
            self.decide(key, &own, covered, &settings, out);
            let Some(track) = self.tracks.get_mut(key) else { continue };
            track.is_dead &= !track.series.answers();
            for (nearness, whole) in wholes(key).into_iter().flatten().enumerate() {
                let whole = parts.entry(whole).or_default();
                whole.add(track);
                if nearness == 0 {
                    whole.add_next(track);
                }
            }
            track.step = Step::default();
        }
        self.awake = awake;
    }

    /// It is to be ignored from now on.
    fn drop_alarm(&mut self, key: &VictimKey, out: &mut Vec<Alert>) {
        let Some(track) = self.tracks.get_mut(key) else { return };
        if let Some(alarm) = track.alarm.take() {
            out.push(alarm.alert(Phase::End, &track.series));
            self.watches.end(key);
        }
        track.step = Step::default();
    }

    fn has_flood(&self, key: &VictimKey) -> bool {
        let alarm = self.tracks.get(key).and_then(|track| track.alarm.as_ref());
        alarm.is_some_and(|alarm| alarm.signature == Signature::SynFlood)
    }

    /// Watches a target that looks suspicious.
    fn look_closer(&mut self, key: &VictimKey, now_ns: u64) {
        let Some(track) = self.tracks.get(key) else { return };
        let spread = fresh_ports(&track.series) >= 16.0;
        let wide = key.scope != scope::PORT;
        let suspicious =
            track.verdict != Verdict::Calm && (!wide || spread || track.verdict == Verdict::Flood);
        if suspicious || wide && spread || track.alarm.is_some() {
            let now = track.series.now();
            let before = (now.begun, now.answered);
            self.watches.want(*key, track.step.begun, before, now_ns);
        }
    }

    fn decide(
        &mut self,
        key: &VictimKey,
        parts: &Parts,
        covered: bool,
        settings: &Settings,
        out: &mut Vec<Alert>,
    ) {
        let Some(track) = self.tracks.get_mut(key) else { return };
        if let Some(alarm) = &mut track.alarm {
            let phase = alarm.step(&track.series, self.watches.get_mut(key), settings);
            out.extend(phase.map(|phase| alarm.alert(phase, &track.series)));
            if phase == Some(Phase::End) {
                track.alarm = None;
                track.series.settle();
                self.watches.end(key);
            }
            return;
        }
        let watch = self.watches.get(key);
        let signature = match recognise(key, track, parts, watch, settings) {
            Finding::Attack(signature) if !covered => signature,
            Finding::DeadService => return self.lay_to_rest(key),
            _ => return,
        };
        let victim = match watch.and_then(watches::Watch::sole_dest) {
            Some(dest) if key.scope == scope::PREFIX => Target::of(&VictimKey::address(dest)),
            _ => Target::of(key),
        };
        let mut alarm = Box::new(Alarm::new(self.next_id, signature, victim, &track.series, settings));
        self.next_id += 1;
        track.is_dead = false;
        let (now, rising_since_ns) = (track.series.now(), track.series.rising_since_ns);
        if signature == Signature::SynFlood {
            self.watches.renew(key, rising_since_ns, (now.begun, now.answered), now.time_ns);
        }
        alarm.step(&track.series, self.watches.get_mut(key), settings);
        out.push(alarm.alert(Phase::Start, &track.series));
        track.alarm = Some(alarm);
        self.forgive_wholes(key);
    }

    /// What clients of a dead service leave is no reason to alarm, here or for the whole.
    fn lay_to_rest(&mut self, key: &VictimKey) {
        self.forgive_wholes(key);
        if let Some(track) = self.tracks.get_mut(key) {
            track.is_dead = true;
            track.series.settle();
        }
    }

    /// What a part answers for is no reason to alarm for the whole.
    fn forgive_wholes(&mut self, key: &VictimKey) {
        for whole in wholes(key).into_iter().flatten() {
            if let [Some(part), Some(whole)] = self.tracks.get_disjoint_mut([key, &whole]) {
                whole.series.forgive(&part.series);
            }
        }
    }
}

/// What a target is a part of.
pub(super) fn wholes(key: &VictimKey) -> [Option<VictimKey>; 2] {
    match key.scope {
        scope::PORT => [Some(VictimKey::address(key.addr)), Some(VictimKey::prefix(key.addr))],
        scope::ADDRESS => [Some(VictimKey::prefix(key.addr)), None],
        _ => [None, None],
    }
}
