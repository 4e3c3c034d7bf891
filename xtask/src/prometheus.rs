//! The tests with a real Prometheus. It is Debian's, unpacked into the cache: installed, it would run as a service
//! that listens to everybody.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};

use crate::archive::{self, Deb};
use crate::bpf_toolchain::cache_dir;
use crate::libtest::Counts;
use crate::privilege::{Privilege, root_line};
use crate::stage::NotRun;
use crate::test::{Context, PROMETHEUS_TEST};
use crate::{kernel_tests, shell};

const PACKAGE: &str = "prometheus";
/// Tells the tests where its programs are.
const PLACE: &str = "HS_MON_PROMETHEUS";

/// What the kernel tests need, and Prometheus, which is fetched at the first time.
pub fn needs(context: &Context) -> Result<(), NotRun> {
    kernel_tests::needs(context)?;
    programs().map(drop).map_err(|error| NotRun {
        why: format!("Debian's package {PACKAGE} can't be fetched: {error:#}"),
        command: format!("{}, with a network, then: cargo xtask test", root_line("apt-get update")),
    })
}

/// Runs them.
pub fn run(context: &Context) -> Result<Counts> {
    let place = format!("{PLACE}={}", programs()?.display());
    kernel_tests::run_targets(context, &[PROMETHEUS_TEST], &[place])
}

/// The directory of prometheus and promtool.
fn programs() -> Result<PathBuf> {
    let cache = cache_dir().context("no place for the cache: set HOME, or HS_MON_CACHE to a directory")?;
    let entry = cache.join(PACKAGE);
    if !entry.join("promtool").is_file() {
        // The lists may be an image's, which has none.
        let deb = Deb::offered(PACKAGE).or_else(|_| {
            if matches!(Privilege::detect(), Privilege::Root | Privilege::Sudo) {
                archive::update();
            }
            Deb::offered(PACKAGE)
        })?;
        archive::publish(&entry, |scratch| unpack(&deb.download(scratch)?, scratch))?;
    }
    Ok(entry)
}

fn unpack(deb: &Path, scratch: &Path) -> Result<PathBuf> {
    shell::run(Command::new("dpkg-deb").arg("--extract").arg(deb).arg(scratch.join("root")))?;
    Ok(scratch.join("root/usr/bin"))
}
