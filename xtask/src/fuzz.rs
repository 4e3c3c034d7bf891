//! `cargo xtask fuzz`: coverage-guided fuzzing with the stable compiler, for a time that is bounded.
//!
//! libFuzzer needs only coverage counters, and the compiler's LLVM pass for them is stable; cargo-fuzz
//! and a nightly toolchain add sanitizers (fuzz/README.md).

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, Result};

use crate::libtest::Counts;
use crate::stage::NotRun;
use crate::test::Context;
use crate::{cargo, shell};

/// The fuzz targets, as in fuzz/Cargo.toml.
const TARGETS: [&str; 2] = ["parse", "engine"];
/// Seconds for each target in `cargo xtask test`.
const SHORT: u32 = 10;
/// Where libFuzzer can be linked: an explicit target keeps build scripts free of the counters.
const HOST: &str = "x86_64-unknown-linux-gnu";
/// What SanitizerCoverage has to put into the code.
const FLAGS: &str = "--cfg fuzzing -Ccodegen-units=1 -Cpasses=sancov-module \
    -Cllvm-args=-sanitizer-coverage-level=4 -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
    -Cllvm-args=-sanitizer-coverage-pc-table -Cllvm-args=-sanitizer-coverage-trace-compares";

/// The command line: `seconds` for each target.
pub fn command(seconds: u32) -> Result<()> {
    let binaries = build()?;
    TARGETS.iter().try_for_each(|target| fuzz(&binaries, target, seconds))
}

/// A stage of `cargo xtask test`.
pub fn stage(_: &Context) -> Result<Counts> {
    command(SHORT)?;
    Ok(Counts::default())
}

/// What the stage needs.
pub fn needs(_: &Context) -> Result<(), NotRun> {
    if cfg!(target_arch = "x86_64") {
        return Ok(());
    }
    let why = "libFuzzer is set up for x86_64 only".to_owned();
    Err(NotRun { why, command: "cargo xtask fuzz".to_owned() })
}

/// Builds the targets and returns the directory that they are in.
fn build() -> Result<PathBuf> {
    let target_dir = cargo::workspace()?.target_directory.join("fuzz");
    let mut build = cargo::command();
    build.current_dir(directory()).env("RUSTFLAGS", FLAGS);
    build.args(["build", "--release", "--locked", "--target", HOST, "--target-dir"]).arg(&target_dir);
    shell::run_shown_as("cargo build --release  (in fuzz/, with coverage counters)", &mut build)?;
    Ok(target_dir.join(HOST).join("release"))
}

/// New inputs go into the target directory; the corpus in the repository is read only.
fn fuzz(binaries: &std::path::Path, target: &str, seconds: u32) -> Result<()> {
    let found = binaries.join("found").join(target);
    fs::create_dir_all(&found).with_context(|| format!("can't make {}", found.display()))?;
    let mut fuzzer = Command::new(binaries.join(target));
    fuzzer.arg("-max_len=600").arg(format!("-max_total_time={seconds}")).arg("-print_final_stats=1");
    fuzzer.arg("-verbosity=0").arg(format!("-artifact_prefix={}/", found.display()));
    fuzzer.arg(&found).arg(directory().join("corpus").join(target));
    shell::run(&mut fuzzer)
        .with_context(|| format!("fuzz target {target}: the input is in {}", found.display()))
}

fn directory() -> PathBuf {
    shell::workspace_root().join("fuzz")
}
