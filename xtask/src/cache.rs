//! Tools built from source into the project's own cache, where they are in nobody's way.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};

use crate::bpf_toolchain::cache_dir;
use crate::{cargo, privilege, shell};

/// A program of crates.io at a fixed version.
pub struct Tool {
    /// Name of the crate and of its program.
    pub name: &'static str,
    /// The version to build.
    pub version: &'static str,
    /// What it is needed for.
    pub why: &'static str,
    /// How long building it takes on two cores.
    pub takes: &'static str,
    /// More arguments of `cargo install`.
    pub args: &'static [&'static str],
    /// Environment of the build.
    pub env: &'static [(&'static str, &'static str)],
}

impl Tool {
    /// The program in the cache, if it is there.
    pub fn path(&self) -> Option<PathBuf> {
        let path = self.home().ok()?.join("bin").join(self.name);
        path.is_file().then_some(path)
    }

    /// Builds the program if it is not there. An interrupted build leaves nothing that looks whole: it
    /// happens beside the cache entry, which appears by a rename.
    pub fn ensure(&self) -> Result<PathBuf> {
        if let Some(path) = self.path() {
            return Ok(path);
        }
        shell::say(&format!("building {} {} ({}), {}", self.name, self.version, self.why, self.takes));
        let home = self.home()?;
        let cache = home.parent().context("the cache has no parent directory")?;
        fs::create_dir_all(cache).with_context(|| format!("can't create {}", cache.display()))?;
        remove_interrupted(cache);

        let scratch = cache.join(format!("{SCRATCH}{}", std::process::id()));
        let built = shell::run(&mut self.install_command(&scratch)).and_then(|()| publish(&scratch, &home));
        // The intermediate files are some hundred megabytes and of no further use.
        fs::remove_dir_all(&scratch).ok();
        privilege::give_to_sudo_user(cache);
        built.with_context(|| format!("can't build {} {}", self.name, self.version))?;
        Ok(home.join("bin").join(self.name))
    }

    fn home(&self) -> Result<PathBuf> {
        let cache =
            cache_dir().context("no place for the cache: set HOME, or HS_MON_CACHE to a directory")?;
        Ok(cache.join(format!("{}-{}", self.name, self.version)))
    }

    fn install_command(&self, scratch: &Path) -> Command {
        let mut command = cargo::command();
        command.args(["install", self.name, "--version", self.version]).args(self.args);
        command.arg("--root").arg(scratch.join("root")).arg("--target-dir").arg(scratch.join("target"));
        command.envs(SOON_BUILT).envs(self.env.iter().copied());
        command
    }
}

/// The tools run for seconds; what counts is how soon they are there.
const SOON_BUILT: [(&str, &str); 4] = [
    ("CARGO_PROFILE_RELEASE_OPT_LEVEL", "1"),
    ("CARGO_PROFILE_RELEASE_LTO", "off"),
    ("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "16"),
    ("CARGO_PROFILE_RELEASE_DEBUG", "0"),
];

/// Start of the name of a build's own directory; the process id follows.
const SCRATCH: &str = "building-";

fn publish(scratch: &Path, home: &Path) -> Result<()> {
    if home.exists() {
        fs::remove_dir_all(home).with_context(|| format!("can't replace {}", home.display()))?;
    }
    fs::rename(scratch.join("root"), home).with_context(|| format!("can't create {}", home.display()))
}

/// Removes what earlier builds left whose process is gone.
fn remove_interrupted(cache: &Path) {
    for entry in cache.read_dir().into_iter().flatten().flatten() {
        let name = entry.file_name();
        let process = name.to_str().and_then(|name| name.strip_prefix(SCRATCH));
        if process.is_some_and(|id| !Path::new("/proc").join(id).exists()) {
            fs::remove_dir_all(entry.path()).ok();
        }
    }
}
