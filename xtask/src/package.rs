//! The stage that tries the Debian package: installed into a directory, looked at by systemd's own tools, at work as
//! its unit has it, and removed. No systemd has to run here.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use crate::libtest::Counts;
use crate::privilege::{Privilege, root_line};
use crate::stage::NotRun;
use crate::test::{Context, PACKAGE_TEST};
use crate::{dist, kernel_tests, shell};

/// Tells the tests where the package is installed.
const PLACE: &str = "HS_MON_PACKAGE";
const UNITS: [&str; 2] = ["hs-mon.service", "hs-mon@.service"];
/// The worst exposure that `systemd-analyze security` may find, in tenths.
const EXPOSURE: &str = "20";
/// What the stage starts, and the Debian package it is in.
const PROGRAMS: [(&str, &str); 5] = [
    ("dpkg", "dpkg"),
    ("systemd-analyze", "systemd"),
    ("systemctl", "systemd"),
    ("setpriv", "util-linux"),
    ("gzip", "gzip"),
];
/// Who starts an instance that is enabled: the boot, and its interface when it comes.
const WANTED_BY: [&str; 2] = ["multi-user.target", "sys-subsystem-net-devices-eth0.device"];

/// What the kernel tests need, the programs above, and cargo-deb, which is built at the first time.
pub fn needs(context: &Context) -> Result<(), NotRun> {
    kernel_tests::needs(context)?;
    if let Some((program, package)) =
        PROGRAMS.iter().find(|(program, _)| shell::find_program(program).is_none())
    {
        let install = root_line(&format!("apt-get install {package}"));
        let why = format!("the program {program} is missing");
        return Err(NotRun { why, command: format!("{install} && cargo xtask test") });
    }
    dist::ensure_packager().map_err(|error| NotRun {
        why: format!("{error:#}"),
        command: "cargo xtask test, with a network".to_owned(),
    })
}

/// Installs it, tries it, removes it.
pub fn run(context: &Context) -> Result<Counts> {
    let scratch = std::env::temp_dir().join(format!("hs-mon-package-{}", std::process::id()));
    let tried = try_in(context, &scratch);
    shell::run(as_root("rm")?.arg("-rf").arg(&scratch))?;
    tried
}

fn try_in(context: &Context, scratch: &Path) -> Result<Counts> {
    let root = scratch.join("root");
    // What dpkg takes for a system.
    fs::create_dir_all(root.join("var/lib/dpkg/info"))?;
    fs::create_dir_all(root.join("var/lib/dpkg/updates"))?;
    fs::write(root.join("var/lib/dpkg/status"), "")?;
    let package = dist::package(&dist::program()?, scratch)?;

    shell::run(dpkg(&root)?.arg("--install").arg(package))?;
    UNITS.iter().try_for_each(|unit| check_unit(unit, &root, scratch))?;
    enable(&root)?;
    let place = format!("{PLACE}={}", root.display());
    let counts = kernel_tests::run_targets(context, &[PACKAGE_TEST], &[place])?;
    shell::run(dpkg(&root)?.args(["--purge", "hs-mon"]))?;
    match left(&root).first() {
        Some(file) => bail!("the package is removed, and {} is still there", file.display()),
        None => Ok(counts),
    }
}

/// systemd reads the unit without a complaint, and finds it hardened.
fn check_unit(name: &str, root: &Path, scratch: &Path) -> Result<()> {
    let installed = root.join("usr/lib/systemd/system").join(name);
    let unit = fs::read_to_string(&installed).with_context(|| format!("the package has no {name}"))?;
    // systemd looks for the program too, which is not where it will be.
    let copy = scratch.join(name);
    fs::write(&copy, unit.replace("ExecStart=/", &format!("ExecStart={}/", root.display())))?;
    let mut verify = Command::new("systemd-analyze");
    verify.args(["verify", "--man=no"]).arg(&copy);
    let said = verify.output().with_context(|| shell::cannot_start(&verify))?;
    let complaints = String::from_utf8_lossy(&said.stderr);
    let ours: Vec<&str> = complaints.lines().filter(|line| line.contains("hs-mon")).collect();
    if !said.status.success() || !ours.is_empty() {
        bail!("systemd-analyze verify: {complaints}");
    }
    let mut security = Command::new("systemd-analyze");
    security.args(["security", "--offline=true", "--no-pager", "--threshold", EXPOSURE]);
    shell::run(security.arg(installed))
}

/// Services are enabled, and an instance is wanted where it should be. No trace of it may be left in the end.
fn enable(root: &Path) -> Result<()> {
    let services = ["--quiet", "enable", "hs-mon", "hs-mon@eth0"];
    shell::run(as_root("systemctl")?.arg("--root").arg(root).args(services))?;
    for wants in WANTED_BY {
        let link = root.join(format!("etc/systemd/system/{wants}.wants/hs-mon@eth0.service"));
        if !link.is_symlink() {
            bail!("hs-mon@eth0 is enabled, and {wants} does not want it");
        }
    }
    Ok(())
}

/// Files that are not dpkg's own.
fn left(root: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut directories = vec![root.to_owned()];
    while let Some(directory) = directories.pop() {
        for path in fs::read_dir(&directory).into_iter().flatten().flatten().map(|entry| entry.path()) {
            if path.starts_with(root.join("var/lib/dpkg")) {
                continue;
            }
            if path.is_dir() { directories.push(path) } else { files.push(path) }
        }
    }
    files
}

fn dpkg(root: &Path) -> Result<Command> {
    let mut dpkg = as_root("dpkg")?;
    // The directory holds no shell for the package's scripts, so they run outside; what they do there depends on
    // `DPKG_ROOT`, which they obey.
    dpkg.arg("--root").arg(root).args(["--force-script-chrootless", "--log=/dev/null"]);
    Ok(dpkg)
}

fn as_root(program: &str) -> Result<Command> {
    Privilege::detect().command(program).context("root is no longer to be had")
}
