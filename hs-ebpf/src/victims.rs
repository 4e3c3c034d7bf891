//! Totals of each responder. Shared by all CPUs: sums by atomic addition, the rest as noted.

use hs_common::track::Responder;
use hs_common::victim::{Budget, SKETCH_REGISTERS, Tally, hash_addr, sketch_slot};
use hs_common::{Addr, Victim, VictimKey};

use crate::atomic;
use crate::maps::{SEED, VICTIMS};
use crate::verifier::masked;

/// What a new responder begins with; too large for the stack.
static EMPTY: Victim = Victim::EMPTY;

#[inline(always)]
fn key((addr, port): Responder) -> VictimKey {
    VictimKey { addr, port: u32::from(port), padding: 0 }
}

/// Adds to a responder's totals. Only a SYN makes a new responder known.
#[inline(never)]
pub fn tally(responder: Responder, tally: Tally) {
    let key = key(responder);
    let Some(victim) = VICTIMS.get_ptr_mut(key).or_else(|| introduce(&key, &tally)) else { return };
    if let Tally::Syn { source, .. } = tally {
        sketch(victim, source);
    }
    // SAFETY: a live map value, aligned to 8 bytes.
    tally.changes(|total| unsafe { atomic::add(total.of(&mut *victim), 1) });
}

#[inline(always)]
fn introduce(key: &VictimKey, tally: &Tally) -> Option<*mut Victim> {
    if !matches!(tally, Tally::Syn { .. }) {
        return None;
    }
    let empty: &Victim = &EMPTY;
    // Another CPU may have been faster; then its entry is the one.
    let _ = VICTIMS.insert(key, empty, 0);
    VICTIMS.get_ptr_mut(key)
}

/// Raises a register of the sketch. Unlocked: of two CPUs that raise the same register at once the
/// lower rank may win, and stays until the register is proposed a higher one again.
#[inline(always)]
fn sketch(victim: *mut Victim, source: Addr) {
    let (register, rank) = sketch_slot(hash_addr(source, SEED.load()));
    // SAFETY: a live map value; the mask keeps the register within the sketch.
    unsafe {
        let known =
            (&raw mut (*victim).sources).cast::<u8>().add(masked::<{ SKETCH_REGISTERS - 1 }>(register));
        if *known < rank {
            *known = rank;
        }
    }
}

/// Whether one more event about this responder is within its budget. Unlocked: two CPUs may spend
/// the same token, so the budget is exceeded by at most one event a CPU and token.
#[inline(never)]
pub fn may_report(responder: Responder, budget: &Budget, now_ns: u64) -> bool {
    match VICTIMS.get_ptr_mut(key(responder)) {
        // SAFETY: a live map value.
        Some(victim) => unsafe {
            budget.take(&mut (*victim).bucket_ns, &mut (*victim).bucket_tokens, now_ns)
        },
        None => true,
    }
}
