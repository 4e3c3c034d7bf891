//! Two clocks: the kernel's events carry CLOCK_MONOTONIC, people read UTC.

/// Nanoseconds of CLOCK_MONOTONIC, the clock of `bpf_ktime_get_ns`.
pub fn monotonic_ns() -> u64 {
    read(libc::CLOCK_MONOTONIC)
}

/// What to add to CLOCK_MONOTONIC for nanoseconds since 1970; wraps. Read anew now and then: the wall
/// clock may be set.
pub fn unix_offset_ns() -> u64 {
    read(libc::CLOCK_REALTIME).wrapping_sub(monotonic_ns())
}

fn read(clock: libc::clockid_t) -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the pointer is valid for the call. It can't fail: both clocks always exist.
    unsafe { libc::clock_gettime(clock, &raw mut time) };
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}
