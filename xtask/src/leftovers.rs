//! Nothing of a test may stay on the machine: no namespace, no interface, no pinned BPF object.

use std::path::Path;

use anyhow::{Result, bail};

use crate::libtest::Counts;
use crate::test::Context;

/// Directory, start of the names that the tests give, and how to remove such a thing.
const PLACES: [(&str, &str, &str); 3] = [
    ("/run/netns", "hsmon-", "ip netns delete"),
    ("/sys/class/net", "hsm", "ip link delete"),
    ("/sys/fs/bpf", "hs", "rm -r /sys/fs/bpf/"),
];

/// Fails with the names of what is left, each with the command that removes it.
pub fn check(_: &Context) -> Result<Counts> {
    let left: Vec<String> =
        PLACES.iter().flat_map(|(dir, start, remove)| left_in(dir, start, remove)).collect();
    if !left.is_empty() {
        bail!("tests left something behind; remove it by: {}", left.join("; "));
    }
    Ok(Counts::default())
}

/// A directory that is not there, or not for this user to read, has nothing of this user's tests.
fn left_in(dir: &str, start: &str, remove: &str) -> Vec<String> {
    let entries = Path::new(dir).read_dir().into_iter().flatten().flatten();
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    let separator = if remove.ends_with('/') { "" } else { " " };
    names.filter(|name| name.starts_with(start)).map(|name| format!("{remove}{separator}{name}")).collect()
}
