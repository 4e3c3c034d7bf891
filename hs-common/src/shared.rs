//! What the kernel side and the user side say to each other through maps, besides events: plain old
//! data in native byte order.

use crate::track::{Scratch, Sweep};
use crate::{Counters, Event};

/// Bytes of the ring buffers of events, of all CPUs together.
const RING_BYTES: usize = 4 << 20;
/// Events that they have room for.
pub const RING_EVENTS: u64 = events_in(RING_BYTES);
/// The least that a CPU has: what half a million completed handshakes a second need until user space looks again.
const LEAST_RING_BYTES: usize = 256 << 10;

/// Bytes of the ring buffer of each of so many CPUs: a power of two, as the kernel wants it.
pub const fn ring_bytes(cpus: u32) -> usize {
    let share = RING_BYTES / if cpus == 0 { 1 } else { cpus as usize };
    let bytes = share.next_power_of_two();
    if bytes < LEAST_RING_BYTES { LEAST_RING_BYTES } else { bytes }
}

/// Events that the ring buffer of each of so many CPUs has room for.
pub const fn ring_events(cpus: u32) -> u64 {
    events_in(ring_bytes(cpus))
}

/// Each has a header of 8 bytes (kernel/bpf/ringbuf.c).
const fn events_in(bytes: usize) -> u64 {
    (bytes / (size_of::<Event>() + 8)) as u64
}

/// The state of the watch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Watch {
    /// [`Config::watch_began_ns`](crate::Config::watch_began_ns), which is known only when all hooks are
    /// attached and so can't be read-only: until then the end of time.
    pub watch_began_ns: u64,
}

/// What one CPU writes without asking the others. `S` is the tracker's working memory in the kernel,
/// and [`Opaque`] in user space, which must not look at values that the kernel is writing.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct Cpu<S> {
    /// Its totals.
    pub counters: Counters,
    /// Token bucket of all events: when it was last filled, in nanoseconds.
    pub bucket_ns: u64,
    /// Token bucket of all events: tokens left.
    pub bucket_tokens: u64,
    /// Its working memory.
    pub scratch: S,
}

/// The bytes of a [`Scratch`].
pub type Opaque = [u64; size_of::<Scratch>() / 8];

const _: () = assert!(size_of::<Cpu<Opaque>>() == size_of::<Cpu<Scratch>>());

/// Who uses a [`Cpu`]. Packets are handled with softirqs off, so on one CPU they never interrupt
/// each other; a sweep runs in a process and may be interrupted by a packet, so it has its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Role {
    /// XDP and tc programs.
    Packets = 0,
    /// The sweep.
    Sweeps = 1,
}

impl Role {
    /// How many there are.
    pub const COUNT: usize = 2;
}

/// What user space tells about the packet that it replays.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Replay {
    /// The capture's clock, in nanoseconds since 1970.
    pub now_ns: u64,
    /// Bytes that were captured.
    pub captured: u32,
    /// Bytes that the packet had on the wire.
    pub on_wire: u32,
    /// Code of the [`Link`](crate::parse::Link).
    pub link: u32,
    /// Zero.
    pub padding: u32,
}

/// A sweep, and how far it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct SweepRun {
    /// The pass.
    pub pass: Sweep,
    /// 1 if it is the last one: what is not due yet ends all the same.
    pub shutdown: u32,
    /// Zero.
    pub padding: u32,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::victim::Budget;

    /// What is always told, completed handshakes, finds room in the rest.
    #[test]
    fn the_bursts_of_a_cpu_leave_room_in_its_ring_buffer() {
        for cpus in [1, 2, 3, 6, 16, 64, 500, 4096] {
            let room = ring_events(cpus);
            let both_roles = Budget::total(RING_EVENTS, cpus).burst * Role::COUNT as u64;
            assert!(both_roles * 4 <= room * 3, "{cpus} CPUs: {both_roles} of {room}");
            assert!(ring_bytes(cpus).is_power_of_two(), "{cpus} CPUs");
        }
    }
}
