//! Totals of each responder: one table for each CPU, written by packets alone, and what user space watches.
//!
//! Packets are handled with softirqs off, so on one CPU they never interrupt each other. A sweep runs in a
//! process and may be interrupted by a packet anywhere: it adds to totals by one atomic instruction, and
//! moves nothing. If its entry goes to another responder in between, that one has a handshake aborted
//! too many; sweeps have nothing else to tell.

use aya_ebpf::helpers::bpf_get_smp_processor_id;
use hs_common::Segment;
use hs_common::victim::table::{self, Layout, Table};
use hs_common::victim::watch::{
    self, INDEX, SAMPLES, Sample, WATCHES, WatchHead, WatchIndex, Watched, Watches,
};
use hs_common::victim::{
    Budget, SKETCH_REGISTERS, Tally, VictimKey, VictimSet, WAYS, sketch_rank_above, sketch_register,
};

use crate::atomic;
use crate::maps::{SEED, VICTIM_SETS, VICTIMS, WATCH_HEADS, WATCH_INDEX, WATCHED};
use crate::verifier::{least, masked, unless_zero};

/// This CPU's table.
struct OfThisCpu(Layout);

impl OfThisCpu {
    #[inline(always)]
    fn new() -> OfThisCpu {
        let sets = VICTIM_SETS.load();
        // SAFETY: a helper without arguments.
        let cpu = unsafe { bpf_get_smp_processor_id() };
        OfThisCpu(Layout { sets, first: cpu.wrapping_mul(Layout::total(sets)), seed: SEED.load() })
    }
}

impl Table for OfThisCpu {
    #[inline(always)]
    fn layout(&self) -> Layout {
        self.0
    }

    #[inline(always)]
    fn set(&mut self, index: u32) -> Option<&mut VictimSet> {
        // SAFETY: a live map value, and this CPU's; see above.
        VICTIMS.get_ptr_mut(index).map(|set| unsafe { &mut *set })
    }

    #[inline(always)]
    fn pair(&mut self, from: u32, into: u32) -> Option<(&VictimSet, &mut VictimSet)> {
        let (from, into) = (VICTIMS.get_ptr(from)?, VICTIMS.get_ptr_mut(into)?);
        // SAFETY: as above; the sets are those of different parts of the table.
        unsafe { Some((&*from, &mut *into)) }
    }

    #[inline(always)]
    fn way(&self, way: usize) -> usize {
        masked::<{ WAYS - 1 }>(way)
    }

    #[inline(always)]
    fn least(&self, a: u64, b: u64) -> u64 {
        least(a, b)
    }

    #[inline(always)]
    fn unless_zero(&self, value: u64) -> u64 {
        unless_zero(value)
    }
}

/// A SYN that began a handshake, for whoever watches its destination.
#[inline(always)]
pub fn watch_syn(segment: &Segment, now_ns: u64) {
    watch::observe(&mut Maps, segment, SEED.load(), now_ns);
}

/// What a packet tells of a responder.
#[inline(always)]
pub fn tally(responder: &VictimKey, tally: Tally, now_ns: u64) {
    table::tally(&mut OfThisCpu::new(), responder, tally, now_ns);
}

/// What a sweep tells of a responder.
#[inline(never)]
pub fn tally_from_sweep(responder: &VictimKey, tally: Tally) {
    if let Some(victim) = table::find(&mut OfThisCpu::new(), responder) {
        let mut place = 0;
        while place < Tally::PLACES {
            if let Some(total) = victim.totals.0.get_mut(tally.index(place)) {
                // SAFETY: a live map value, aligned to 8 bytes.
                unsafe { atomic::add(total, 1) };
            }
            place += 1;
        }
    }
}

/// Whether one more event about this responder is within its budget on this CPU. Unlocked: a sweep and a
/// packet may spend the same token, so the budget is exceeded by at most one event for each.
#[inline(never)]
pub fn may_report(responder: &VictimKey, budget: &Budget, now_ns: u64) -> bool {
    match table::find(&mut OfThisCpu::new(), responder) {
        Some(victim) => budget.take(&mut victim.bucket_ns, &mut victim.bucket_tokens, now_ns),
        None => true,
    }
}

/// The watches, shared by all CPUs. User space writes index and heads, value by value, while packets read
/// them: a SYN may miss a watch that is just being set up, or see one that is just over.
struct Maps;

impl Watches for Maps {
    #[inline(always)]
    fn first(&self, place: usize) -> u32 {
        let Some(index) = WATCH_INDEX.get_ptr(0) else { return 0 };
        // SAFETY: a live map value; the mask keeps the place within it.
        u32::from(unsafe { *index.cast::<u8>().add(masked::<{ INDEX - 1 }>(place)) })
    }

    #[inline(always)]
    fn head(&self, number: u32) -> Option<&WatchHead> {
        // SAFETY: a live map value.
        WATCH_HEADS.get_ptr(slot(number)).map(|head| unsafe { &*head })
    }

    /// Unlocked: of two CPUs that raise the same register at once the lower rank may win, and stays until
    /// the register is proposed a higher one again. Registers are read much and hardly ever written, so
    /// CPUs do not take the memory from each other.
    #[inline(always)]
    fn raise(&mut self, number: u32, hash: u64) {
        let Some(watched) = WATCHED.get_ptr_mut(slot(number)) else { return };
        let register = masked::<{ SKETCH_REGISTERS - 1 }>(sketch_register(hash));
        // SAFETY: a live map value; the mask keeps the register within the sketch.
        unsafe {
            let known = (&raw mut (*watched).registers).cast::<u8>().add(register);
            let rank = sketch_rank_above(hash, *known);
            if rank > 0 {
                *known = rank;
            }
        }
    }

    /// User space may read a sample that is just being written: one of some hundred is then half another.
    #[inline(always)]
    fn keep(&mut self, number: u32, segment: &Segment, shift: u32) {
        let Some(watched) = WATCHED.get_ptr_mut(slot(number)) else { return };
        // SAFETY: a live map value, aligned to 8 bytes; the mask keeps the sample within the ring.
        unsafe {
            let place = atomic::fetch_add(&raw mut (*watched).taken, 1) as usize;
            let samples = (&raw mut (*watched).samples).cast::<Sample>();
            *samples.add(masked::<{ SAMPLES - 1 }>(place)) = Sample::of(segment, shift);
        }
    }
}

#[inline(always)]
fn slot(number: u32) -> u32 {
    number.wrapping_sub(1)
}

const _: () = assert!(WATCHES <= u8::MAX as usize && INDEX.is_power_of_two() && SAMPLES.is_power_of_two());
const _: () = assert!(size_of::<WatchIndex>() == INDEX && align_of::<Watched>() == 8);
