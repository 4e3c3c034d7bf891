//! Network namespaces of others, by name as `ip netns` has them, or by path.

use std::fs::{self, File};
use std::io;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow};

/// Where `ip netns` keeps its names.
const NAMES: &str = "/run/netns";

/// Moves the calling thread, and all threads that it starts, into a network namespace: `name` as `ip netns` has
/// it, or a path with a slash, such as /proc/1234/ns/net. Sockets and files that are open stay where they are.
///
/// # Errors
/// There is none, or no privilege to enter it.
pub fn enter(name: &Path) -> Result<()> {
    let path = path_of(name);
    let file = File::open(&path).map_err(|error| explain(name, error))?;
    // SAFETY: setns takes a file descriptor, which is open until it returns, and no pointer.
    if unsafe { libc::setns(file.as_raw_fd(), libc::CLONE_NEWNET) } == 0 {
        return Ok(());
    }
    let error = io::Error::last_os_error();
    let why = match error.raw_os_error() {
        Some(libc::EPERM) => "; it takes CAP_SYS_ADMIN, so run hs-mon as root".to_owned(),
        Some(libc::EINVAL) => format!("; {} is no network namespace", path.display()),
        _ => String::new(),
    };
    Err(error).with_context(|| format!("can't enter the network namespace {}{why}", name.display()))
}

fn path_of(name: &Path) -> PathBuf {
    // An absolute path takes the place of the directory.
    if name.as_os_str().as_encoded_bytes().contains(&b'/') {
        name.to_owned()
    } else {
        Path::new(NAMES).join(name)
    }
}

fn explain(name: &Path, error: io::Error) -> anyhow::Error {
    let mut names: Vec<String> = fs::read_dir(NAMES)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    let known = if names.is_empty() {
        format!("`ip netns` has made none ({NAMES}); a container's is /proc/PID/ns/net")
    } else {
        format!("`ip netns` knows {}", names.join(", "))
    };
    match error.kind() {
        io::ErrorKind::NotFound => anyhow!("no such network namespace: {}; {known}", name.display()),
        _ => {
            anyhow::Error::from(error).context(format!("can't open the network namespace {}", name.display()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_ip_netns_and_paths_are_taken_as_they_are() {
        for (name, path) in
            [("blue", "/run/netns/blue"), ("/proc/1/ns/net", "/proc/1/ns/net"), ("./blue", "./blue")]
        {
            assert_eq!(path_of(Path::new(name)), Path::new(path));
        }
    }

    #[test]
    fn what_is_none_is_named() {
        let error = enter(Path::new("no-such-namespace")).expect_err("there is none");
        assert!(error.to_string().starts_with("no such network namespace: no-such-namespace; "), "{error}");
        let error = enter(Path::new("/proc/self/status")).expect_err("a file of another kind");
        let error = format!("{error:#}");
        assert!(error.contains("/proc/self/status is no network namespace"), "{error}");
    }
}
