//! What hs-mon would run as, and behind, were it started here.

use std::io;

use super::identity;

/// What [`give_up`](super::give_up) would leave on this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outlook {
    /// Whom root becomes.
    pub user: &'static str,
    /// Which version of Landlock's interface the kernel has (Linux 5.13), if any.
    pub landlock: Option<u32>,
    /// Whether system calls can be filtered.
    pub seccomp: bool,
}

impl Outlook {
    /// Asks the kernel; changes nothing.
    pub fn of_this_machine() -> Outlook {
        Outlook { user: identity::name_of_nobody(), landlock: landlock(), seccomp: has_seccomp() }
    }
}

/// landlock_create_ruleset(2), whose first version of the interface is 1.
fn landlock() -> Option<u32> {
    const TELL_VERSION: libc::c_ulong = 1;
    let nothing = std::ptr::null::<u8>();
    // SAFETY: with this flag it takes no attributes and makes nothing.
    let version = unsafe { libc::syscall(libc::SYS_landlock_create_ruleset, nothing, 0usize, TELL_VERSION) };
    u32::try_from(version).ok().filter(|version| *version > 0)
}

/// As prctl(2) has it: a filter at no address is a bad address only where there are filters.
pub(super) fn has_seccomp() -> bool {
    let nothing = std::ptr::null::<u8>();
    // SAFETY: the kernel refuses the null pointer, so nothing is set.
    let set = unsafe { libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, nothing) };
    set == -1 && io::Error::last_os_error().raw_os_error() == Some(libc::EFAULT)
}
