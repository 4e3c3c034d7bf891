//! What hs-mon gives up once it has attached. From then on it reads what attackers send, and holds nothing that
//! they could use: the file descriptors of its own maps, programs and links are all that its work takes.

mod identity;
mod outlook;
mod sandbox;
mod syscalls;

use std::path::Path;
use std::thread;

use anyhow::{Context, Result};
use caps::{CapSet, Capability, CapsHashSet};

pub use outlook::Outlook;

/// Gives up the user, all capabilities but those of `keep`, and most of the file system. For good, and for the calling
/// thread and those that it starts: the process must not have others. `config` may still be read.
///
/// # Errors
/// The kernel refuses something that it should not.
pub fn give_up(keep: &[Capability], config: Option<&Path>) -> Result<()> {
    // SAFETY: prctl takes no pointers here.
    if unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) } != 0 {
        return Err(std::io::Error::last_os_error()).context("can't give up new privileges");
    }
    // While the file with the users may still be read.
    let nobody = identity::nobody();
    sandbox::enter(config).context("can't confine hs-mon by Landlock")?;
    // Takes CAP_SETPCAP, which who starts hs-mon without root may not have given; without new privileges, no
    // capability can be had from the bounding set anyway.
    let _ = caps::clear(None, CapSet::Bounding);
    identity::change_to(nobody, !keep.is_empty())?;
    let keep: CapsHashSet = keep.iter().copied().filter(|one| has(*one)).collect();
    for set in [CapSet::Ambient, CapSet::Inheritable] {
        caps::clear(None, set).context("can't give up capabilities")?;
    }
    for set in [CapSet::Effective, CapSet::Permitted] {
        caps::set(None, set, &keep).context("can't give up capabilities")?;
    }
    Ok(())
}

/// Gives up most system calls, among them what starts a thread; for all threads.
///
/// # Errors
/// The kernel refuses the filter.
pub fn confine() -> Result<()> {
    if outlook::has_seccomp() {
        syscalls::confine().context("can't confine hs-mon by seccomp")?;
    }
    Ok(())
}

/// Does something that is to find no file, in a thread of its own that can open none; where the kernel has no Landlock
/// or no thread is to be had, as it is.
pub fn without_files<T: Send>(work: fn() -> T) -> T {
    thread::scope(|scope| {
        let confined = || sandbox::close_files().map(|()| work());
        let thread = thread::Builder::new().spawn_scoped(scope, confined).ok();
        thread.and_then(|thread| thread.join().ok()?.ok())
    })
    .unwrap_or_else(work)
}

fn has(capability: Capability) -> bool {
    caps::has_cap(None, CapSet::Permitted, capability).unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn can_read() -> bool {
        fs::read("/proc/self/status").is_ok()
    }

    #[test]
    fn without_files_none_can_be_read_there_and_all_can_elsewhere() {
        let has_landlock = Outlook::of_this_machine().landlock.is_some();
        assert_eq!(without_files(can_read), !has_landlock);
        assert!(can_read());
    }
}
