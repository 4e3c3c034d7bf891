//! Threads that stay on one core, and have it for themselves as far as they can.

use std::io;
use std::mem;

use anyhow::{Context, Result};

/// Keeps the calling thread on a core.
pub fn pin_to(core: usize) -> Result<()> {
    // SAFETY: of this structure all bytes zero is a valid value, the empty set.
    let mut set: libc::cpu_set_t = unsafe { mem::zeroed() };
    // SAFETY: the set is ours, and the kernel knows no core beyond its size.
    unsafe { libc::CPU_SET(core, &mut set) };
    // SAFETY: the set is as long as said, and lives until the call returns.
    let result = unsafe { libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), &raw const set) };
    if result == 0 {
        return Ok(());
    }
    Err(io::Error::last_os_error()).with_context(|| format!("can't stay on core {core}"))
}

/// Goes before whatever else wants the core; without the right to do so, everything is only less exact.
pub fn hurry() {
    // SAFETY: takes no pointer.
    unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, -15) };
}

/// The cores that this process may use.
pub fn cores() -> Result<Vec<usize>> {
    // SAFETY: as above.
    let mut set: libc::cpu_set_t = unsafe { mem::zeroed() };
    // SAFETY: the set is as long as said, and lives until the call returns.
    let result = unsafe { libc::sched_getaffinity(0, size_of::<libc::cpu_set_t>(), &raw mut set) };
    if result != 0 {
        return Err(io::Error::last_os_error()).context("can't ask for the cores");
    }
    // SAFETY: the set is ours, and no number is beyond its size.
    let has = |core: &usize| unsafe { libc::CPU_ISSET(*core, &set) };
    Ok((0..libc::CPU_SETSIZE as usize).filter(has).collect())
}
