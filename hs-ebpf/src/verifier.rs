//! What the verifier needs to be told, or to forget. Arithmetic that the compiler would optimise away.

use core::arch::asm;

/// `value & MASK`, for a mask below 2^31. The compiler drops a mask that it can prove to change
/// nothing, and the verifier, which can't, refuses the access behind it.
#[inline(always)]
pub fn masked<const MASK: usize>(value: usize) -> usize {
    let mut value = value;
    // SAFETY: pure arithmetic.
    unsafe { asm!("{value} &= {mask}", value = inout(reg) value, mask = const MASK, options(pure, nomem)) };
    value
}

/// `value & MASK`, of which the verifier knows no more than the mask. `unknown` is any number that
/// it does not know, such as the length of the packet: mixed in and taken out again, it hides the
/// value's history.
#[inline(always)]
pub fn forgotten<const MASK: usize>(value: usize, unknown: usize) -> usize {
    let mut value = value;
    // SAFETY: pure arithmetic.
    unsafe {
        asm!(
            "{value} ^= {unknown}",
            "{value} ^= {unknown}",
            "{value} &= {mask}",
            value = inout(reg) value,
            unknown = in(reg) unknown,
            mask = const MASK,
            options(pure, nomem)
        );
    }
    value
}
