//! Packages from Debian's archive without installing them: apt knows where it is and checks what it sends.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use crate::privilege::{self, Privilege};
use crate::shell;

/// A package that the archive has, by apt's signed lists.
pub struct Deb {
    /// What apt calls it: a name, or `name=version`.
    pub name: String,
    /// What it is when it has come whole.
    pub sha256: String,
    file: String,
}

impl Deb {
    /// Looks a package up, without the network.
    pub fn offered(name: &str) -> Result<Self> {
        let uris = output(apt_get().args(["download", "--print-uris", name]))?;
        let (file, sha256) = uri(&uris).with_context(|| format!("apt tells no hash of {name}"))?;
        Ok(Self { name: name.to_owned(), file: file.to_owned(), sha256: sha256.to_owned() })
    }

    /// Fetches it into a directory and verifies it.
    pub fn download(&self, dir: &Path) -> Result<PathBuf> {
        shell::run(apt_get().args(["download", &self.name]).current_dir(dir))?;
        let path = dir.join(&self.file);
        let found = sha256(&path)?;
        if found != self.sha256 {
            bail!("{} has the hash {found}, not {}", self.file, self.sha256);
        }
        Ok(path)
    }
}

/// Reads `'URI' FILE SIZE SHA256:HASH`.
fn uri(uris: &str) -> Option<(&str, &str)> {
    let mut words = uris.lines().find(|line| line.starts_with('\''))?.split_whitespace().skip(1);
    Some((words.next()?, words.find_map(|word| word.strip_prefix("SHA256:"))?))
}

/// Fetches the archive's lists. If that fails, what follows says so better.
pub fn update() {
    if let Some(mut update) = Privilege::detect().command("apt-get") {
        shell::run(update.args(["-q", "update"])).ok();
    }
}

/// The package that a meta-package stands for.
pub fn depended_on(meta: &str) -> Result<String> {
    let depends =
        output(Command::new("apt-cache").args(["depends", "--no-recommends", "--no-suggests", meta]))?;
    let mut packages = depends.lines().filter_map(|line| line.trim().strip_prefix("Depends: "));
    let package = packages.find(|package| package.starts_with("linux-image-"));
    Ok(package.with_context(|| format!("{meta} leads to no kernel"))?.to_owned())
}

/// The hash of a file.
pub fn sha256(path: &Path) -> Result<String> {
    let sum = output(Command::new("sha256sum").arg("--").arg(path))?;
    // A name with special characters is announced by a backslash before the hash.
    let hash = sum.trim_start_matches('\\').split_whitespace().next();
    Ok(hash.context("sha256sum tells no hash")?.to_owned())
}

/// Fills an entry of the cache beside it and renames it into place, so that an interrupted fetch leaves
/// nothing that looks whole. `fill` returns the directory of what shall stay.
pub fn publish(entry: &Path, fill: impl FnOnce(&Path) -> Result<PathBuf>) -> Result<()> {
    let cache = entry.parent().context("the cache has no parent directory")?;
    // The name by which `cache` knows and removes what an interrupted process left.
    let scratch = cache.join(format!("building-{}", std::process::id()));
    fs::create_dir_all(&scratch).with_context(|| format!("can't create {}", scratch.display()))?;
    let published = fill(&scratch).and_then(|filled| {
        fs::rename(filled, entry).with_context(|| format!("can't create {}", entry.display()))
    });
    fs::remove_dir_all(&scratch).ok();
    privilege::give_to_sudo_user(cache);
    published
}

/// What a program prints.
pub fn output(command: &mut Command) -> Result<String> {
    let output = command.output().with_context(|| shell::cannot_start(command))?;
    if !output.status.success() {
        let why = String::from_utf8_lossy(&output.stderr);
        bail!("`{}` failed ({}): {}", shell::display(command), output.status, why.trim());
    }
    String::from_utf8(output.stdout).context("not UTF-8")
}

/// apt's own user can't write where this one can, of which it would warn.
fn apt_get() -> Command {
    let mut apt_get = Command::new("apt-get");
    apt_get.args(["-q", "-o", "APT::Sandbox::User=root"]);
    apt_get
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_and_hash_are_read_from_what_apt_prints() {
        let uris = "'http://archive/pool/l/linux/linux-image_6.1_amd64.deb' linux-image_6.1_amd64.deb 27 SHA256:e7d0\n";
        assert_eq!(uri(uris), Some(("linux-image_6.1_amd64.deb", "e7d0")));
        assert_eq!(uri("'http://archive/a.deb' a.deb 27 MD5Sum:e7d0"), None);
        assert_eq!(uri("E: Version '1' for 'a' was not found"), None);
    }
}
