//! Debug messages of the kernel side (aya-log), to standard error.

use anyhow::{Context, Result};
use aya_log::EbpfLogger;
use log::{LevelFilter, Metadata, Record};
use tokio::io::unix::AsyncFd;
use tokio::task::JoinHandle;

use crate::kernel::Kernel;

/// Ends with the value.
pub struct KernelLog(JoinHandle<()>);

impl Drop for KernelLog {
    fn drop(&mut self) {
        self.0.abort();
    }
}

struct Stderr;

impl log::Log for Stderr {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        eprintln!("hs-mon: {}: {}", record.level(), record.args());
    }

    fn flush(&self) {}
}

/// Starts handing on the messages.
///
/// # Errors
/// The object has no log map, or it can't be waited for.
pub fn start(kernel: &mut Kernel) -> Result<KernelLog> {
    static STDERR: Stderr = Stderr;
    if log::set_logger(&STDERR).is_ok() {
        log::set_max_level(LevelFilter::Debug);
    }
    let logger = EbpfLogger::init_with_logger(kernel.ebpf_mut(), &STDERR)
        .context("can't read the kernel side's log")?;
    // SAFETY: the logger owns its ring buffer's file descriptor and keeps it until it is dropped.
    let mut logger = unsafe { AsyncFd::register(logger) }?;
    Ok(KernelLog(tokio::spawn(async move {
        while let Ok(mut ready) = logger.readable_mut().await {
            ready.get_inner_mut().flush();
            ready.clear_ready();
        }
    })))
}
