//! What is counted for each responder, the possible victim of a SYN flood.
//!
//! A flood can name any number of destinations, memory holds a few thousand. So totals are kept in sets
//! of four ([`table`]): who finds its set full takes the place of the one with the least recent activity,
//! whose totals go to its prefix (/24 or /64). A busy victim never gives way to a single SYN, and no SYN
//! is missing from the sum of a prefix; prefixes give way in the same manner, to the rest.
//!
//! Each CPU has a table of its own, so that no two write the same line of memory; user space adds them up.
//! Destinations that look suspicious are watched more closely ([`watch`]).

mod budget;
mod sketch;
pub mod table;
mod totals;
pub mod watch;

pub use budget::{Budget, VICTIM_BUDGET};
pub use sketch::{SKETCH_REGISTERS, hash_addr, sketch_rank_above, sketch_register};
pub use totals::{Tally, Total, Totals};

use crate::Addr;

/// Entries of a set.
pub const WAYS: usize = 4;

/// What an entry stands for.
pub mod scope {
    /// Nothing: the entry is free, or it is the one for the rest, which is nobody's in particular.
    pub const FREE: u32 = 0;
    /// One port of an address.
    pub const PORT: u32 = 1;
    /// All ports of an address. Only backscatter is counted under it; other totals are summed up from those
    /// of the ports.
    pub const ADDRESS: u32 = 2;
    /// What has no entry of its own in a prefix (/24 for IPv4, /64 for IPv6).
    pub const PREFIX: u32 = 3;
}

/// A responder, or what several have in common.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(C)]
pub struct VictimKey {
    /// The responder's address, or the first of its prefix.
    pub addr: Addr,
    /// The responder's port (host order); 0 if it stands for more than one.
    pub port: u32,
    /// See [`scope`].
    pub scope: u32,
}

impl VictimKey {
    /// Nobody.
    pub const FREE: VictimKey = VictimKey { addr: Addr { high: 0, low: 0 }, port: 0, scope: scope::FREE };

    /// One port of an address.
    #[inline(always)]
    pub const fn port(addr: Addr, port: u16) -> VictimKey {
        VictimKey { addr, port: port as u32, scope: scope::PORT }
    }

    /// All ports of an address.
    #[inline(always)]
    pub const fn address(addr: Addr) -> VictimKey {
        VictimKey { addr, port: 0, scope: scope::ADDRESS }
    }

    /// The prefix that an address lies in.
    #[inline(always)]
    pub const fn prefix(addr: Addr) -> VictimKey {
        VictimKey { addr: addr.prefix(), port: 0, scope: scope::PREFIX }
    }

    /// Whether the responder is one of those that this stands for.
    #[inline(always)]
    pub fn covers(&self, addr: Addr, port: u16) -> bool {
        self.covers_of(addr, addr.prefix(), port)
    }

    /// The same, with the prefix that the address lies in.
    #[inline(always)]
    fn covers_of(&self, addr: Addr, prefix: Addr, port: u16) -> bool {
        match self.scope {
            scope::PORT => self.addr == addr && self.port == port as u32,
            scope::ADDRESS => self.addr == addr,
            scope::PREFIX => self.addr == prefix,
            _ => false,
        }
    }

    #[inline(always)]
    fn is(&self, other: &VictimKey) -> bool {
        self.addr.low == other.addr.low
            && self.addr.high == other.addr.high
            && self.port == other.port
            && self.scope == other.scope
    }
}

/// Totals of one responder, or of what several have in common, on one CPU.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct Victim {
    /// Whose they are.
    pub key: VictimKey,
    /// SYNs of late: halved with each second that passed since `epoch`.
    pub recent: u32,
    /// When `recent` was last halved, in units of 2^30 ns.
    pub epoch: u32,
    /// When the entry was taken, in nanoseconds: tells it from an older one under the same key.
    pub born_ns: u64,
    /// What was counted since.
    pub totals: Totals,
    /// Token bucket for single events: when it was last filled, in nanoseconds.
    pub bucket_ns: u64,
    /// Token bucket for single events: tokens left.
    pub bucket_tokens: u64,
}

/// Entries that share a hash: two lines of memory each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct VictimSet(pub [Victim; WAYS]);

const _: () = assert!(size_of::<VictimKey>() == 24 && size_of::<Victim>() == 128);

impl Victim {
    /// A free entry.
    pub const FREE: Victim = Victim {
        key: VictimKey::FREE,
        recent: 0,
        epoch: 0,
        born_ns: 0,
        totals: Totals::ZERO,
        bucket_ns: 0,
        bucket_tokens: 0,
    };

    /// SYNs of late, as of `epoch`.
    #[inline(always)]
    fn activity(&self, epoch: u32) -> u32 {
        let passed = epoch.wrapping_sub(self.epoch);
        if passed > 31 { 0 } else { self.recent >> passed }
    }

    #[inline(always)]
    fn note_activity(&mut self, epoch: u32) {
        self.recent = self.activity(epoch).saturating_add(1);
        self.epoch = epoch;
    }
}

impl VictimSet {
    /// Nothing but free entries.
    pub const FREE: VictimSet = VictimSet([Victim::FREE; WAYS]);
}

/// A bijection that spreads every bit: the finaliser of MurmurHash3 (Appleby, 2011).
#[inline(always)]
const fn mix(mut value: u64) -> u64 {
    value ^= value >> 33;
    value = value.wrapping_mul(0xff51_afd7_ed55_8ccd);
    value ^= value >> 33;
    value = value.wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    value ^ value >> 33
}

/// A keyed hash of the prefix of an address: finds the watch, and leads on to the table.
#[inline(always)]
pub const fn hash_prefix(addr: Addr, seed: u64) -> u64 {
    hash_of_prefix(addr.prefix(), seed)
}

#[inline(always)]
const fn hash_of_prefix(prefix: Addr, seed: u64) -> u64 {
    mix(prefix.low ^ prefix.high ^ seed)
}
