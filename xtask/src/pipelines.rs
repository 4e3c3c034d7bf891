//! The tests with the programs that events are sent to. They are Python packages of fixed versions and hashes, unpacked
//! into the cache: nothing of this machine's Python changes.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};

use crate::archive;
use crate::bpf_toolchain::cache_dir;
use crate::libtest::{self, Counts};
use crate::privilege::root_line;
use crate::stage::NotRun;
use crate::test::{Context, PIPELINES_TEST};
use crate::{cargo, shell};

const PYTHON: &str = "python3";
const REQUIREMENTS: &str = "hs-user/tests/pipelines/requirements.txt";
/// Tells the tests where the packages are.
const PLACE: &str = "HS_MON_PIPELINES";

/// jq, pip, and the packages, which are fetched at the first time.
pub fn needs(_: &Context) -> Result<(), NotRun> {
    let missing = |what: &str, package: &str| NotRun {
        why: format!("{what} is missing"),
        command: format!("{} && cargo xtask test", root_line(&format!("apt-get install {package}"))),
    };
    if shell::find_program("jq").is_none() {
        return Err(missing("the program jq", "jq"));
    }
    if !shell::succeeds(pip().arg("--version")) {
        return Err(missing("Python's pip", "python3-pip"));
    }
    packages().map(drop).map_err(|error| NotRun {
        why: format!("the Python packages of {REQUIREMENTS} can't be fetched: {error:#}"),
        command: "cargo xtask test, with a network".to_owned(),
    })
}

/// Runs them; they need no root.
pub fn run(context: &Context) -> Result<Counts> {
    let mut tests = cargo::strict();
    tests.args(["test", "--no-fail-fast"]).args(context.features()).args(["--test", PIPELINES_TEST]);
    libtest::run(tests.args(&context.filter).env(PLACE, packages()?))
}

/// The directory of the packages. Others are fetched for another Python, and when the list changes.
fn packages() -> Result<PathBuf> {
    let cache = cache_dir().context("no place for the cache: set HOME, or HS_MON_CACHE to a directory")?;
    let list = shell::workspace_root().join(REQUIREMENTS);
    let version = archive::output(Command::new(PYTHON).arg("--version"))?;
    let version = version.trim().replace(' ', "-").to_lowercase();
    let hash = archive::sha256(&list)?;
    let of_this_python = format!("pipelines-{version}-");
    let entry = cache.join(format!("{of_this_python}{}", &hash[..12]));
    if !entry.is_dir() {
        remove_older(&cache, &of_this_python);
        shell::say("fetching ClickHouse, Vector's language and others as Python packages, 180 MB");
        archive::publish(&entry, |scratch| {
            let place = scratch.join("packages");
            let mut install = pip();
            install.args(["install", "--quiet", "--disable-pip-version-check", "--root-user-action=ignore"]);
            // Nothing is built here, and nothing comes that is not in the list.
            install.args([
                "--no-deps",
                "--only-binary=:all:",
                "--require-hashes",
                "--no-compile",
                "--no-cache-dir",
            ]);
            shell::run(install.arg("--target").arg(&place).arg("--requirement").arg(&list))?;
            Ok(place)
        })?;
    }
    Ok(entry)
}

/// What is of an earlier list: half a gigabyte that nobody will use again.
fn remove_older(cache: &Path, beginning: &str) {
    let entries = fs::read_dir(cache).into_iter().flatten().flatten();
    for entry in entries.filter(|entry| entry.file_name().to_string_lossy().starts_with(beginning)) {
        fs::remove_dir_all(entry.path()).ok();
    }
}

fn pip() -> Command {
    let mut pip = Command::new(PYTHON);
    pip.args(["-m", "pip"]);
    pip
}
