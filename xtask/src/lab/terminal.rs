//! A terminal for a program under test.

use std::io;
use std::os::fd::{FromRawFd as _, OwnedFd};
use std::ptr;

use anyhow::{Context as _, Result};

/// A terminal of ours: what we read, and what the child writes to.
pub fn open_terminal() -> Result<(OwnedFd, OwnedFd)> {
    let (mut master, mut slave) = (-1, -1);
    // SAFETY: the first two are ours to be written, and the others may be null.
    let opened = unsafe {
        libc::openpty(&raw mut master, &raw mut slave, ptr::null_mut(), ptr::null_mut(), ptr::null_mut())
    };
    if opened != 0 {
        return Err(io::Error::last_os_error()).context("can't open a terminal");
    }
    // SAFETY: both descriptors are new, and nobody else's.
    Ok(unsafe { (OwnedFd::from_raw_fd(master), OwnedFd::from_raw_fd(slave)) })
}
