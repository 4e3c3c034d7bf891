//! How many file descriptors the process may have.

use std::{fs, io};

use anyhow::{Error, anyhow};

/// So few are left when one was not to be had: what failed for lack of it may have given back some.
const NEXT_TO_NONE: u64 = 4;

/// Raises the soft limit, which is kept low (1024) only for programs that use `select`, to the hard one. If that
/// fails, attaching will, which says why.
pub(super) fn allow_many() {
    let limit = libc::rlimit { rlim_cur: limit().rlim_max, ..limit() };
    // SAFETY: the pointer is valid for the call.
    unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) };
}

/// Puts what to do in the place of an error for lack of descriptors. That is not always the error's own word: a name
/// is "not found", for example, when there is none left to ask for it.
pub(super) fn explain(error: Error) -> Error {
    let word = io::Error::from_raw_os_error(libc::EMFILE).to_string();
    if !are_used_up() && !format!("{error:#}").contains(&word) {
        return error;
    }
    anyhow!(
        "the limit of open files is {}, and that is too few: two for each interface, and some 40; raise it \
         (`ulimit -n`, for a service LimitNOFILE=)",
        limit().rlim_cur
    )
}

fn are_used_up() -> bool {
    let open = fs::read_dir("/proc/self/fd").map(|open| open.count() as u64);
    open.is_ok_and(|open| open + NEXT_TO_NONE > limit().rlim_cur)
}

fn limit() -> libc::rlimit {
    let mut limit = libc::rlimit { rlim_cur: libc::RLIM_INFINITY, rlim_max: libc::RLIM_INFINITY };
    // SAFETY: the pointer is valid for the call, which can't fail then.
    unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) };
    limit
}
