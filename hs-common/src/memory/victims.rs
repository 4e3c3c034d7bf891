//! The responders' totals in ordinary memory: the table of one CPU, and the watches.

use crate::Segment;
use crate::victim::table::{self, Layout, Table};
use crate::victim::watch::{self, WATCHES, WatchHead, WatchIndex, Watched, Watches};
use crate::victim::{Tally, VictimKey, VictimSet};

/// The seed of all hashes. A capture can't answer to it, and the same capture must give the same output.
pub const SEED: u64 = 0x5eed;
/// Sets of the ports: as many responders as one CPU knows in the kernel.
const SETS: u32 = 1024;

/// The responders' totals.
#[derive(Debug)]
pub struct Victims {
    sets: Vec<VictimSet>,
    index: Box<WatchIndex>,
    heads: Vec<WatchHead>,
    watched: Vec<Watched>,
}

impl Default for Victims {
    fn default() -> Victims {
        Victims {
            sets: vec![VictimSet::FREE; Layout::total(SETS) as usize],
            index: Box::new(WatchIndex::EMPTY),
            heads: vec![WatchHead::default(); WATCHES],
            watched: Vec::new(),
        }
    }
}

impl Victims {
    /// The table.
    pub fn sets(&self) -> &[VictimSet] {
        &self.sets
    }

    /// Sets what is watched; [`Victims::clear`] makes a watch begin anew.
    pub fn set_watches(&mut self, index: &WatchIndex, heads: &[WatchHead; WATCHES]) {
        *self.index = *index;
        self.heads.copy_from_slice(heads);
    }

    /// Forgets what a watch saw. They are numbered from 1.
    pub fn clear(&mut self, number: u32) {
        let slot = number as usize - 1;
        if self.watched.len() <= slot {
            self.watched.resize(slot + 1, Watched::EMPTY);
        }
        self.watched[slot] = Watched::EMPTY;
    }

    /// What a watch saw.
    pub fn watched(&self, number: u32) -> Option<&Watched> {
        self.watched.get(number as usize - 1)
    }

    /// See [`crate::track::Host::watch_syn`].
    pub fn watch_syn(&mut self, segment: &Segment, now_ns: u64) {
        watch::observe(self, segment, SEED, now_ns);
    }

    /// See [`crate::track::Host::tally`].
    pub fn tally(&mut self, responder: &VictimKey, tally: Tally, now_ns: u64) {
        table::tally(self, responder, tally, now_ns);
    }
}

impl Table for Victims {
    fn layout(&self) -> Layout {
        Layout { sets: SETS, first: 0, seed: SEED }
    }

    fn set(&mut self, index: u32) -> Option<&mut VictimSet> {
        self.sets.get_mut(index as usize)
    }

    fn pair(&mut self, from: u32, into: u32) -> Option<(&VictimSet, &mut VictimSet)> {
        let [from, into] = self.sets.get_disjoint_mut([from as usize, into as usize]).ok()?;
        Some((from, into))
    }
}

impl Watches for Victims {
    fn first(&self, place: usize) -> u32 {
        self.index.0.get(place).copied().map_or(0, u32::from)
    }

    fn head(&self, number: u32) -> Option<&WatchHead> {
        self.heads.get(number as usize - 1)
    }

    fn raise(&mut self, number: u32, hash: u64) {
        if let Some(watched) = self.watched.get_mut(number as usize - 1) {
            watched.raise(hash);
        }
    }

    fn keep(&mut self, number: u32, segment: &Segment, shift: u32) {
        if let Some(watched) = self.watched.get_mut(number as usize - 1) {
            watched.keep(segment, shift);
        }
    }
}
