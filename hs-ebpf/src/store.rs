//! The flow store: the flow table and the queue of ages. All that would change with another store.
//!
//! Entries are written without a lock, by optimistic concurrency: a version beside the state is odd
//! while somebody writes. Who changes a flow copies it, steps on the copy, and takes the version from
//! even to odd by compare-and-exchange; if that fails, another CPU changed the flow in between, and
//! the segment is tried again on the new state. So of two segments that could complete a handshake at
//! once on two CPUs, one does, and totals stay exact. Segments that change nothing write nothing.
//!
//! What is left: the table may hand an entry's memory to another flow between lookup and copy. That
//! needs the flow to be evicted, as the oldest of all, and another to begin, within some ten
//! nanoseconds of a segment of it; the segment is then judged against the other flow. A version that
//! comes from the clock keeps a stale write from ever succeeding.

use aya_ebpf::bindings::BPF_NOEXIST;
use aya_ebpf::helpers::bpf_ktime_get_ns;
use hs_common::flow::{Flow, FlowKey, phase};
use hs_common::handshake::Expiry;
use hs_common::shared::Queue;
use hs_common::track::{Aged, Host, Scratch, Versioned, give_up_aged};

use crate::atomic;
use crate::host::Kernel;
use crate::maps::{self, AGES, FLOWS, QUEUE};

/// A place in the queue of ages.
#[repr(C)]
pub struct AgedSlot {
    aged: Aged,
    /// The position that it was written for, plus one: written last, so that a sweep on another CPU
    /// knows whether the rest is there.
    ready: u64,
    padding: u64,
}

#[inline(always)]
pub fn find(key: &FlowKey) -> Option<*mut Versioned> {
    FLOWS.get_ptr_mut(key)
}

/// Looks at the phase alone.
#[inline(always)]
pub fn is_closed(entry: *mut Versioned) -> bool {
    // SAFETY: a live map value for the run of the program; one byte is never torn.
    unsafe { (&raw const (*entry).flow.phase).read_volatile() == phase::CLOSED }
}

/// Copies a flow out with its version.
#[inline(always)]
pub fn read(entry: *mut Versioned, into: &mut Versioned) -> bool {
    // SAFETY: a live map value for the run of the program. The version is read first, and a torn
    // copy is never written back: the version will have changed.
    unsafe {
        into.version = (&raw const (*entry).version).read_volatile();
        copy(&raw const (*entry).flow, &raw mut into.flow);
    }
    into.version & 1 == 0
}

/// Writes a flow back, if nobody did since it was read.
#[inline(always)]
pub fn write(entry: *mut Versioned, flow: &Versioned) -> bool {
    if !lock(entry, flow.version) {
        return false;
    }
    // SAFETY: a live map value; the odd version keeps all others from writing.
    unsafe {
        copy(&raw const flow.flow, &raw mut (*entry).flow);
        atomic::store(&raw mut (*entry).version, flow.version.wrapping_add(2));
    }
    true
}

/// Copies a flow word by word: a plain copy goes over the stack, which has no room for it.
///
/// # Safety
/// Both are valid for a flow and aligned to 8 bytes.
#[inline(always)]
unsafe fn copy(from: *const Flow, to: *mut Flow) {
    let (from, to) = (from.cast::<u64>(), to.cast::<u64>());
    let mut word = 0;
    while word < size_of::<Flow>() / 8 {
        // SAFETY: by the caller.
        unsafe { to.add(word).write_volatile(from.add(word).read_volatile()) };
        word += 1;
    }
}

#[inline(always)]
fn lock(entry: *mut Versioned, seen: u64) -> bool {
    // SAFETY: a live map value for the run of the program, aligned to 8 bytes.
    unsafe { atomic::compare_exchange(&raw mut (*entry).version, seen, seen | 1) }
}

/// Adds a flow that is not there, with a version that no other flow in this memory ever had.
#[inline(always)]
pub fn insert(key: &FlowKey, flow: &mut Versioned) -> bool {
    // SAFETY: a helper without arguments.
    flow.version = unsafe { bpf_ktime_get_ns() } << 1;
    let flow: &Versioned = flow;
    FLOWS.insert(key, flow, u64::from(BPF_NOEXIST)).is_ok()
}

/// Removes a flow. Its version stays odd, so whoever still holds the entry can't change it.
#[inline(always)]
pub fn remove(entry: *mut Versioned, key: &FlowKey, flow: &Versioned) -> bool {
    lock(entry, flow.version) && FLOWS.remove(key).is_ok()
}

#[inline(always)]
fn queue() -> Option<*mut Queue> {
    QUEUE.get_ptr_mut(0)
}

#[inline(always)]
fn place(position: u64) -> Option<*mut AgedSlot> {
    // The number of flows is a power of two.
    AGES.get_ptr_mut(position as u32 & (maps::config().max_flows - 1))
}

/// Takes the next place for a handshake, and hands out what stood there.
#[inline(always)]
pub fn enqueue(key: &FlowKey, begun_ns: u64, oldest: &mut Aged) -> bool {
    let Some(queue) = queue() else { return false };
    // SAFETY: a live map value, aligned to 8 bytes.
    let position = unsafe { atomic::fetch_add(&raw mut (*queue).head, 1) };
    let Some(slot) = place(position) else { return false };
    // SAFETY: a live map value. Two CPUs have the same place only if one of them was overtaken by a
    // whole round of the ring while it stood here; then one handshake is timed out late or never,
    // and is evicted with the next round.
    unsafe {
        let used = (*slot).ready != 0;
        *oldest = (*slot).aged;
        (*slot).aged = Aged { key: *key, begun_ns };
        atomic::store(&raw mut (*slot).ready, position + 1);
        used
    }
}

#[inline(always)]
pub fn note_eviction(now_ns: u64) {
    if let Some(queue) = queue() {
        // SAFETY: a live map value. Unlocked: of two evictions at once either time will do.
        unsafe { (*queue).last_eviction_ns = now_ns };
    }
}

#[inline(always)]
pub fn last_eviction_ns() -> u64 {
    // SAFETY: a live map value.
    queue().map_or(0, |queue| unsafe { (*queue).last_eviction_ns })
}

#[inline(always)]
pub fn watch_began_ns() -> u64 {
    // SAFETY: a live map value, written by user space in one piece.
    queue().map_or(0, |queue| unsafe { (&raw const (*queue).watch_began_ns).read_volatile() })
}

/// Looks at the oldest handshake that was not swept yet, and ends it if its timeout has passed.
/// `false` if there is none, or it is not due.
#[inline(always)]
pub fn sweep_one(kernel: &mut Kernel, scratch: &mut Scratch) -> bool {
    let Some(queue) = queue() else { return false };
    // SAFETY: a live map value. Only sweeps write `swept`, and user space runs one at a time.
    let (head, mut swept) = unsafe { ((&raw const (*queue).head).read_volatile(), (*queue).swept) };
    let max_flows = u64::from(maps::config().max_flows);
    if head - swept > max_flows {
        // Overtaken: what stood there was evicted.
        swept = head - max_flows;
    }
    let Some(slot) = place(swept) else { return false };
    // SAFETY: as above.
    let (ready, aged) = unsafe { ((&raw const (*slot).ready).read_volatile(), &(*slot).aged) };
    let now_ns = kernel.now_ns();
    let due_ns = aged.begun_ns + kernel.config().half_open_ns;
    let shutdown = maps::replay().is_some_and(|replay| replay.shutdown != 0);
    let due = due_ns <= now_ns;
    let found = swept != head && ready == swept + 1 && (due || shutdown);
    if found {
        let why = if due { Expiry::Timeout } else { Expiry::Shutdown };
        give_up_aged(kernel, scratch, aged, why, now_ns);
        swept += 1;
    }
    // SAFETY: as above.
    unsafe { (*queue).swept = swept };
    found
}
