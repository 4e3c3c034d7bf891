//! Whom hs-mon runs as once it needs to be nobody in particular.

use std::{fs, io};

use anyhow::{Context, Result};

/// The system user that a package may make for hs-mon.
const OWN_USER: &str = "hs-mon";
/// Who owns nothing (`nobody`), also where there is no /etc/passwd.
const NOBODY: (libc::uid_t, libc::gid_t) = (65_534, 65_534);

/// User and group that root is to become: `hs-mon` if there is such a user, else `nobody`.
pub(super) fn nobody() -> (libc::uid_t, libc::gid_t) {
    own_user(&passwd()).unwrap_or(NOBODY)
}

/// The same, by its name.
pub(super) fn name_of_nobody() -> &'static str {
    if own_user(&passwd()).is_some() { OWN_USER } else { "nobody" }
}

fn passwd() -> String {
    fs::read_to_string("/etc/passwd").unwrap_or_default()
}

/// Root becomes this user, without any other group. Others stay who they are, and so does a root that may not (in a
/// container without CAP_SETUID). `keep_capabilities`: those that are permitted stay so; they are not effective.
pub(super) fn change_to((user, group): (libc::uid_t, libc::gid_t), keep_capabilities: bool) -> Result<()> {
    // SAFETY: no arguments, and it can't fail.
    if unsafe { libc::geteuid() } != 0 {
        return Ok(());
    }
    // What ends this process with its parent is forgotten when the user changes.
    let mut death_signal: libc::c_int = 0;
    // SAFETY: these calls take numbers, an empty list, and a pointer that is valid for the call.
    let changed = unsafe {
        libc::prctl(libc::PR_GET_PDEATHSIG, &raw mut death_signal);
        libc::prctl(libc::PR_SET_KEEPCAPS, libc::c_ulong::from(keep_capabilities), 0, 0, 0);
        libc::setgroups(0, std::ptr::null()) == 0
            && libc::setresgid(group, group, group) == 0
            && libc::setresuid(user, user, user) == 0
    };
    let error = io::Error::last_os_error();
    // SAFETY: as above.
    unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, death_signal) };
    match error.raw_os_error() {
        _ if changed => Ok(()),
        Some(libc::EPERM) => Ok(()),
        _ => Err(error).context("can't become another user than root"),
    }
}

/// User and group of hs-mon's own user, in the form of /etc/passwd.
fn own_user(passwd: &str) -> Option<(libc::uid_t, libc::gid_t)> {
    passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        let is_own = fields.next() == Some(OWN_USER);
        let (user, group) = (fields.nth(1)?.parse().ok()?, fields.next()?.parse().ok()?);
        (is_own && user != 0).then_some((user, group))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_own_user_is_found_and_is_never_root() {
        let passwd = "root:x:0:0:root:/root:/bin/sh\nbroken\nhs-mon:x:998:997::/:/usr/sbin/nologin\n";
        assert_eq!(own_user(passwd), Some((998, 997)));
        assert_eq!(own_user("hs-mon:x:0:0::/:/bin/sh\n"), None);
        assert_eq!(own_user("hs-monitor:x:5:5::/:\n"), None);
        assert_eq!(own_user(""), None);
    }
}
