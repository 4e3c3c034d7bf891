//! Decides what is a SYN flood, a scan, or backscatter. The clock is an argument.
//!
//! ```text
//!   tables of all CPUs → ledger → steps of each target → series → verdict → alarm → alert
//!                                                watches ──────────────────────┘
//! ```
//! A target is a port, an address or a prefix. What speaks for a flood are handshakes that stay unanswered
//! (module `series` has the rule); docs/detection.md tells why, and how well it does.

mod alarm;
mod alert;
mod busiest;
mod judge;
mod kind;
mod ledger;
mod recognise;
mod series;
mod settings;
mod sources;
#[cfg(test)]
mod tests;
mod watches;

use std::collections::HashMap;
use std::sync::Arc;

use anyhow::Result;
use hs_common::Addr;
use hs_common::config::NS_PER_SEC;
use hs_common::victim::{VictimKey, scope};

pub use alert::{Alert, Evidence, HostWord, Kind, Phase, Signature, Target};
pub use busiest::Responder;
pub use settings::{Exception, Sensitivity, Settings, Treatment};

use crate::responders::Responders;
use alarm::Alarm;
use ledger::{Ledger, Step};
use series::{Series, Verdict};
use watches::Watches;

/// Targets known at the most.
const MAX_TARGETS: usize = 65_536;
/// While so many are awake, only those wake that get at least `BUSY` handshakes in a step: a spray over addresses and
/// ports must not cost more than a busy network does.
const CROWDED: usize = 2_048;
const BUSY: i64 = 4;
/// A target that sleeps for so long is forgotten, with what is usual for it.
const FORGET_NS: u64 = 600 * NS_PER_SEC;
/// How often it is looked for such.
const CLEAN_NS: u64 = 10 * NS_PER_SEC;

/// What is known of a target.
struct Track {
    series: Series,
    /// `None`: to be ignored.
    settings: Option<Arc<Settings>>,
    step: Step,
    unanswered: i64,
    verdict: Verdict,
    alarm: Option<Box<Alarm>>,
    /// Nobody is there to answer: what stays unanswered is no flood, here and in the sums.
    is_dead: bool,
    /// When it was last found too early to tell.
    waits_since_ns: Option<u64>,
    changed_ns: u64,
}

/// Finds floods in the totals of responders.
pub struct Detector {
    settings: Arc<Settings>,
    ledger: Ledger,
    tracks: HashMap<VictimKey, Track>,
    /// Targets with a past that counts, the narrow ones first.
    awake: Vec<VictimKey>,
    watches: Watches,
    seed: u64,
    began_ns: Option<u64>,
    observed_ns: u64,
    cleaned_ns: u64,
    next_id: u64,
    untracked: u64,
}

impl Detector {
    /// A detector that has seen nothing yet.
    pub fn new(settings: Settings) -> Detector {
        Detector {
            settings: Arc::new(settings),
            ledger: Ledger::default(),
            tracks: HashMap::new(),
            awake: Vec::new(),
            watches: Watches::default(),
            seed: 0,
            began_ns: None,
            observed_ns: 0,
            cleaned_ns: 0,
            next_id: 1,
            untracked: 0,
        }
    }

    /// Other settings from now on; what is known stays, and so do the alarms that are open.
    pub fn set_settings(&mut self, settings: Settings) {
        let settings = Arc::new(settings);
        let mut other = Vec::new();
        for (key, track) in &mut self.tracks {
            let was_ignored = track.settings.is_none();
            track.settings = settings_of(&settings, key);
            if track.settings.is_none() != was_ignored {
                other.extend([Some(*key)].into_iter().chain(judge::wholes(key)).flatten());
            }
        }
        for key in other {
            if let Some(track) = self.tracks.get_mut(&key) {
                track.series.begin_anew();
            }
        }
        self.settings = settings;
    }

    /// Looks at the responders as they are at `now_ns` (any clock that does not go back), and appends what
    /// it means to `out`. To be called about eight times a second.
    ///
    /// # Errors
    /// Those of `responders`.
    pub fn observe(
        &mut self,
        now_ns: u64,
        responders: &mut dyn Responders,
        out: &mut Vec<Alert>,
    ) -> Result<()> {
        self.seed = responders.seed();
        let now_ns = now_ns.max(self.observed_ns + 1);
        let first = self.began_ns.is_none();
        let began_ns = *self.began_ns.get_or_insert(now_ns);
        let step_ns = if first { NS_PER_SEC / 8 } else { now_ns - self.observed_ns };
        self.observed_ns = now_ns;
        let ledger = &mut self.ledger;
        responders.for_each_set(&mut |set| ledger.take(set))?;
        let steps = self.ledger.finish();
        self.watches.read(responders)?;
        self.take(steps, now_ns);
        self.push(now_ns, step_ns);
        let warming_up = now_ns - began_ns < self.settings.warm_up_ns;
        self.judge(now_ns, step_ns, warming_up, out);
        self.rest(now_ns);
        self.watches.commit(responders, now_ns)
    }

    /// A handshake completed: its source is no attacker.
    pub fn completed(&mut self, responder: (Addr, u16), source: Addr) {
        if !self.watches.is_empty() {
            self.watches.completed(responder.0, responder.1, source, self.seed);
        }
    }

    /// Ends the alarms that are open. What comes then is of another capture, with other totals and another time.
    pub fn finish(&mut self, out: &mut Vec<Alert>) {
        for key in &self.awake {
            let Some(track) = self.tracks.get_mut(key) else { continue };
            if let Some(alarm) = track.alarm.take() {
                out.push(alarm.alert(Phase::End, &track.series));
            }
        }
        let (next_id, untracked) = (self.next_id, self.untracked);
        *self = Detector { next_id, untracked, ..Detector::new((*self.settings).clone()) };
    }

    /// Whether [`Detector::observe`] has nothing to do until a responder's totals change: replay may skip a
    /// gap in a capture.
    pub fn is_idle(&self) -> bool {
        self.awake.is_empty() && self.watches.is_empty()
    }

    /// Steps of targets that were not judged because too many were busy at once.
    pub fn untracked(&self) -> u64 {
        self.untracked
    }

    /// Hands the steps to their targets, and wakes those that sleep.
    fn take(&mut self, mut steps: HashMap<VictimKey, Step>, now_ns: u64) {
        self.take_out_ignored(&mut steps);
        let mut woken = false;
        for (key, step) in steps {
            if step == Step::default() {
                continue;
            }
            let known = self.tracks.get(&key);
            let sleeps = known.is_none_or(|track| track.series.is_asleep());
            if sleeps && self.awake.len() >= CROWDED && step.begun.max(step.unsolicited) < BUSY {
                self.untracked += 1;
                continue;
            }
            if known.is_none() && !self.admit(&key, &step) {
                continue;
            }
            let Some(track) = self.tracks.get_mut(&key) else { continue };
            track.step = step;
            track.changed_ns = now_ns;
            if track.series.is_asleep() && track.settings.is_some() {
                self.awake.push(key);
                woken = true;
            }
        }
        if woken {
            self.awake.sort_unstable_by_key(|key| (key.scope, *key));
            self.awake.dedup();
        }
    }

    /// What is to be ignored does not count for its address and prefix either.
    fn take_out_ignored(&self, steps: &mut HashMap<VictimKey, Step>) {
        if self.settings.exceptions.is_empty() {
            return;
        }
        let ignored: Vec<(VictimKey, Step)> = steps
            .iter()
            .filter(|(key, _)| key.scope == scope::PORT && settings_of(&self.settings, key).is_none())
            .map(|(key, step)| (*key, *step))
            .collect();
        for (key, step) in ignored {
            for whole in [VictimKey::address(key.addr), VictimKey::prefix(key.addr)] {
                if let Some(sum) = steps.get_mut(&whole) {
                    sum.add(&step, -1);
                }
            }
            steps.remove(&key);
        }
    }

    fn admit(&mut self, key: &VictimKey, step: &Step) -> bool {
        if step.begun <= 0 && step.unsolicited <= 0 {
            return false;
        }
        if self.tracks.len() >= MAX_TARGETS && self.cleaned_ns < self.observed_ns {
            self.cleaned_ns = self.observed_ns;
            self.tracks.retain(|_, track| !track.series.is_asleep());
        }
        if self.tracks.len() >= MAX_TARGETS {
            self.untracked += 1;
            return false;
        }
        let track = Track {
            series: Series::default(),
            settings: settings_of(&self.settings, key),
            step: Step::default(),
            unanswered: 0,
            verdict: Verdict::Calm,
            alarm: None,
            is_dead: false,
            waits_since_ns: None,
            changed_ns: self.observed_ns,
        };
        self.tracks.insert(*key, track);
        true
    }

    fn push(&mut self, now_ns: u64, step_ns: u64) {
        for key in &self.awake {
            let Some(track) = self.tracks.get_mut(key) else { continue };
            let Some(settings) = &track.settings else { continue };
            track.unanswered = track.series.push(now_ns, step_ns, &track.step, settings);
        }
    }

    /// Lets those sleep that nothing happens to.
    fn rest(&mut self, now_ns: u64) {
        let tracks = &mut self.tracks;
        self.awake.retain(|key| {
            let Some(track) = tracks.get_mut(key) else { return false };
            let sleeps = track.alarm.is_none() && (track.settings.is_none() || track.series.is_flat());
            if sleeps {
                track.series.sleep();
            }
            !sleeps
        });
        if now_ns.saturating_sub(self.cleaned_ns) >= CLEAN_NS {
            self.cleaned_ns = now_ns;
            self.tracks.retain(|_, track| !track.series.is_asleep() || track.changed_ns + FORGET_NS > now_ns);
        }
    }
}

fn settings_of(settings: &Arc<Settings>, key: &VictimKey) -> Option<Arc<Settings>> {
    let target = Target::of(key);
    settings.for_target(target.ip, target.port)
}
