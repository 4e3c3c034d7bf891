//! What of the file system and the network is left, by Landlock, as far as the kernel has it (Linux 5.13; for the
//! network 6.7; for signals and abstract sockets 6.12).

use std::fs;
use std::path::{Path, PathBuf};

use landlock::{
    ABI, Access, AccessFs, AccessNet, CompatLevel, Compatible, PathBeneath, PathFd, Ruleset, RulesetAttr,
    RulesetCreatedAttr, RulesetError, Scope,
};

/// The newest that is asked for; an older kernel does what it can.
const NEWEST: ABI = ABI::V6;

/// Nothing may be written, run, bound or connected to by TCP; read may be what the kernel tells of itself, and the
/// directory of the configuration file, which editors replace rather than write.
pub(super) fn enter(config: Option<&Path>) -> Result<(), RulesetError> {
    let readable = AccessFs::ReadFile | AccessFs::ReadDir;
    let mut rules = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(NEWEST))?
        .handle_access(AccessNet::from_all(NEWEST))?
        .scope(Scope::from_all(NEWEST))?
        .create()?;
    let system = ["/proc", "/sys/devices/system/cpu"].map(PathBuf::from);
    for path in system.into_iter().chain(config.into_iter().flat_map(directories)) {
        // What is not there can't be read anyway.
        if let Ok(directory) = PathFd::new(&path) {
            rules = rules.add_rule(PathBeneath::new(directory, readable))?;
        }
    }
    rules.restrict_self().map(drop)
}

/// No file may be read by this thread any more.
pub(super) fn close_files() -> Result<(), RulesetError> {
    let rules = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::ReadFile)?
        .create()?;
    rules.restrict_self().map(drop)
}

/// Where the file is, and where it is in truth if that is a symbolic link.
fn directories(file: &Path) -> Vec<PathBuf> {
    let parent = |file: &Path| match file.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    };
    let real = fs::canonicalize(file).ok();
    std::iter::once(parent(file)).chain(real.as_deref().map(parent)).collect()
}
