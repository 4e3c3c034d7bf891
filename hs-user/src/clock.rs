//! Two clocks: the kernel's events carry CLOCK_MONOTONIC, people read UTC.

use std::fs;
use std::sync::LazyLock;

use hs_common::config::NS_PER_SEC;

/// By how much CLOCK_MONOTONIC of a time namespace (time_namespaces(7)) is ahead, in nanoseconds; it stays so for as
/// long as the process is.
static AHEAD_NS: LazyLock<i64> = LazyLock::new(|| {
    // A kernel without them has no such file.
    fs::read_to_string("/proc/self/timens_offsets")
        .ok()
        .and_then(|offsets| monotonic_offset_ns(&offsets))
        .unwrap_or(0)
});

/// Nanoseconds of CLOCK_MONOTONIC as the kernel itself has it: the clock of `bpf_ktime_get_ns`, in whatever time
/// namespace this runs.
pub fn monotonic_ns() -> u64 {
    read(libc::CLOCK_MONOTONIC).wrapping_add_signed(-*AHEAD_NS)
}

/// What to add to CLOCK_MONOTONIC for nanoseconds since 1970; wraps. Read anew now and then: the wall
/// clock may be set.
pub fn unix_offset_ns() -> u64 {
    read(libc::CLOCK_REALTIME).wrapping_sub(monotonic_ns())
}

/// Lines of a clock, seconds and nanoseconds.
fn monotonic_offset_ns(offsets: &str) -> Option<i64> {
    let mut fields = offsets.lines().find_map(|line| line.strip_prefix("monotonic"))?.split_whitespace();
    let (seconds, ns) = (fields.next()?.parse::<i64>().ok()?, fields.next()?.parse::<i64>().ok()?);
    seconds.checked_mul(NS_PER_SEC as i64)?.checked_add(ns)
}

fn read(clock: libc::clockid_t) -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the pointer is valid for the call. It can't fail: both clocks always exist.
    unsafe { libc::clock_gettime(clock, &raw mut time) };
    time.tv_sec as u64 * NS_PER_SEC + time.tv_nsec as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_offset_is_that_of_the_monotonic_clock() {
        let offset = monotonic_offset_ns;
        assert_eq!(offset("monotonic           0         0\nboottime            7         0\n"), Some(0));
        assert_eq!(
            offset("monotonic      100000       500\nboottime            0         0\n"),
            Some(100_000_000_000_500)
        );
        assert_eq!(offset("monotonic          -2 500000000\n"), Some(-1_500_000_000));
        assert_eq!(offset("boottime 1 0\n"), None);
        assert_eq!(offset("monotonic x"), None);
    }
}
