//! The watches: which targets have one, and what was seen through it.

use std::collections::HashMap;

use anyhow::Result;
use hs_common::Addr;
use hs_common::victim::watch::{CHAIN, SAMPLES, WATCHES, WatchHead, WatchIndex, Watched};
use hs_common::victim::{SKETCH_REGISTERS, VictimKey, hash_addr, hash_prefix};

use super::kind::Marks;
use super::sources::{Registers, TopSources, estimate_except, raise};
use crate::responders::{Responders, WatchList};

/// A watch that nobody asked for in so long goes.
const IDLE_NS: u64 = 6_000_000_000;
/// A watch that is older than this when a flood begins begins anew with it.
const BEFORE_NS: u64 = 2_000_000_000;
/// So many samples a step are enough.
const ENOUGH: u64 = SAMPLES as u64 * 3 / 4;
/// Sources that completed are remembered up to this number, each watch,
const COMPLETED: usize = 512;
/// and those among them that stand out up to this one. All watches have 3 MiB of it at the most.
const COMPLETED_AT_MOST: usize = 1792;

/// What one watch has seen.
pub(super) struct Watch {
    key: VictimKey,
    number: u32,
    shift: u32,
    since_ns: u64,
    wanted_ns: u64,
    taken: u64,
    /// Handshakes begun and answered of the target when the watch began.
    pub(super) begun: i64,
    pub(super) answered: i64,
    pub(super) top: TopSources,
    pub(super) marks: Marks,
    pub(super) dests: HashMap<Addr, u64>,
    /// Handshakes that completed, by source.
    pub(super) completed: HashMap<Addr, u64>,
    honest: Box<Registers>,
    /// The sketch as it was read last, and one and two steps before that.
    sketches: [Box<Registers>; 3],
    /// The sketch as it was when the flood was last seen.
    last: Box<Registers>,
}

impl Watch {
    fn new(key: VictimKey, number: u32, (begun, answered): (i64, i64), since_ns: u64) -> Watch {
        let empty = || Box::new([0; SKETCH_REGISTERS]);
        Watch {
            key,
            number,
            shift: 0,
            since_ns,
            wanted_ns: since_ns,
            taken: 0,
            begun,
            answered,
            top: TopSources::default(),
            marks: Marks::default(),
            dests: HashMap::new(),
            completed: HashMap::new(),
            honest: empty(),
            sketches: [empty(), empty(), empty()],
            last: empty(),
        }
    }

    fn read(&mut self, watched: &Watched) {
        self.sketches.rotate_right(1);
        self.sketches[0].copy_from_slice(&watched.registers);
        let first = self.taken.max(watched.taken.saturating_sub(SAMPLES as u64));
        for place in first..watched.taken {
            let sample = &watched.samples[place as usize % SAMPLES];
            let weight = 1_u64 << (sample.shift & 31);
            self.top.note(sample.source, weight);
            self.marks.note(sample);
            if self.dests.len() < 1024 || self.dests.contains_key(&sample.dest) {
                *self.dests.entry(sample.dest).or_default() += weight;
            }
        }
        self.taken = watched.taken;
    }

    /// Distinct sources, without those that completed. Of two steps ago: who completes has done so by now. Of now if
    /// there was nothing two steps ago.
    pub(super) fn sources(&self) -> f64 {
        let began_since = self.sketches[2].iter().all(|register| *register == 0);
        estimate_except(&self.sketches[if began_since { 0 } else { 2 }], &self.honest)
    }

    /// The flood goes on.
    pub(super) fn keep(&mut self) {
        self.last.copy_from_slice(&*self.sketches[0]);
    }

    /// Distinct sources when the flood was last seen, without those that completed until now.
    pub(super) fn sources_at_last(&self) -> f64 {
        estimate_except(&self.last, &self.honest)
    }

    /// Counted for each source, so that who completes is not taken for an attacker: a matter of those that stand out.
    fn note_completed(&mut self, source: Addr) {
        let known = self.completed.len();
        if let Some(count) = self.completed.get_mut(&source) {
            *count += 1;
        } else if known < COMPLETED || known < COMPLETED_AT_MOST && self.top.has(source) {
            self.completed.insert(source, 1);
        }
    }

    /// Handshakes of the source that stands out, without those that completed.
    pub(super) fn largest_failed(&self) -> f64 {
        self.top.largest_failed(&self.completed)
    }

    /// The only destination address, if nearly all SYNs go to one.
    pub(super) fn sole_dest(&self) -> Option<Addr> {
        let total: u64 = self.dests.values().sum();
        let (dest, count) = self.dests.iter().max_by_key(|(_, count)| **count)?;
        (*count * 10 >= total * 8).then_some(*dest)
    }

    /// Samples read so far.
    pub(super) fn samples(&self) -> u64 {
        self.taken
    }
}

/// All watches.
pub(super) struct Watches {
    by_key: HashMap<VictimKey, Box<Watch>>,
    used: [bool; WATCHES],
    changed: bool,
    fresh: Vec<u32>,
}

impl Default for Watches {
    fn default() -> Watches {
        Watches { by_key: HashMap::new(), used: [false; WATCHES], changed: false, fresh: Vec::new() }
    }
}

impl Watches {
    pub(super) fn get(&self, key: &VictimKey) -> Option<&Watch> {
        self.by_key.get(key).map(|watch| &**watch)
    }

    pub(super) fn get_mut(&mut self, key: &VictimKey) -> Option<&mut Watch> {
        self.by_key.get_mut(key).map(|watch| &mut **watch)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.by_key.is_empty()
    }

    /// Asks for a watch over a target of which so many SYNs come in a step.
    pub(super) fn want(&mut self, key: VictimKey, per_step: i64, totals: (i64, i64), now_ns: u64) {
        if !self.by_key.contains_key(&key) && !self.begin(key, totals, now_ns) {
            return;
        }
        let Some(watch) = self.by_key.get_mut(&key) else { return };
        watch.wanted_ns = now_ns;
        let shift = (per_step.max(1) as u64).div_ceil(ENOUGH).next_power_of_two().trailing_zeros();
        // Not back and forth for nothing.
        if shift > watch.shift || shift + 1 < watch.shift {
            watch.shift = shift;
            self.changed = true;
        }
    }

    /// An alarm begins: what its watch saw long before is none of it.
    pub(super) fn renew(&mut self, key: &VictimKey, rising_since_ns: u64, totals: (i64, i64), now_ns: u64) {
        let Some(watch) = self.by_key.get_mut(key) else { return };
        if watch.since_ns + BEFORE_NS < rising_since_ns {
            self.fresh.push(watch.number);
            let (number, shift) = (watch.number, watch.shift);
            **watch = Watch { shift, ..Watch::new(*key, number, totals, now_ns) };
        }
    }

    /// An alarm is over.
    pub(super) fn end(&mut self, key: &VictimKey) {
        if let Some(watch) = self.by_key.remove(key) {
            self.used[watch.number as usize - 1] = false;
            self.changed = true;
        }
    }

    fn begin(&mut self, key: VictimKey, totals: (i64, i64), now_ns: u64) -> bool {
        let prefix = key.addr.prefix();
        let neighbours = self.by_key.keys().filter(|other| other.addr.prefix() == prefix).count();
        let Some(slot) = self.used.iter().position(|used| !used) else { return false };
        if neighbours >= CHAIN {
            return false;
        }
        let number = slot as u32 + 1;
        self.used[slot] = true;
        self.by_key.insert(key, Box::new(Watch::new(key, number, totals, now_ns)));
        self.fresh.push(number);
        self.changed = true;
        true
    }

    /// Reads what the watches have seen.
    pub(super) fn read(&mut self, responders: &mut dyn Responders) -> Result<()> {
        for watch in self.by_key.values_mut() {
            responders.watched(watch.number, &mut |watched| watch.read(watched))?;
        }
        Ok(())
    }

    /// Lets go what nobody asks for any more, and tells the kernel what is watched.
    pub(super) fn commit(&mut self, responders: &mut dyn Responders, now_ns: u64) -> Result<()> {
        let (used, changed) = (&mut self.used, &mut self.changed);
        self.by_key.retain(|_, watch| {
            let keep = watch.wanted_ns + IDLE_NS > now_ns;
            if !keep {
                used[watch.number as usize - 1] = false;
                *changed = true;
            }
            keep
        });
        for number in self.fresh.drain(..) {
            responders.clear_watch(number)?;
        }
        if std::mem::take(&mut self.changed) {
            responders.set_watches(&self.list(responders.seed()))?;
        }
        Ok(())
    }

    fn list(&self, seed: u64) -> WatchList {
        let mut list = WatchList::default();
        for watch in self.by_key.values() {
            let place = WatchIndex::place(hash_prefix(watch.key.addr, seed));
            let next = u32::from(list.index.0[place]);
            list.heads[watch.number as usize - 1] = WatchHead { key: watch.key, shift: watch.shift, next };
            list.index.0[place] = watch.number as u8;
        }
        list
    }

    /// A handshake of this source completed.
    pub(super) fn completed(&mut self, dest: Addr, port: u16, source: Addr, seed: u64) {
        // There are few.
        for watch in self.by_key.values_mut().filter(|watch| watch.key.covers(dest, port)) {
            raise(&mut watch.honest, hash_addr(source, seed));
            watch.note_completed(source);
        }
    }
}

#[cfg(test)]
mod tests {
    use hs_common::victim::watch::Sample;

    use super::*;

    #[test]
    fn of_those_that_complete_the_ones_that_stand_out_are_remembered_and_few_others() {
        let mut watch = Watch::new(VictimKey::FREE, 1, (0, 0), 0);
        let gateway = Addr::from_v4_word(7);
        (1_000..101_000).for_each(|source| watch.note_completed(Addr::from_v4_word(source)));
        assert_eq!(watch.completed.len(), COMPLETED);
        watch.top.note(gateway, 9);
        (0..9).for_each(|_| watch.note_completed(gateway));
        assert!(watch.largest_failed() < 1.0, "it completed all of them");
    }

    #[test]
    fn sources_are_known_from_the_first_look_on() {
        let mut watched =
            Watched { taken: 0, samples: [Sample::default(); SAMPLES], registers: [0; SKETCH_REGISTERS] };
        let mut watch = Watch::new(VictimKey::FREE, 1, (0, 0), 0);
        assert!(watch.sources() < 1.0);
        watched.registers.fill(5);
        watch.read(&watched);
        let known = watch.sources();
        assert!(known > 100.0, "{known}");
        watch.read(&watched);
        watch.read(&watched);
        assert!((watch.sources() - known).abs() < 1.0);
    }
}
