//! The table of totals: who has an entry, who gets one, and who gives way.
//!
//! ```text
//!   an entry of a port gives way ──▶ its prefix ──▶ the rest
//! ```
//! The table is one CPU's, with a set of entries for each hash, and three parts: ports (and addresses, of
//! which backscatter is counted), prefixes, rest. Nothing is written by two at once, see the implementations of [`Table`].

use super::{Tally, Victim, VictimKey, VictimSet, WAYS, mix, scope};
use crate::Addr;

/// An entry: its set times [`WAYS`], plus its place in the set.
type Spot = u32;

/// Sets of the ports, and so the size of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    /// Sets of the ports: a power of two, 8 at least. Prefixes have a quarter of it.
    pub sets: u32,
    /// Where this CPU's table begins.
    pub first: u32,
    /// Key of the hash: an attacker who does not know it can't choose destinations that share a set.
    pub seed: u64,
}

impl Layout {
    /// Sets of one CPU's table.
    #[inline(always)]
    pub const fn total(sets: u32) -> u32 {
        sets + sets / 4 + 1
    }

    #[inline(always)]
    fn set_of(&self, key: &VictimKey) -> u32 {
        let prefix_hash = super::hash_prefix(key.addr, self.seed);
        self.first
            + match key.scope {
                scope::PREFIX => self.sets + (prefix_hash as u32 & (self.sets / 4 - 1)),
                _ => hash(key, prefix_hash) as u32 & (self.sets - 1),
            }
    }

    #[inline(always)]
    fn rest(&self) -> Spot {
        (self.first + Layout::total(self.sets) - 1) * WAYS as u32
    }
}

#[inline(always)]
fn hash(key: &VictimKey, prefix_hash: u64) -> u64 {
    mix(prefix_hash.wrapping_add(key.addr.low).wrapping_add((key.port as u64) << 13))
}

/// What stands for the memory of the table: a map in the kernel, a vector in user space.
pub trait Table {
    /// The size of the table and where it begins.
    fn layout(&self) -> Layout;

    /// A set.
    fn set(&mut self, index: u32) -> Option<&mut VictimSet>;

    /// Two different sets.
    fn pair(&mut self, from: u32, into: u32) -> Option<(&VictimSet, &mut VictimSet)>;

    /// The same number below [`WAYS`]; the verifier has to be told so.
    #[inline(always)]
    fn way(&self, way: usize) -> usize {
        way
    }

    /// The smaller of two numbers below 2^63. Without a branch in the kernel: the verifier follows every
    /// path, and a few comparisons in a row are a thousand paths.
    #[inline(always)]
    fn least(&self, a: u64, b: u64) -> u64 {
        if a < b { a } else { b }
    }

    /// 0 for 0, else 1; as above.
    #[inline(always)]
    fn unless_zero(&self, value: u64) -> u64 {
        (value != 0) as u64
    }
}

/// The time unit of [`Victim::epoch`].
#[inline(always)]
const fn epoch(now_ns: u64) -> u32 {
    (now_ns >> 30) as u32
}

/// Adds to the totals of a responder; it gets an entry if it has none and somebody less active has. If
/// not, its prefix is told, or the rest.
#[inline(always)]
pub fn tally<T: Table>(table: &mut T, key: &VictimKey, tally: Tally, now_ns: u64) {
    let index = table.layout().set_of(key);
    if let Some(victim) = known(table, index, key) {
        return add(victim, tally, now_ns);
    }
    admit(table, key, tally, now_ns);
}

/// The entry of a responder, if it has one. For whoever may be interrupted by the table's owner: no entry
/// is moved.
#[inline(always)]
pub fn find<'a, T: Table>(table: &'a mut T, key: &VictimKey) -> Option<&'a mut Victim> {
    let index = table.layout().set_of(key);
    known(table, index, key)
}

#[inline(always)]
fn known<'a, T: Table>(table: &'a mut T, index: u32, key: &VictimKey) -> Option<&'a mut Victim> {
    let [a, b, c, d] = &mut table.set(index)?.0;
    if a.key.is(key) {
        Some(a)
    } else if b.key.is(key) {
        Some(b)
    } else if c.key.is(key) {
        Some(c)
    } else if d.key.is(key) {
        Some(d)
    } else {
        None
    }
}

/// An entry by its spot.
#[inline(always)]
fn entry<T: Table>(table: &mut T, spot: Spot) -> Option<&mut Victim> {
    let way = table.way(spot as usize & (WAYS - 1));
    table.set(spot / WAYS as u32)?.0.get_mut(way)
}

#[inline(always)]
fn add(victim: &mut Victim, tally: Tally, now_ns: u64) {
    if tally.has_syn() {
        victim.note_activity(epoch(now_ns));
    }
    victim.totals.tally(tally);
}

/// Who has no entry.
#[inline(always)]
fn admit<T: Table>(table: &mut T, key: &VictimKey, tally: Tally, now_ns: u64) {
    let seat = seat(table, key, now_ns);
    let mut spot = seat.spot();
    if seat.is_full() {
        spot = home_of(table, key.addr, now_ns);
    } else if seat.is_leaving() {
        let addr = entry(table, spot).map_or(key.addr, |victim| victim.key.addr);
        let home = home_of(table, addr, now_ns);
        take_over(table, spot, home, key, now_ns);
    }
    if let Some(victim) = entry(table, spot) {
        add(victim, tally, now_ns);
    }
}

/// Where the totals of a responder without an entry go: to its prefix, or to the rest.
#[inline(never)]
fn home_of<T: Table>(table: &mut T, addr: Addr, now_ns: u64) -> Spot {
    let key = VictimKey::prefix(addr);
    let seat = seat(table, &key, now_ns);
    let rest = table.layout().rest();
    if seat.is_full() {
        return rest;
    }
    if seat.is_leaving() {
        take_over(table, seat.spot(), rest, &key, now_ns);
    }
    seat.spot()
}

/// What a set has to offer: an entry, and what stands in it.
#[derive(Clone, Copy)]
struct Seat(u64);

impl Seat {
    /// All entries are those of busy ones.
    const FULL: Seat = Seat(u64::MAX);
    /// The entry's present holder is to give way.
    const LEAVING: u64 = 1 << 32;

    #[inline(always)]
    fn is_full(self) -> bool {
        self.0 == Seat::FULL.0
    }

    #[inline(always)]
    fn is_leaving(self) -> bool {
        !self.is_full() && self.0 & Seat::LEAVING != 0
    }

    #[inline(always)]
    fn spot(self) -> Spot {
        self.0 as u32
    }
}

/// Ranks of the entries of a set, lowest first: the one that is looked for, a free one, or by activity.
const RANK_OWN: u64 = 0;
const RANK_FREE: u64 = 1;
const RANK_IDLE: u64 = 2;

/// Looks for an entry. Of the four in a set the one with the least recent activity gives way, if it has
/// hardly any; if it has some, it loses a little of it instead (Misra and Gries, 1982), so that a busy
/// newcomer gets in after a while, and single SYNs, however many, share one entry of the set.
#[inline(always)]
fn seat<T: Table>(table: &mut T, key: &VictimKey, now_ns: u64) -> Seat {
    let layout = table.layout();
    let index = layout.set_of(key);
    let epoch = epoch(now_ns);
    let mut lowest = u64::MAX >> 1;
    let mut way = 0;
    while way < WAYS as u32 {
        let rank = rank(table, index * WAYS as u32 + way, key, epoch);
        lowest = table.least(lowest, rank << 2 | way as u64);
        way += 1;
    }
    let (rank, spot) = (lowest >> 2, index * WAYS as u32 + (lowest as u32 & (WAYS as u32 - 1)));
    if rank == RANK_OWN {
        return Seat(spot as u64);
    }
    if rank == RANK_FREE {
        occupy(table, spot, key, now_ns);
        return Seat(spot as u64);
    }
    if rank <= RANK_IDLE + 1 {
        return Seat(spot as u64 | Seat::LEAVING);
    }
    if let Some(victim) = entry(table, spot) {
        victim.recent = (rank - RANK_IDLE - 1) as u32;
        victim.epoch = epoch;
    }
    Seat::FULL
}

#[inline(always)]
fn rank<T: Table>(table: &mut T, spot: Spot, key: &VictimKey, epoch: u32) -> u64 {
    let Some(set) = table.set(spot / WAYS as u32) else { return u64::MAX >> 3 };
    let Some(victim) = set.0.get(spot as usize & (WAYS - 1)) else { return u64::MAX >> 3 };
    let (known, recent) = (victim.key, victim.recent as u64);
    let passed = epoch.wrapping_sub(victim.epoch) as u64;
    let differs = known.addr.low ^ key.addr.low
        | known.addr.high ^ key.addr.high
        | ((known.port ^ key.port) as u64) << 32
        | (known.scope ^ key.scope) as u64;
    let other = table.unless_zero(differs);
    let used = table.unless_zero(known.scope as u64);
    let activity = recent >> table.least(passed, 32);
    // RANK_OWN if it is the one; else RANK_FREE, or RANK_IDLE plus the activity.
    other * (RANK_FREE + used * (RANK_IDLE - RANK_FREE + activity))
}

/// An entry goes to `key`, with nothing counted.
#[inline(always)]
fn occupy<T: Table>(table: &mut T, spot: Spot, key: &VictimKey, now_ns: u64) {
    let Some(victim) = entry(table, spot) else { return };
    let mut index = 0;
    while index < super::Totals::LEN {
        victim.totals.0[index] = 0;
        index += 1;
    }
    victim.bucket_ns = 0;
    victim.bucket_tokens = 0;
    victim.born_ns = now_ns;
    victim.epoch = epoch(now_ns);
    victim.recent = 0;
    victim.key = *key;
}

/// The totals at `spot` go to `home`, and the entry to `key`.
#[inline(always)]
fn take_over<T: Table>(table: &mut T, spot: Spot, home: Spot, key: &VictimKey, now_ns: u64) {
    let (way, home_way) = (table.way(spot as usize & (WAYS - 1)), table.way(home as usize & (WAYS - 1)));
    if let Some((from, into)) = table.pair(spot / WAYS as u32, home / WAYS as u32)
        && let (Some(from), Some(into)) = (from.0.get(way), into.0.get_mut(home_way))
    {
        into.totals.add(&from.totals);
        *into.totals.of(super::Total::Folded) += 1;
    }
    occupy(table, spot, key, now_ns);
}
