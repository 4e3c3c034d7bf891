//! A closer look at what user space finds suspicious: distinct sources, and samples of the SYNs.
//!
//! A watch covers one port, one address or one prefix. User space sets it up; whoever counts a SYN finds
//! it by the hash of the destination's prefix, which is one load where nothing is watched.

use super::{
    SKETCH_REGISTERS, VictimKey, hash_addr, hash_of_prefix, mix, sketch_rank_above, sketch_register,
};
use crate::{Addr, Segment};

/// Watches at once; their numbers begin with 1.
pub const WATCHES: usize = 64;
/// Places of the index by the hash of a prefix.
pub const INDEX: usize = 1024;
/// Samples kept for user space to read.
pub const SAMPLES: usize = 512;
/// Watches that share a place of the index, at the most.
pub const CHAIN: usize = 4;

/// Where the watches are found: by the hash of a prefix, the number of the first; 0 for none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct WatchIndex(pub [u8; INDEX]);

/// What is watched.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct WatchHead {
    /// Whose SYNs.
    pub key: VictimKey,
    /// One of 2^shift SYNs that begin a handshake is sampled.
    pub shift: u32,
    /// The next watch at this place of the index; 0 for none.
    pub next: u32,
}

/// One SYN.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Sample {
    /// Who sent it.
    pub source: Addr,
    /// To whom.
    pub dest: Addr,
    /// Its sequence number.
    pub seq: u32,
    /// The window that it advertises.
    pub window: u16,
    /// Port of the source.
    pub src_port: u16,
    /// Port of the destination.
    pub dst_port: u16,
    /// TTL or hop limit.
    pub ttl: u8,
    /// It stands for 2^shift SYNs.
    pub shift: u8,
    /// Zero.
    pub padding: u32,
}

/// What was seen since the watch began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct Watched {
    /// Samples taken; the last [`SAMPLES`] of them are there.
    pub taken: u64,
    /// Ring of samples.
    pub samples: [Sample; SAMPLES],
    /// The sketch of distinct sources of SYNs that began a handshake.
    pub registers: [u8; SKETCH_REGISTERS],
}

const _: () = assert!(size_of::<Sample>() == 48 && size_of::<WatchHead>() == 32);
const _: () = assert!(size_of::<Watched>() == 8 + SAMPLES * 48 + SKETCH_REGISTERS);

impl WatchIndex {
    /// Nothing is watched.
    pub const EMPTY: WatchIndex = WatchIndex([0; INDEX]);

    /// The place of a prefix, by its hash.
    #[inline(always)]
    pub const fn place(hash: u64) -> usize {
        // The lower bits find the set of the prefix; these are others.
        (hash >> 40) as usize & (INDEX - 1)
    }
}

impl Watched {
    /// Nothing was seen yet.
    pub const EMPTY: Watched = Watched {
        taken: 0,
        samples: [Sample {
            source: Addr { high: 0, low: 0 },
            dest: Addr { high: 0, low: 0 },
            seq: 0,
            window: 0,
            src_port: 0,
            dst_port: 0,
            ttl: 0,
            shift: 0,
            padding: 0,
        }; SAMPLES],
        registers: [0; SKETCH_REGISTERS],
    };
}

/// What stands for the memory of the watches: maps in the kernel, vectors in user space.
pub trait Watches {
    /// The number of the first watch at a place of the index, 0 for none.
    fn first(&self, place: usize) -> u32;

    /// What a watch is about.
    fn head(&self, number: u32) -> Option<&WatchHead>;

    /// A register of a watch's sketch becomes the larger of itself and what the hash proposes.
    fn raise(&mut self, number: u32, hash: u64);

    /// Keeps a sample.
    fn keep(&mut self, number: u32, segment: &Segment, shift: u32);
}

/// A SYN that began a handshake.
#[inline(always)]
pub fn observe<W: Watches>(watches: &mut W, segment: &Segment, seed: u64, now_ns: u64) {
    let prefix = segment.dst.prefix();
    let mut number = watches.first(WatchIndex::place(hash_of_prefix(prefix, seed)));
    if number == 0 {
        return;
    }
    let source = hash_addr(segment.src, seed);
    // Each SYN is drawn for itself: by its source alone, one would be sampled always or never.
    let lot = mix(source ^ now_ns ^ (segment.seq as u64) << 16 ^ segment.src_port as u64);
    let mut link = 0;
    while link < CHAIN && number != 0 {
        let Some(head) = watches.head(number) else { return };
        let covers = head.key.covers_of(segment.dst, prefix, segment.dst_port);
        let (shift, next) = (head.shift & 31, head.next);
        if covers {
            watches.raise(number, source);
            if lot & ((1 << shift) - 1) == 0 {
                watches.keep(number, segment, shift);
            }
        }
        number = next;
        link += 1;
    }
}

impl Watched {
    /// See [`Watches::raise`]; for one writer at a time.
    pub fn raise(&mut self, hash: u64) {
        if let Some(register) = self.registers.get_mut(sketch_register(hash)) {
            *register = (*register).max(sketch_rank_above(hash, *register));
        }
    }

    /// See [`Watches::keep`]; for one writer at a time.
    pub fn keep(&mut self, segment: &Segment, shift: u32) {
        if let Some(place) = self.samples.get_mut(self.taken as usize % SAMPLES) {
            *place = Sample::of(segment, shift);
        }
        self.taken += 1;
    }
}

impl Sample {
    /// The sample of a SYN.
    #[inline(always)]
    pub const fn of(segment: &Segment, shift: u32) -> Sample {
        Sample {
            source: segment.src,
            dest: segment.dst,
            seq: segment.seq,
            window: segment.window,
            src_port: segment.src_port,
            dst_port: segment.dst_port,
            ttl: segment.ttl,
            shift: shift as u8,
            padding: 0,
        }
    }
}
