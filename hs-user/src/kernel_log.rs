//! Debug messages of the kernel side (aya-log), as notices.

use anyhow::{Context, Result};
use aya_log::EbpfLogger;
use log::{LevelFilter, Metadata, Record};
use tokio::io::unix::AsyncFd;
use tokio::task::JoinHandle;

use crate::kernel::Kernel;
use crate::notices::say;

/// Ends with the value.
pub struct KernelLog(JoinHandle<()>);

impl Drop for KernelLog {
    fn drop(&mut self) {
        self.0.abort();
    }
}

struct Notices;

impl log::Log for Notices {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        say(format_args!("{}: {}", record.level(), record.args()));
    }

    fn flush(&self) {}
}

/// Starts handing on the messages.
///
/// # Errors
/// The object has no log map, or it can't be waited for.
pub fn start(kernel: &mut Kernel) -> Result<KernelLog> {
    static NOTICES: Notices = Notices;
    if log::set_logger(&NOTICES).is_ok() {
        log::set_max_level(LevelFilter::Debug);
    }
    let logger = EbpfLogger::init_with_logger(kernel.ebpf_mut(), &NOTICES)
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
