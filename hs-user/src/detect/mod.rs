//! Decides what is a SYN flood: pure, the clock is an argument.
//!
//! A victim is a responder (address and port). What speaks for a flood are handshakes that stay
//! unanswered: begun, and after a time of grace neither completed nor refused. A flash crowd
//! completes, and a dead service refuses, so neither raises an alarm (module `window` has the rule). An
//! alarm starts when [`Settings::floor`] of them a second are reached and fewer than half of the
//! handshakes complete; it ends after [`Settings::quiet_ns`] below half the floor.
//!
//! Seen from one side only (no SYN-ACK, no ACK), every handshake looks unanswered. The caller must
//! leave such traffic out.

mod alarm;
mod sources;
#[cfg(test)]
mod tests;
mod window;

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::{IpAddr, SocketAddr};

use hs_common::config::NS_PER_SEC;

pub use alarm::{Alert, Kind, Phase};
pub use sources::estimate_sources;

use alarm::Alarm;
use window::{Totals, Window};

/// Victims known at the most: a few hundred bytes each.
const MAX_VICTIMS: usize = 65_536;
/// Nothing new of a victim for so long, and it is forgotten.
const IDLE_NS: u64 = 60 * NS_PER_SEC;
/// How often idle victims are looked for.
const SWEEP_NS: u64 = 10 * NS_PER_SEC;
/// The usual time between two calls of [`Detector::observe`].
const STEP_NS: u64 = NS_PER_SEC / 4;

/// What can be tuned.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Settings {
    /// Unanswered handshakes a second that start an alarm.
    pub floor: f64,
    /// Rates are taken over this time, in nanoseconds.
    pub window_ns: u64,
    /// A handshake younger than this, in nanoseconds, does not count as unanswered. It must be longer
    /// than the round trip of most clients.
    pub grace_ns: u64,
    /// An alarm ends after so long, in nanoseconds, below half the floor.
    pub quiet_ns: u64,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            floor: 100.0,
            window_ns: NS_PER_SEC,
            grace_ns: 3 * NS_PER_SEC / 10,
            quiet_ns: 3 * NS_PER_SEC,
        }
    }
}

/// Cumulative totals of one responder at one instant, as [`hs_common::Victim`] has them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VictimSample {
    /// The responder.
    pub victim: SocketAddr,
    /// SYN segments, retransmitted ones too.
    pub syn: u64,
    /// Handshakes begun.
    pub begun: u64,
    /// SYN-ACK segments.
    pub synack: u64,
    /// Handshakes completed.
    pub completed: u64,
    /// Handshakes refused.
    pub refused: u64,
    /// Handshakes aborted.
    pub aborted: u64,
    /// Handshakes that ended half-open, unverified or malformed.
    pub expired: u64,
    /// Distinct sources of SYNs ([`estimate_sources`]).
    pub sources_estimate: u64,
}

/// What is known of one victim.
struct Track {
    /// As last told.
    told: VictimSample,
    /// The same, but never falling back when the totals begin anew.
    totals: Totals,
    changed_ns: u64,
    /// Empty while the victim is asleep: nothing has changed within the time that counts.
    window: Window,
    alarm: Option<Box<Alarm>>,
}

impl Track {
    /// A victim of which nothing was seen before `base`.
    fn new(base: VictimSample, now_ns: u64) -> Track {
        let totals = Totals::of(&base);
        Track { told: base, totals, changed_ns: now_ns, window: Window::default(), alarm: None }
    }

    /// Takes new totals; whether anything changed.
    fn update(&mut self, sample: VictimSample, now_ns: u64) -> bool {
        if sample == self.told {
            return false;
        }
        self.totals.grow(&self.told, &sample);
        self.told = sample;
        self.changed_ns = now_ns;
        true
    }

    fn judge(&mut self, now_ns: u64, settings: &Settings, next_id: &mut u64, out: &mut Vec<Alert>) {
        self.window.push(now_ns, self.totals, settings);
        let view = self.window.view(settings);
        match &mut self.alarm {
            Some(alarm) => {
                let phase = alarm.step(now_ns, &view, settings);
                out.extend(phase.map(|phase| alarm.alert(phase, now_ns, &self.told, &view)));
                if phase == Some(Phase::End) {
                    self.alarm = None;
                }
            }
            None if view.unanswered_rate >= settings.floor && view.completed_share < 0.5 => {
                let alarm = self.alarm.insert(Box::new(Alarm::new(*next_id, now_ns, &view)));
                *next_id += 1;
                out.push(alarm.alert(Phase::Start, now_ns, &self.told, &view));
            }
            None => {}
        }
    }
}

/// Finds SYN floods in the totals of responders.
pub struct Detector {
    settings: Settings,
    tracks: HashMap<SocketAddr, Track>,
    /// The victims with a window, in the order in which they woke.
    awake: Vec<SocketAddr>,
    forgotten: Forgotten,
    untracked: u64,
    observed_ns: Option<u64>,
    swept_ns: u64,
    next_id: u64,
}

impl Detector {
    /// A detector that has seen nothing yet.
    pub fn new(settings: Settings) -> Detector {
        Detector {
            settings,
            tracks: HashMap::new(),
            awake: Vec::new(),
            forgotten: Forgotten::default(),
            untracked: 0,
            observed_ns: None,
            swept_ns: 0,
            next_id: 1,
        }
    }

    /// Takes the totals as they are at `now_ns` (any clock that does not go back), and appends what
    /// they mean to `out`. To be called about every 250 ms, also without samples. A responder that is
    /// not among the samples is taken to be unchanged.
    pub fn observe(
        &mut self,
        now_ns: u64,
        samples: impl Iterator<Item = VictimSample>,
        out: &mut Vec<Alert>,
    ) {
        let now_ns = now_ns.max(self.observed_ns.unwrap_or(0));
        for sample in samples {
            self.take(sample, now_ns);
        }
        self.judge(now_ns, out);
        if now_ns.saturating_sub(self.swept_ns) >= SWEEP_NS {
            self.forget(|track| now_ns - track.changed_ns >= IDLE_NS);
            self.swept_ns = now_ns;
        }
        self.observed_ns = Some(now_ns);
    }

    /// Notes the source of a handshake with `victim` that was left half-open or aborted. Ignored
    /// unless there is an alarm.
    pub fn note_source(&mut self, victim: SocketAddr, source: IpAddr) {
        if let Some(alarm) = self.tracks.get_mut(&victim).and_then(|track| track.alarm.as_mut()) {
            alarm.note_source(source);
        }
    }

    /// Ends the alarms that are open.
    pub fn finish(&mut self, now_ns: u64, out: &mut Vec<Alert>) {
        let now_ns = now_ns.max(self.observed_ns.unwrap_or(0));
        for victim in &self.awake {
            let Some(track) = self.tracks.get_mut(victim) else { continue };
            if let Some(alarm) = track.alarm.take() {
                out.push(alarm.alert(Phase::End, now_ns, &track.told, &track.window.view(&self.settings)));
            }
        }
    }

    /// Whether [`Detector::observe`] has nothing to do until a responder's totals change: replay may
    /// skip a gap in a capture.
    pub fn is_idle(&self) -> bool {
        self.awake.is_empty()
    }

    /// Samples that were not judged because too many victims (65,536) were busy at once.
    pub fn untracked(&self) -> u64 {
        self.untracked
    }

    fn take(&mut self, sample: VictimSample, now_ns: u64) {
        let victim = sample.victim;
        if !self.tracks.contains_key(&victim) && !self.admit(sample, now_ns) {
            return;
        }
        let Some(track) = self.tracks.get_mut(&victim) else { return };
        let before = track.totals;
        if track.update(sample, now_ns) && track.window.is_empty() {
            let before_ns = self.observed_ns.unwrap_or(now_ns.saturating_sub(STEP_NS));
            track.window.push(before_ns, before, &self.settings);
            self.awake.push(victim);
        }
    }

    /// Begins to track a victim. What it has now came since the last call, unless it was known once.
    fn admit(&mut self, sample: VictimSample, now_ns: u64) -> bool {
        let victim = sample.victim;
        // Not more than once a call: it looks at all of them.
        if self.tracks.len() >= MAX_VICTIMS && self.swept_ns < now_ns {
            self.forget(|_| true);
            self.swept_ns = now_ns;
        }
        if self.tracks.len() >= MAX_VICTIMS {
            self.untracked += 1;
            self.forgotten.add(victim);
            return false;
        }
        let base = if self.forgotten.may_contain(victim) { sample } else { nothing(victim) };
        self.tracks.insert(victim, Track::new(base, now_ns));
        true
    }

    fn judge(&mut self, now_ns: u64, out: &mut Vec<Alert>) {
        let Detector { settings, tracks, awake, next_id, .. } = self;
        awake.retain(|victim| {
            let Some(track) = tracks.get_mut(victim) else { return false };
            track.judge(now_ns, settings, next_id, out);
            let sleeps = track.alarm.is_none() && track.window.is_flat();
            if sleeps {
                track.window = Window::default();
            }
            !sleeps
        });
    }

    /// Forgets the victims that are asleep and of which `old` is true.
    fn forget(&mut self, old: impl Fn(&Track) -> bool) {
        let forgotten = &mut self.forgotten;
        self.tracks.retain(|victim, track| {
            let keep = !track.window.is_empty() || !old(track);
            if !keep {
                forgotten.add(*victim);
            }
            keep
        });
    }
}

fn nothing(victim: SocketAddr) -> VictimSample {
    VictimSample {
        victim,
        syn: 0,
        begun: 0,
        synack: 0,
        completed: 0,
        refused: 0,
        aborted: 0,
        expired: 0,
        sources_estimate: 0,
    }
}

/// Which victims were known once, so that their old totals are not taken for new ones: a set of
/// fixed size that errs towards yes, at the cost of one step's delay.
struct Forgotten {
    bits: Box<[u64]>,
}

impl Default for Forgotten {
    /// A million bits, 128 KiB.
    fn default() -> Forgotten {
        Forgotten { bits: vec![0; 1 << 14].into_boxed_slice() }
    }
}

impl Forgotten {
    fn place(&self, victim: SocketAddr) -> (usize, u64) {
        let mut hasher = DefaultHasher::new();
        victim.hash(&mut hasher);
        let hash = hasher.finish();
        ((hash >> 6) as usize % self.bits.len(), 1 << (hash & 63))
    }

    fn add(&mut self, victim: SocketAddr) {
        let (word, bit) = self.place(victim);
        self.bits[word] |= bit;
    }

    fn may_contain(&self, victim: SocketAddr) -> bool {
        let (word, bit) = self.place(victim);
        self.bits[word] & bit != 0
    }
}
