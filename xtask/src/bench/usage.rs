//! What a program used: CPU time and memory, as the kernel counted them.

use std::io;
use std::mem;
use std::process::{Child, Command, ExitStatus};
use std::time::Duration;

use anyhow::{Context as _, Result};

use crate::shell;

/// What a program that has ended used.
#[derive(Clone, Copy, Debug)]
pub struct Usage {
    /// On all cores, user and system.
    pub cpu: Duration,
    /// The most memory that it had at once, in bytes.
    pub peak_bytes: u64,
    /// How it ended.
    pub status: ExitStatus,
}

/// Runs a command to its end.
pub fn of(command: &mut Command) -> Result<Usage> {
    let child = command.spawn().with_context(|| shell::cannot_start(command))?;
    let (status, usage) =
        wait(&child).with_context(|| format!("can't wait for {}", shell::display(command)))?;
    let time = |time: libc::timeval| Duration::new(time.tv_sec as u64, time.tv_usec as u32 * 1000);
    Ok(Usage {
        cpu: time(usage.ru_utime) + time(usage.ru_stime),
        peak_bytes: usage.ru_maxrss as u64 * 1024,
        status,
    })
}

fn wait(child: &Child) -> io::Result<(ExitStatus, libc::rusage)> {
    use std::os::unix::process::ExitStatusExt as _;
    let mut status = 0;
    // SAFETY: of this structure all bytes zero is a valid value.
    let mut usage: libc::rusage = unsafe { mem::zeroed() };
    // SAFETY: both are ours to be written, and the child was not waited for yet.
    let pid = unsafe { libc::wait4(child.id() as libc::pid_t, &raw mut status, 0, &raw mut usage) };
    if pid < 0 { Err(io::Error::last_os_error()) } else { Ok((ExitStatus::from_raw(status), usage)) }
}
