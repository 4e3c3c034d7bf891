//! What the verifier needs to be told, or to forget. Arithmetic that the compiler would optimise away.

use core::arch::asm;
use core::ffi::{c_long, c_void};

use aya_ebpf::helpers::bpf_loop;

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
    masked::<MASK>(forget(value as u64, unknown as u64) as usize)
}

/// The same value, of which the verifier knows nothing. `unknown` as with [`forgotten`].
#[inline(always)]
pub fn forget(value: u64, unknown: u64) -> u64 {
    let mut value = value;
    // SAFETY: pure arithmetic.
    unsafe {
        asm!(
            "{value} ^= {unknown}",
            "{value} ^= {unknown}",
            value = inout(reg) value,
            unknown = in(reg) unknown,
            options(pure, nomem)
        );
    }
    value
}

/// The same value, of which the compiler can't know how it came about. `core::hint::black_box` does as
/// much, by way of the stack.
#[inline(always)]
pub fn hidden(value: usize) -> usize {
    let mut value = value;
    // SAFETY: the register is not changed.
    unsafe { asm!("{value} = {value}", value = inout(reg) value, options(pure, nomem)) };
    value
}

/// The same reference, to a value that the compiler can't know: the loader overwrites it.
#[inline(always)]
pub fn opaque<T>(value: &'static T) -> &'static T {
    let address = hidden(core::ptr::from_ref(value) as usize);
    // SAFETY: the address of the reference that was passed in.
    unsafe { &*(address as *const T) }
}

/// The smaller of two numbers below 2^63, without a branch.
#[inline(always)]
pub fn least(a: u64, b: u64) -> u64 {
    let mut least = a;
    // SAFETY: pure arithmetic. The difference is negative if `a` is smaller: then its sign is all ones.
    unsafe {
        asm!(
            "{sign} = {least}",
            "{sign} -= {b}",
            "{sign} s>>= 63",
            "{least} ^= {b}",
            "{least} &= {sign}",
            "{least} ^= {b}",
            least = inout(reg) least,
            b = in(reg) b,
            sign = out(reg) _,
            options(pure, nomem)
        );
    }
    least
}

/// The greater of two numbers below 2^63, without a branch.
#[inline(always)]
pub fn greater(a: u64, b: u64) -> u64 {
    let mut greater = a;
    // SAFETY: pure arithmetic. As with `least`, with the difference the other way round.
    unsafe {
        asm!(
            "{sign} = {b}",
            "{sign} -= {greater}",
            "{sign} s>>= 63",
            "{greater} ^= {b}",
            "{greater} &= {sign}",
            "{greater} ^= {b}",
            greater = inout(reg) greater,
            b = in(reg) b,
            sign = out(reg) _,
            options(pure, nomem)
        );
    }
    greater
}

/// 0 for 0, else 1, without a branch.
#[inline(always)]
pub fn unless_zero(value: u64) -> u64 {
    let mut flag = value;
    // SAFETY: pure arithmetic. Of a number and its negative one is negative, unless it is 0.
    unsafe {
        asm!(
            "{negative} = {flag}",
            "{negative} = -{negative}",
            "{flag} |= {negative}",
            "{flag} >>= 63",
            flag = inout(reg) flag,
            negative = out(reg) _,
            options(pure, nomem)
        );
    }
    flag
}

/// Calls `step` until it returns `false`, at most `times` times, through `bpf_loop` (Linux 5.17): the
/// verifier looks at the body until it learns nothing new, and not once for each round.
#[inline(always)]
pub fn repeat<F: FnMut() -> bool>(times: u32, mut step: F) {
    let callback: extern "C" fn(u32, *mut F) -> c_long = call::<F>;
    // SAFETY: the helper hands the closure to the callback and keeps neither.
    unsafe { bpf_loop(times, callback as *mut c_void, (&raw mut step).cast(), 0) };
}

extern "C" fn call<F: FnMut() -> bool>(_round: u32, step: *mut F) -> c_long {
    // SAFETY: the closure that `repeat` passed, which nobody else uses meanwhile.
    let go_on = unsafe { (*step)() };
    c_long::from(!go_on)
}
