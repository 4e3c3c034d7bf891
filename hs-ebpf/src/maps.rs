//! The maps and the read-only settings. Sizes given here are defaults; the loader sets the real ones.

use aya_ebpf::Global;
use aya_ebpf::btf_maps::{Array, HashMap, PerCpuArray, RingBuf};
use aya_ebpf::macros::btf_map;
use hs_common::flow::FlowKey;
use hs_common::shared::{Cpu, Queue, Replay, Role};
use hs_common::track::{Scratch, Versioned};
use hs_common::victim::watch::{WATCHES, WatchHead, WatchIndex, Watched};
use hs_common::{Config, Event, VictimSet};

use crate::store::AgedSlot;

/// The flow table: every handshake that is pending or recent. Never full: see [`AGES`].
#[btf_map]
pub static FLOWS: HashMap<FlowKey, Versioned, 131_072> = HashMap::new();

/// The queue of ages, a ring with a place for each flow that the table can hold: whoever begins
/// takes the next place and, when the ring is full, the oldest flow out of the table.
#[btf_map]
pub static AGES: Array<AgedSlot, 131_072> = Array::new();

/// The ends of the queue of ages.
#[btf_map]
pub static QUEUE: Array<Queue, 1> = Array::new();

/// Events on their way to user space.
#[btf_map]
pub static EVENTS: RingBuf<Event, 4_194_304> = RingBuf::new();

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

/// What user space tells about the packet that it replays, and about the sweep.
#[btf_map]
pub static REPLAY: Array<Replay, 1> = Array::new();

/// The settings.
#[unsafe(no_mangle)]
static CONFIG: Config = Config::DEFAULT;

/// 1 if time comes from [`REPLAY`] and not from the kernel's clock.
#[unsafe(no_mangle)]
pub static REPLAYING: Global<u8> = Global::new(0);

/// Key of the hashes of destinations and sources: random for each run.
#[unsafe(no_mangle)]
pub static SEED: Global<u64> = Global::new(0);

/// Sets of the ports in each CPU's table of responders: a power of two.
#[unsafe(no_mangle)]
pub static VICTIM_SETS: Global<u32> = Global::new(1024);

/// The settings. The compiler must not take the defaults above for constants: the loader overwrites
/// them, and the verifier then knows the real ones.
#[inline(always)]
pub fn config() -> &'static Config {
    core::hint::black_box(&CONFIG)
}

/// What user space told about the packet of this run.
#[inline(always)]
pub fn replay() -> Option<&'static Replay> {
    // SAFETY: user space writes between runs only.
    REPLAY.get_ptr(0).map(|replay| unsafe { &*replay })
}
