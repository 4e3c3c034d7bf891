//! Atomic operations on map memory. `core::sync::atomic` has none for BPF (its target declares no
//! compare-and-swap), the instruction set has them since v3 (Linux 5.12). All that fetch are fully
//! ordered; `add` is not ordered (Documentation/bpf/standardization/instruction-set.rst).

use core::arch::asm;

/// `*cell += value`.
///
/// # Safety
/// `cell` is aligned map memory.
#[inline(always)]
pub unsafe fn add(cell: *mut u64, value: u64) {
    // SAFETY: by the caller.
    unsafe { asm!("lock *(u64 *)({cell} + 0) += {value}", cell = in(reg) cell, value = in(reg) value) };
}

/// Adds, and returns what was there before.
///
/// # Safety
/// `cell` is aligned map memory.
#[inline(always)]
pub unsafe fn fetch_add(cell: *mut u64, value: u64) -> u64 {
    let mut value = value;
    // SAFETY: by the caller.
    unsafe {
        asm!("{value} = atomic_fetch_add((u64 *)({cell} + 0), {value})", cell = in(reg) cell, value = inout(reg) value);
    }
    value
}

/// Puts a value there, after all that was written before. x86-64 keeps stores in order by itself; elsewhere
/// it takes an exchange, for the instruction set has no store-release before Linux 6.15.
///
/// # Safety
/// `cell` is aligned map memory.
#[inline(always)]
pub unsafe fn release(cell: *mut u64, value: u64) {
    #[cfg(bpf_target_arch = "x86_64")]
    // SAFETY: by the caller. The assembly keeps the compiler from moving other stores behind it.
    unsafe {
        asm!("*(u64 *)({cell} + 0) = {value}", cell = in(reg) cell, value = in(reg) value);
    }
    #[cfg(not(bpf_target_arch = "x86_64"))]
    // SAFETY: by the caller.
    unsafe {
        asm!("{value} = xchg_64({cell} + 0, {value})", cell = in(reg) cell, value = inout(reg) value => _);
    }
}

/// Puts `new` there if `current` is there, and tells whether it was.
///
/// # Safety
/// `cell` is aligned map memory.
#[inline(always)]
pub unsafe fn compare_exchange(cell: *mut u64, current: u64, new: u64) -> bool {
    let mut found = current;
    // SAFETY: by the caller.
    unsafe {
        asm!("r0 = cmpxchg_64({cell} + 0, r0, {new})", cell = in(reg) cell, new = in(reg) new, inout("r0") found);
    }
    found == current
}
