//! The flow store: the SYN cache and the flow table.
//!
//! Entries are written without a lock, by optimistic concurrency: a version beside the state is odd
//! while somebody writes. Who changes a flow copies it, steps on the copy, and takes the version from
//! even to odd by compare-and-exchange; if that fails, another CPU changed the flow in between, and
//! the segment is tried again on the new state. So of two segments that could complete a handshake at
//! once on two CPUs, one does, and totals stay exact. Segments that change nothing write nothing.
//!
//! The table may hand an entry's memory to another flow between lookup and copy: as soon as a handshake completes, the
//! next that is answered takes it. So a version tells whose entry it is, by the slot, and when it was added, by the clock:
//! who looked up another flow sees that, and no stale write ever succeeds.

use aya_ebpf::bindings::BPF_ANY;
use hs_common::flow::{FlowKey, phase};
use hs_common::syn_cache::{FirstSyn, Line, Rest, State, WAYS, Word};
use hs_common::track::{Scratch, Versioned, sweep};

use crate::atomic;
use crate::host::Kernel;
use crate::maps::{EVICTIONS, FIRST_SYN_RESTS, FIRST_SYNS, FLOWS, LINES, SWEEP, WATCH};
use crate::verifier::masked;

#[inline(always)]
pub fn line(number: u32) -> Option<*mut Line> {
    LINES.get_ptr_mut(number)
}

#[inline(always)]
fn word_of(line: *mut Line, way: u32) -> *mut u64 {
    let way = masked::<{ WAYS - 1 }>(way as usize);
    // SAFETY: the mask keeps the place within the line.
    unsafe { (&raw mut (*line).0).cast::<u64>().add(way) }
}

#[inline(always)]
pub fn word(line: *mut Line, way: u32) -> Word {
    // SAFETY: a live map value for the run of the program; an aligned word is never torn.
    Word(unsafe { word_of(line, way).read_volatile() })
}

/// Every search is a loop that the compiler unrolls: its mask costs nothing.
#[inline(always)]
fn half_of(line: *mut Line, way: u32, upper: usize) -> u32 {
    let way = way as usize & (WAYS - 1);
    // SAFETY: the mask keeps the place within the line. The target is little-endian.
    unsafe { (&raw mut (*line).0).cast::<u32>().add(2 * way + upper).read_volatile() }
}

#[inline(always)]
pub fn tag(line: *mut Line, way: u32) -> u32 {
    half_of(line, way, 1)
}

#[inline(always)]
pub fn low_half(line: *mut Line, way: u32) -> u32 {
    half_of(line, way, 0)
}

#[inline(always)]
pub fn exchange(line: *mut Line, way: u32, old: Word, new: Word) -> bool {
    // SAFETY: a live map value for the run of the program, aligned to 8 bytes.
    unsafe { atomic::compare_exchange(word_of(line, way), old.0, new.0) }
}

/// A word that is busy has one writer. What it wrote beside the word is there before the word is.
#[inline(always)]
pub fn put(line: *mut Line, way: u32, new: Word) {
    // SAFETY: as above.
    unsafe { atomic::release(word_of(line, way), new.0) };
}

#[inline(always)]
pub fn read_first_syn(slot: u32, into: &mut FirstSyn) -> bool {
    let Some(brief) = FIRST_SYNS.get_ptr_mut(slot) else { return false };
    // SAFETY: a live map value. Who reads it either keeps the word busy or checks what it reads.
    unsafe { copy(brief.cast_const(), &mut into.brief) };
    into.rest = Rest::ORDINARY;
    if into.brief.has_rest()
        && let Some(rest) = FIRST_SYN_RESTS.get_ptr(slot)
    {
        // SAFETY: as above.
        unsafe { copy(rest, &mut into.rest) };
    }
    true
}

#[inline(always)]
pub fn write_first_syn(slot: u32, first: &FirstSyn) {
    let Some(brief) = FIRST_SYNS.get_ptr_mut(slot) else { return };
    // SAFETY: a live map value, and the caller keeps its word busy.
    unsafe { copy(&first.brief, brief) };
    if first.brief.has_rest()
        && let Some(rest) = FIRST_SYN_RESTS.get_ptr_mut(slot)
    {
        // SAFETY: as above.
        unsafe { copy(&first.rest, rest) };
    }
}

#[inline(always)]
pub fn find(key: &FlowKey) -> Option<*mut Versioned> {
    FLOWS.get_ptr_mut(key)
}

/// What a flow's word should hold, by a look at two bytes; whoever writes the flow looks again.
#[inline(always)]
pub fn state(entry: *mut Versioned) -> State {
    // SAFETY: a live map value for the run of the program; one byte is never torn.
    let (phase, outcome) = unsafe {
        ((&raw const (*entry).flow.phase).read_volatile(), (&raw const (*entry).flow.outcome).read_volatile())
    };
    if phase == phase::CLOSED {
        State::Closed
    } else if outcome == 0 {
        State::Pending
    } else {
        State::Open
    }
}

/// Copies a slot's flow out with its version.
#[inline(always)]
pub fn read(entry: *mut Versioned, slot: u32, into: &mut Versioned) -> bool {
    // SAFETY: a live map value for the run of the program. The version is read first, and a torn
    // copy is never written back: the version will have changed.
    unsafe {
        into.version = (&raw const (*entry).version).read_volatile();
        copy(&raw const (*entry).flow, &raw mut into.flow);
    }
    // One comparison for both: even, and of this slot.
    into.version & 1 | (into.version >> SLOT_SHIFT ^ u64::from(slot)) == 0
}

/// Writes a flow back, if nobody did since it was read.
#[inline(always)]
pub fn write(entry: *mut Versioned, flow: &Versioned) -> bool {
    if !claim(entry, flow) {
        return false;
    }
    // SAFETY: a live map value; the odd version keeps all others from writing.
    unsafe {
        copy(&raw const flow.flow, &raw mut (*entry).flow);
        atomic::release(&raw mut (*entry).version, flow.version.wrapping_add(2));
    }
    true
}

/// Copies word by word: a plain copy goes over the stack, which has no room for it.
///
/// # Safety
/// Both are valid for a `T`, whose size is a multiple of 8, and aligned to 8 bytes.
#[inline(always)]
unsafe fn copy<T>(from: *const T, to: *mut T) {
    let (from, to) = (from.cast::<u64>(), to.cast::<u64>());
    let mut word = 0;
    while word < size_of::<T>() / 8 {
        // SAFETY: by the caller.
        unsafe { to.add(word).write_volatile(from.add(word).read_volatile()) };
        word += 1;
    }
}

/// Makes the version odd, if it is still the same.
#[inline(always)]
pub fn claim(entry: *mut Versioned, flow: &Versioned) -> bool {
    // SAFETY: a live map value for the run of the program, aligned to 8 bytes.
    unsafe { atomic::compare_exchange(&raw mut (*entry).version, flow.version, flow.version | 1) }
}

/// Makes it even again: nothing changed.
#[inline(always)]
pub fn disclaim(entry: *mut Versioned, flow: &Versioned) {
    // SAFETY: as above.
    unsafe { atomic::release(&raw mut (*entry).version, flow.version) };
}

/// Where a version has the slot: there can be 2^24 (`--max-flows`).
const SLOT_SHIFT: u32 = 40;
/// Nanoseconds that a version has of the clock, four minutes; above them is room for as many writes.
const BIRTH: u64 = (1 << (SLOT_SHIFT - 2)) - 1;

/// Adds a flow, with a version that no other flow in this memory has had for long. What the table may still
/// have of an older one is overwritten: who adds keeps the flow's word busy.
#[inline(always)]
pub fn insert(key: &FlowKey, slot: u32, flow: &mut Versioned, now_ns: u64) -> bool {
    flow.version = u64::from(slot) << SLOT_SHIFT | (now_ns & BIRTH) << 1;
    let flow: &Versioned = flow;
    FLOWS.insert(key, flow, u64::from(BPF_ANY)).is_ok()
}

/// Removes a flow. Its version stays odd, so whoever still holds the entry can't change it.
#[inline(always)]
pub fn remove(key: &FlowKey) {
    // Refused only to who interrupts the table's own work on the same CPU, which packets and sweeps don't.
    let _ = FLOWS.remove(key);
}

#[inline(always)]
pub fn note_eviction(line: u32, now_ns: u64) {
    if let Some(last) = EVICTIONS.get_ptr_mut(line) {
        // SAFETY: a live map value. Unlocked: of two evictions at once either time will do.
        unsafe { last.write_volatile(now_ns) };
    }
}

#[inline(always)]
pub fn last_eviction_ns(line: u32) -> u64 {
    // SAFETY: a live map value; an aligned word is never torn.
    EVICTIONS.get_ptr_mut(line).map_or(0, |last| unsafe { last.read_volatile() })
}

#[inline(always)]
pub fn watch_began_ns() -> u64 {
    // SAFETY: a live map value, written by user space in one piece.
    WATCH.get_ptr_mut(0).map_or(0, |watch| unsafe { (&raw const (*watch).watch_began_ns).read_volatile() })
}

/// A step of the sweep; `false` when its pass is through.
#[inline(always)]
pub fn sweep_some(kernel: &mut Kernel, scratch: &mut Scratch) -> bool {
    let Some(run) = SWEEP.get_ptr_mut(0) else { return false };
    // SAFETY: a live map value, and user space runs one sweep at a time.
    let run = unsafe { &mut *run };
    let now_ns = kernel.clock_ns();
    sweep(kernel, scratch, &mut run.pass, run.shutdown != 0, now_ns)
}
