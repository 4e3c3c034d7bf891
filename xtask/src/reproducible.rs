//! The BPF object does not depend on where it is built: the workspace's own, and one built from nothing in another
//! directory, are the same bytes. So whoever has the source can tell whether an object was made of it.

use std::env::consts::ARCH;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, anyhow, ensure};

use crate::archive;
use crate::bpf_toolchain::{BpfToolchain, TARGET};
use crate::libtest::Counts;
use crate::shell;
use crate::stage::NotRun;
use crate::test::Context;

/// The object that hs-mon embeds.
const OBJECT: &str = "hs-mon-bpf";
/// What of the workspace cargo must see.
const SOURCES: [&str; 6] = ["Cargo.toml", "Cargo.lock", "hs-common", "hs-ebpf", "hs-user", "xtask"];

/// What the stage needs.
pub fn needs(_: &Context) -> Result<(), NotRun> {
    let missing = BpfToolchain::find().err();
    missing.map_or(Ok(()), |missing| {
        let command = "cargo xtask setup && cargo xtask test".to_owned();
        Err(NotRun { why: missing.to_string(), command })
    })
}

/// The stage. Nothing of it stays behind.
pub fn run(context: &Context) -> Result<Counts> {
    let scratch = std::env::temp_dir().join(format!("hs-mon-reproducible-{}", std::process::id()));
    let compared = compare(&context.workspace.target_directory.join("bpf"), &scratch);
    // What could not be made need not be removed.
    let _ = fs::remove_dir_all(&scratch);
    compared.map(|()| Counts { passed: 1, ..Counts::default() })
}

/// `own`: where hs-user's build script has the workspace's object built, if it was built already.
fn compare(own: &Path, scratch: &Path) -> Result<()> {
    let toolchain = BpfToolchain::find().map_err(|missing| anyhow!("{missing}"))?;
    let one = archive::sha256(&build(&toolchain, shell::workspace_root(), own)?)?;
    copy_sources(scratch)?;
    let other = archive::sha256(&build(&toolchain, scratch, &scratch.join("target"))?)?;
    ensure!(one == other, "two builds of the BPF object differ: SHA-256 {one} and {other}");
    shell::say(&format!("two builds of the BPF object are the same: SHA-256 {one}"));
    Ok(())
}

fn copy_sources(root: &Path) -> Result<()> {
    fs::create_dir_all(root).with_context(|| format!("can't make {}", root.display()))?;
    let sources = SOURCES.map(|name| shell::workspace_root().join(name));
    shell::run(Command::new("cp").arg("-r").args(sources).arg(root))
}

/// Builds the object as hs-user's build script does.
fn build(toolchain: &BpfToolchain, root: &Path, target_dir: &Path) -> Result<PathBuf> {
    let mut build = toolchain.command(&toolchain.compiler.cargo(), root, ARCH);
    build.args(["build", "--quiet", "--release", "--locked", "--package", "hs-ebpf", "--bin", OBJECT]);
    build.args(toolchain.arguments()).arg("--target-dir").arg(target_dir);
    shell::run_shown_as(&format!("cargo build --package hs-ebpf  (in {})", root.display()), &mut build)?;
    Ok(target_dir.join(TARGET).join("release").join(OBJECT))
}
