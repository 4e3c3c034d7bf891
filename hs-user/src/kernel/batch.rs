//! Reads a whole map in a few system calls (`BPF_MAP_LOOKUP_BATCH`, Linux 5.6), which aya has
//! not: entry by entry it takes two calls for each, too many to do four times a second. And fills one in a single call.

use std::os::fd::{AsRawFd, BorrowedFd, RawFd};
use std::{io, ptr};

/// linux/bpf.h
const BPF_MAP_LOOKUP_BATCH: libc::c_long = 24;
const BPF_MAP_UPDATE_BATCH: libc::c_long = 26;
/// Entries asked for at once. More than any bucket holds, or the kernel can't answer.
const BATCH: usize = 1024;

/// The part of `union bpf_attr` that the commands take.
#[repr(C)]
struct Attributes {
    in_batch: u64,
    out_batch: u64,
    keys: u64,
    values: u64,
    count: u32,
    map_fd: u32,
    elem_flags: u64,
    flags: u64,
}

impl Attributes {
    /// Has the kernel carry a command out; `count` is then how many entries it saw to, also with an error.
    ///
    /// # Safety
    /// Keys and values lead to room for `count` of those of the map, the positions to one each, or are 0.
    unsafe fn carry_out(&mut self, command: libc::c_long) -> io::Result<()> {
        // SAFETY: the size goes with the attributes; the rest is the caller's.
        let done =
            unsafe { libc::syscall(libc::SYS_bpf, command, ptr::from_mut(self), size_of::<Attributes>()) };
        if done < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
    }
}

/// Puts maps, by their descriptors, into an array of maps, the first in the first place. In one call, which the kernel
/// has for such arrays since Linux 6.0: after each it waits for an RCU grace period.
///
/// # Errors
/// The kernel's.
pub(super) fn fill_array(array: BorrowedFd<'_>, descriptors: &[RawFd]) -> io::Result<()> {
    let keys: Vec<u32> = (0..descriptors.len() as u32).collect();
    let mut attributes = Attributes {
        in_batch: 0,
        out_batch: 0,
        keys: keys.as_ptr() as u64,
        values: descriptors.as_ptr() as u64,
        count: descriptors.len() as u32,
        map_fd: array.as_raw_fd() as u32,
        elem_flags: 0,
        flags: 0,
    };
    // SAFETY: keys and values are of 4 bytes, as those of every array of maps, and live until the call returns.
    unsafe { attributes.carry_out(BPF_MAP_UPDATE_BATCH) }
}

/// Calls `each` with every entry of `map`, whose keys are `K` and values `V`.
///
/// # Errors
/// The kernel's.
///
/// # Safety
/// `K` and `V` have the sizes of the map's keys and values, and every bit pattern is one of theirs.
pub(super) unsafe fn for_each<K: Copy, V: Copy>(
    map: BorrowedFd<'_>,
    each: impl FnMut(&K, &V),
) -> io::Result<()> {
    // SAFETY: by the caller.
    unsafe { for_each_of_first(map, usize::MAX, each) }
}

/// The same, with so many entries at least, if there are so many, and not many more.
///
/// # Errors
/// The kernel's.
///
/// # Safety
/// That of [`for_each`].
pub(super) unsafe fn for_each_of_first<K: Copy, V: Copy>(
    map: BorrowedFd<'_>,
    enough: usize,
    mut each: impl FnMut(&K, &V),
) -> io::Result<()> {
    let mut keys: Vec<K> = Vec::with_capacity(BATCH);
    let mut values: Vec<V> = Vec::with_capacity(BATCH);
    let mut position = 0_u32;
    let mut started = false;
    let mut seen = 0;
    loop {
        let mut attributes = Attributes {
            in_batch: if started { &raw const position as u64 } else { 0 },
            out_batch: &raw mut position as u64,
            keys: keys.as_mut_ptr() as u64,
            values: values.as_mut_ptr() as u64,
            count: BATCH as u32,
            map_fd: map.as_raw_fd() as u32,
            elem_flags: 0,
            flags: 0,
        };
        // SAFETY: the buffers hold `BATCH` entries of the map's sizes, and live until the call returns.
        let read = unsafe { attributes.carry_out(BPF_MAP_LOOKUP_BATCH) };
        let at_end = matches!(&read, Err(error) if error.raw_os_error() == Some(libc::ENOENT));
        if !at_end {
            read?;
        }
        let count = (attributes.count as usize).min(BATCH);
        // SAFETY: the kernel has filled `count` entries of each.
        unsafe {
            keys.set_len(count);
            values.set_len(count);
        }
        keys.iter().zip(&values).for_each(|(key, value)| each(key, value));
        seen += count;
        if at_end || seen >= enough {
            return Ok(());
        }
        started = true;
    }
}
