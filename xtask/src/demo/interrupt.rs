//! Ctrl-C, a closed terminal and SIGTERM end the show early; everything is put away as usual.

use std::io;
use std::mem;
use std::ptr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

/// How long a signal may go unnoticed.
const LOOK_UP: Duration = Duration::from_millis(25);

/// Whether a signal has come.
pub static STOP: AtomicBool = AtomicBool::new(false);

extern "C" fn note(_signal: libc::c_int) {
    STOP.store(true, Ordering::Relaxed);
}

/// From here on signals are noted, and do not end the process.
pub fn watch() -> Result<()> {
    for signal in [libc::SIGINT, libc::SIGTERM, libc::SIGHUP] {
        // SAFETY: of this structure all bytes zero is a valid value: no flags, an empty mask.
        let mut action: libc::sigaction = unsafe { mem::zeroed() };
        action.sa_sigaction = note as *const () as usize;
        action.sa_flags = libc::SA_RESTART;
        // SAFETY: the handler has the type that these flags ask for, and only stores into an atomic.
        if unsafe { libc::sigaction(signal, &raw const action, ptr::null_mut()) } != 0 {
            return Err(io::Error::last_os_error()).context("can't watch for signals");
        }
    }
    Ok(())
}

/// Fails once a signal has come.
pub fn check() -> Result<()> {
    if STOP.load(Ordering::Relaxed) {
        bail!("stopped early; the laboratory is gone again");
    }
    Ok(())
}

/// Waits, and fails at once when a signal comes.
pub fn pause(time: Duration) -> Result<()> {
    let end = Instant::now() + time;
    loop {
        check()?;
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(());
        }
        thread::sleep(left.min(LOOK_UP));
    }
}
