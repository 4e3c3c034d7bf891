//! The kernels to boot: Debian's cloud kernels at fixed builds, or one's own.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use anyhow::{Context as _, Result, bail};

use super::unpack;
use crate::archive::{self, Deb};
use crate::bpf_toolchain::cache_dir;
use crate::privilege::{self, Privilege};
use crate::shell;

/// A build that the tests are known to pass on.
#[derive(Debug)]
pub struct Pinned {
    /// What it is called on the command line.
    pub series: &'static str,
    /// The package, and the meta-package that always leads to the newest build of the series.
    package: &'static str,
    meta: &'static str,
    version: &'static str,
    sha256: &'static str,
}

/// One kernel without tcx, one with it; the machine's own is the third.
pub const PINNED: &[Pinned] = &[
    Pinned {
        series: "6.1",
        package: "linux-image-6.1.0-56-cloud-amd64",
        meta: "linux-image-cloud-amd64",
        version: "6.1.192-2",
        sha256: "e7d02b943971edcb8790e256c02cfab3bca6c3d37c1bf25392a57c71300615ee",
    },
    Pinned {
        series: "6.12",
        package: "linux-image-6.12.117+deb12-cloud-amd64",
        meta: "linux-image-6.12-cloud-amd64",
        version: "6.12.117-1~deb12u1",
        sha256: "5195b288dec79e2981d6b84457f38b7ce7310a2d702930ec7d07209c7f78ce37",
    },
];

/// A kernel as it is asked for.
#[derive(Clone, Debug)]
pub enum Choice {
    /// One of the table.
    Pinned(&'static Pinned),
    /// A Debian package of a kernel, or a kernel itself, which then has its drivers built in.
    Path(PathBuf),
}

/// A kernel ready to boot.
pub struct Kernel {
    /// A short name for it.
    pub label: String,
    /// The image.
    pub image: PathBuf,
    /// Its modules, in the order in which they are loaded.
    pub modules: Vec<PathBuf>,
}

impl FromStr for Choice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let pinned = PINNED.iter().find(|pinned| pinned.series == text).map(Self::Pinned);
        let path = || Some(PathBuf::from(text)).filter(|path| path.is_file()).map(Self::Path);
        pinned.or_else(path).ok_or_else(|| {
            let known: Vec<&str> = PINNED.iter().map(|pinned| pinned.series).collect();
            format!("neither one of {} nor the path of a kernel or of its Debian package", known.join(", "))
        })
    }
}

impl fmt::Display for Choice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pinned(pinned) => f.write_str(pinned.series),
            Self::Path(path) => {
                let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy();
                let name = name.split('_').next().unwrap_or_default();
                f.write_str(name.strip_prefix("linux-image-").unwrap_or(name))
            }
        }
    }
}

impl Choice {
    /// Fetches and unpacks the kernel, where the cache does not have it.
    pub fn kernel(&self) -> Result<Kernel> {
        let entry = match self {
            Self::Pinned(pinned) => pinned.unpacked()?,
            Self::Path(path) if path.extension().is_some_and(|extension| extension == "deb") => {
                let sha256 = archive::sha256(path)?;
                Entry::of(&sha256)?.or_unpack(|_| Ok(path.clone()))?
            }
            Self::Path(path) => {
                let image = std::path::absolute(path)?;
                return Ok(Kernel { label: self.to_string(), image, modules: Vec::new() });
            }
        };
        let modules = unpack::modules(&entry.0)?;
        Ok(Kernel { label: self.to_string(), image: unpack::image(&entry.0), modules })
    }
}

impl Pinned {
    /// An archive keeps a build for some weeks. After that the newest of the series has to do.
    fn unpacked(&self) -> Result<Entry> {
        let entry = Entry::of(self.sha256)?;
        if entry.exists() {
            return Ok(entry);
        }
        let pinned = entry.or_unpack(|dir| self.download(dir));
        match pinned {
            Ok(entry) => Ok(entry),
            Err(error) => self.newest(&error),
        }
    }

    fn download(&self, dir: &Path) -> Result<PathBuf> {
        let deb = Deb::offered(&format!("{}={}", self.package, self.version))?;
        if deb.sha256 != self.sha256 {
            bail!(
                "the archive has another {} {} than the one of xtask/src/vm/kernels.rs",
                self.package,
                self.version
            );
        }
        deb.download(dir)
    }

    fn newest(&self, pinned: &anyhow::Error) -> Result<Entry> {
        shell::say(&format!("{} {} is not to be had: {pinned:#}", self.package, self.version));
        // The lists may be as old as the machine, or an image's that has none.
        if matches!(Privilege::detect(), Privilege::Root | Privilege::Sudo) {
            archive::update();
        }
        let newest = || -> Result<Entry> {
            let deb = Deb::offered(&archive::depended_on(self.meta)?)?;
            if deb.sha256 != self.sha256 {
                shell::say(&format!("taking the newest build of {} instead: {}", self.series, deb.name));
            }
            Entry::of(&deb.sha256)?.or_unpack(|dir| deb.download(dir))
        };
        newest().with_context(|| {
            let update = privilege::root_line("apt-get update");
            format!(
                "no kernel {}; with a network, run this, then the same command again: {update}",
                self.series
            )
        })
    }
}

/// An unpacked package in the cache, known by the package's hash and by what is kept of it.
struct Entry(PathBuf);

impl Entry {
    fn of(sha256: &str) -> Result<Self> {
        let cache =
            cache_dir().context("no place for the cache: set HOME, or HS_MON_CACHE to a directory")?;
        // Twelve digits tell some kernels from each other; the whole hash has been verified before.
        let known = sha256.get(..12).context("a hash is too short")?;
        Ok(Self(cache.join(format!("kernel-{known}-{:08x}", unpack::selection()))))
    }

    fn exists(&self) -> bool {
        self.0.is_dir()
    }

    /// Unpacks the package that `fetch` puts into a directory of its own.
    fn or_unpack(self, fetch: impl FnOnce(&Path) -> Result<PathBuf>) -> Result<Self> {
        if !self.exists() {
            archive::publish(&self.0, |scratch| unpack::unpack(&fetch(scratch)?, scratch))?;
        }
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kernels_are_named_by_series_or_by_path() {
        assert_eq!("6.1".parse::<Choice>().expect("in the table").to_string(), "6.1");
        assert!("6.2".parse::<Choice>().expect_err("neither").contains("6.1, 6.12"));
        let deb = Choice::Path(PathBuf::from("/d/linux-image-6.12.117+deb12-cloud-amd64_6.12_amd64.deb"));
        assert_eq!(deb.to_string(), "6.12.117+deb12-cloud-amd64");
        assert_eq!(Choice::Path(PathBuf::from("/d/bzImage")).to_string(), "bzImage");
    }
}
