//! The maps and the read-only settings. Sizes given here are defaults; the loader sets the real ones.

use aya_ebpf::Global;
use aya_ebpf::btf_maps::{Array, ArrayOfMaps, HashMap, PerCpuArray, ProgramArray, RingBuf};
use aya_ebpf::macros::btf_map;
use hs_common::flow::FlowKey;
use hs_common::shared::{Cpu, RING_EVENTS, Replay, Role, SweepRun, Watch};
use hs_common::syn_cache::{Brief, HashKey, Line, Rest};
use hs_common::track::{Scratch, Versioned};
use hs_common::victim::Budget;
use hs_common::victim::watch::{WATCHES, WatchHead, WatchIndex, Watched};
use hs_common::{Config, Event, VictimSet};

use crate::verifier::opaque;

/// Memory of an array begins at a page, and so a [`Line`] at a line of the CPU's cache.
const PAGE_ALIGNED: usize = aya_ebpf::bindings::BPF_F_MMAPABLE as usize;

/// The words of the SYN cache: one slot for each flow that is remembered.
#[btf_map]
pub static LINES: Array<Line, 16_384, PAGE_ALIGNED> = Array::new();

/// What lies beside each word.
#[btf_map]
pub static FIRST_SYNS: Array<Brief, 131_072, PAGE_ALIGNED> = Array::new();

/// The rest of it, where there is any.
#[btf_map]
pub static FIRST_SYN_RESTS: Array<Rest, 131_072, PAGE_ALIGNED> = Array::new();

/// The flow table: every handshake that was answered, until it completes as most do. Never full: each flow in it has a
/// slot in [`LINES`], and leaves with it at the latest.
#[btf_map]
pub static FLOWS: HashMap<FlowKey, Versioned, 131_072> = HashMap::new();

/// When a flow of a line was last forgotten before its time, in nanoseconds; 0 if never.
#[btf_map]
pub static EVICTIONS: Array<u64, 16_384> = Array::new();

/// The state of the watch.
#[btf_map]
pub static WATCH: Array<Watch, 1> = Array::new();

/// The sweep, and how far it is.
#[btf_map]
pub static SWEEP: Array<SweepRun, 1> = Array::new();

/// Events on their way to user space: a ring buffer for each CPU, for all of one would wait for its lock. User space makes them.
#[btf_map]
pub static EVENTS: ArrayOfMaps<RingBuf<Event, 4096>, 1> = ArrayOfMaps::new();

/// Totals and working memory of each CPU: one for packets, one for sweeps (see [`Role`]).
#[btf_map]
pub static CPUS: PerCpuArray<Cpu<Scratch>, { Role::COUNT }> = PerCpuArray::new();

/// Totals of each responder, the possible victim: a table for each CPU, of `Layout::total` sets.
#[btf_map]
pub static VICTIMS: Array<VictimSet, 1281> = Array::new();

/// Where the watch over a destination is found.
#[btf_map]
pub static WATCH_INDEX: Array<WatchIndex, 1> = Array::new();

/// What is watched; written by user space.
#[btf_map]
pub static WATCH_HEADS: Array<WatchHead, WATCHES> = Array::new();

/// What was seen of it.
#[btf_map]
pub static WATCHED: Array<Watched, WATCHES> = Array::new();

/// What user space tells about the packet that it replays.
#[btf_map]
pub static REPLAY: Array<Replay, 1> = Array::new();

/// `hs_follow_xdp`, set by user space before anything is attached.
#[btf_map]
pub static FOLLOW_XDP: ProgramArray<1> = ProgramArray::new();

/// `hs_follow_tc`: the kernel lets a table hold programs of one kind only.
#[btf_map]
pub static FOLLOW_TC: ProgramArray<1> = ProgramArray::new();

/// The settings.
#[unsafe(no_mangle)]
static CONFIG: Config = Config::DEFAULT;

/// What a CPU may report of what is thinned under a flood; the loader knows how many CPUs there are.
#[unsafe(no_mangle)]
static TOTAL_BUDGET: Budget = Budget::total(RING_EVENTS, 1);

/// 1 if time comes from [`REPLAY`] and not from the kernel's clock.
#[unsafe(no_mangle)]
pub static REPLAYING: Global<u8> = Global::new(0);

/// Key of the hashes of destinations and sources: random for each run.
#[unsafe(no_mangle)]
pub static SEED: Global<u64> = Global::new(0);

/// Key of the hash of flows: random for each run.
#[unsafe(no_mangle)]
static HASH_KEY: HashKey = HashKey::FIXED;

/// Key of the hash of flows, for the same reason opaque to the compiler as [`config`].
#[inline(always)]
pub fn hash_key() -> &'static HashKey {
    opaque(&HASH_KEY)
}

/// Sets of the ports in each CPU's table of responders: a power of two.
#[unsafe(no_mangle)]
pub static VICTIM_SETS: Global<u32> = Global::new(1024);

/// What a CPU may report, for the same reason opaque to the compiler as [`config`].
#[inline(always)]
pub fn total_budget() -> &'static Budget {
    opaque(&TOTAL_BUDGET)
}

/// The settings. The compiler must not take the defaults above for constants: the loader overwrites
/// them, and the verifier then knows the real ones.
#[inline(always)]
pub fn config() -> &'static Config {
    opaque(&CONFIG)
}

/// What user space told about the packet of this run.
#[inline(always)]
pub fn replay() -> Option<&'static Replay> {
    // SAFETY: user space writes between runs only.
    REPLAY.get_ptr(0).map(|replay| unsafe { &*replay })
}
