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

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use super::*;
    use crate::victim::{Total, Totals, scope};
    use crate::{Addr, Outcome};

    const SECOND: u64 = 1_000_000_000;

    fn ip(number: u32) -> Addr {
        Ipv4Addr::from(number).into()
    }

    fn syn(victims: &mut Victims, addr: Addr, port: u16, now_ns: u64) {
        victims.tally(&VictimKey::port(addr, port), Tally::syn(true), now_ns);
    }

    fn sum(victims: &Victims, of: impl Fn(&VictimKey) -> bool) -> Totals {
        let mut sum = Totals::ZERO;
        let entries = victims.sets().iter().flat_map(|set| set.0);
        entries.filter(|victim| of(&victim.key)).for_each(|victim| sum.add(&victim.totals));
        sum
    }

    /// SplitMix64.
    fn mixed(index: u64) -> u64 {
        let z = index.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb) ^ (z >> 31)
    }

    #[test]
    fn a_spray_over_the_whole_address_space_pushes_no_busy_victim_out() {
        let mut victims = Victims::default();
        let busy: Vec<Addr> = (0..20).map(|last| ip(0xc612_0000 + last * 256)).collect();
        for index in 0..500_000_u64 {
            let now_ns = SECOND + index * SECOND / 100_000;
            let number = mixed(index);
            syn(&mut victims, ip(number as u32), (number >> 32) as u16, now_ns);
            // Each of the busy ones has fifty SYNs a second, the spray a hundred thousand.
            if index.is_multiple_of(100) {
                syn(&mut victims, busy[(index / 100) as usize % 20], 443, now_ns);
            }
        }
        for addr in &busy {
            let own = sum(&victims, |key| *key == VictimKey::port(*addr, 443));
            // The first ones are like any other.
            assert!(own.get(Total::Syn) >= 240, "{addr:?}: {own:?}");
        }
        assert_eq!(sum(&victims, |_| true).get(Total::Syn), 505_000, "no SYN is lost");
    }

    #[test]
    fn all_ports_of_a_prefix_together_are_its_sum() {
        let mut victims = Victims::default();
        let prefix = VictimKey::prefix(ip(0xc612_0700));
        for index in 0..200_000_u64 {
            let number = mixed(index);
            let now_ns = SECOND + index * SECOND / 50_000;
            let (addr, port) = (ip(0xc612_0700 + (number as u32 & 255)), (number >> 32) as u16);
            syn(&mut victims, addr, port, now_ns);
            if index.is_multiple_of(4) {
                victims.tally(&VictimKey::port(addr, port), Tally::ended(Outcome::Completed), now_ns);
            }
        }
        let within = sum(&victims, |key| key.addr.prefix() == prefix.addr);
        assert_eq!((within.get(Total::Begun), within.get(Total::Completed)), (200_000, 50_000));
        assert!(sum(&victims, |key| *key == prefix).get(Total::Folded) > 0);
    }

    #[test]
    fn a_newcomer_that_is_busy_gets_in_among_busy_ones() {
        let mut victims = Victims::default();
        // More busy ones than there is room for; they fall silent, and others come.
        for round in 0..2_u64 {
            for index in 0..300_000_u64 {
                let now_ns = SECOND + (round * 300_000 + index) * SECOND / 100_000;
                let number = (round * 8_000 + mixed(index) % 8_000) as u32;
                syn(&mut victims, ip(0x0a00_0000 + number * 256), 80, now_ns);
            }
        }
        let first = IpAddr::from(ip(0x0a00_0000 + 8_000 * 256));
        let newer = |key: &VictimKey| key.scope == scope::PORT && IpAddr::from(key.addr) >= first;
        let seated = victims.sets().iter().flat_map(|set| set.0).filter(|victim| newer(&victim.key)).count();
        assert!(seated > 2_000, "{seated} of 4,096 entries");
    }

    #[test]
    fn a_watch_samples_evenly_and_counts_sources() {
        use crate::victim::watch::{WATCHES, WatchHead, WatchIndex};
        let mut victims = Victims::default();
        let key = VictimKey::address(ip(0xc612_0001));
        let (mut index, mut heads) = (WatchIndex::EMPTY, [WatchHead::default(); WATCHES]);
        heads[2] = WatchHead { key, shift: 3, next: 0 };
        index.0[WatchIndex::place(crate::victim::hash_prefix(key.addr, SEED))] = 3;
        victims.clear(3);
        victims.set_watches(&index, &heads);
        let segment = |number: u64| Segment {
            src: ip(number as u32),
            dst: key.addr,
            dst_port: 80,
            seq: mixed(number) as u32,
            ttl: 52,
            ..Segment::EMPTY
        };
        for number in 0..40_000 {
            victims.watch_syn(&segment(number), number);
            victims.watch_syn(&Segment { dst: ip(0xc612_0002), ..segment(number) }, number);
        }
        let watched = victims.watched(3).expect("it was begun");
        assert!((4_500..5_500).contains(&watched.taken), "{}", watched.taken);
        assert!(watched.samples.iter().all(|sample| (sample.ttl, sample.shift) == (52, 3)));
        assert!(watched.registers.iter().filter(|rank| **rank > 0).count() > 14_000);
    }
}
