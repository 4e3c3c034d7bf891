//! `cargo xtask fuzz`: coverage-guided fuzzing with the stable compiler, for a time that is bounded.
//!
//! libFuzzer needs only coverage counters, and the compiler's LLVM pass for them is stable. Under AddressSanitizer, which
//! watches the `unsafe` code meanwhile, it tries five to ten times fewer inputs in the same time.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use crate::libtest::Counts;
use crate::stage::NotRun;
use crate::test::Context;
use crate::{cargo, shell};

/// The fuzz targets, as in fuzz/Cargo.toml.
const TARGETS: [&str; 6] = ["parse", "engine", "capture", "config", "record", "replay"];
/// Seconds for each target in `cargo xtask test`.
const SHORT: u32 = 6;
/// Seconds that an input may take: one that takes longer does not end.
const PATIENCE: u32 = 20;
/// MiB that a target may take at once: an input that makes it take more is a fault.
const MEMORY: u32 = 512;
/// MiB of the whole process: the sanitizer keeps what was given back, to see who uses it still.
const WITH_SANITIZER: u32 = 2560;
/// The line of libFuzzer's last words that tells how many inputs it has tried.
const EXECUTIONS: &str = "stat::number_of_executed_units:";
/// Where libFuzzer can be linked: an explicit target keeps build scripts free of the counters.
const HOST: &str = "x86_64-unknown-linux-gnu";
/// What SanitizerCoverage has to put into the code.
const FLAGS: &str = "--cfg fuzzing -Cpasses=sancov-module \
    -Cllvm-args=-sanitizer-coverage-level=4 -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
    -Cllvm-args=-sanitizer-coverage-pc-table -Cllvm-args=-sanitizer-coverage-trace-compares";

/// AddressSanitizer: its runtime comes with the stable compiler, its flag is still called unstable.
const SANITIZER: &str = " -Zsanitizer=address";

/// The command line: `seconds` for each target.
pub fn command(seconds: u32, sanitize: bool) -> Result<()> {
    let binaries = build(sanitize)?;
    let mut all = 0;
    for target in TARGETS {
        let executions = fuzz(&binaries, target, seconds)?;
        shell::say(&format!("fuzz target {target}: {executions} executions, no fault"));
        all += executions;
    }
    shell::say(&format!("fuzzing: {all} executions of {} targets, no fault", TARGETS.len()));
    Ok(())
}

/// A stage of `cargo xtask test`.
pub fn stage(_: &Context) -> Result<Counts> {
    command(SHORT, false)?;
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
fn build(sanitize: bool) -> Result<PathBuf> {
    let name = if sanitize { "fuzz-sanitized" } else { "fuzz" };
    let target_dir = cargo::workspace()?.target_directory.join(name);
    let mut build = cargo::command();
    build.current_dir(directory()).env("RUSTFLAGS", FLAGS);
    if sanitize {
        build.env("RUSTFLAGS", [FLAGS, SANITIZER].concat()).env("RUSTC_BOOTSTRAP", "1");
    }
    build.args(["build", "--release", "--target", HOST, "--target-dir"]).arg(&target_dir);
    shell::run_shown_as("cargo build --release  (in fuzz/, with coverage counters)", &mut build)?;
    Ok(target_dir.join(HOST).join("release"))
}

/// New inputs go into the target directory; the corpus in the repository is read only. Returns how many inputs were
/// tried.
fn fuzz(binaries: &Path, target: &str, seconds: u32) -> Result<u64> {
    let found = binaries.join("found").join(target);
    fs::create_dir_all(&found).with_context(|| format!("can't make {}", found.display()))?;
    let mut fuzzer = Command::new(binaries.join(target));
    fuzzer.arg("-max_len=600").arg(format!("-max_total_time={seconds}")).arg("-print_final_stats=1");
    fuzzer.arg("-verbosity=0").arg(format!("-artifact_prefix={}/", found.display()));
    fuzzer.arg(format!("-timeout={PATIENCE}"));
    fuzzer.arg(format!("-malloc_limit_mb={MEMORY}")).arg(format!("-rss_limit_mb={WITH_SANITIZER}"));
    fuzzer.arg(&found).arg(directory().join("corpus").join(target));
    shell::say(&format!("+ {}", shell::display(&fuzzer)));
    let output = fuzzer.output().with_context(|| shell::cannot_start(&fuzzer))?;
    let told = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        bail!("{told}\nfuzz target {target} ({}): the input is in {}", output.status, found.display());
    }
    executions(&told).with_context(|| format!("fuzz target {target} told no executions:\n{told}"))
}

fn executions(told: &str) -> Option<u64> {
    told.lines().find_map(|line| line.strip_prefix(EXECUTIONS)?.trim().parse().ok())
}

fn directory() -> PathBuf {
    shell::workspace_root().join("fuzz")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_executions_are_read_from_the_last_words() {
        let told = "Done 7 runs in 1 second(s)\nstat::number_of_executed_units: 1234567\nstat::average_exec_per_sec:     6\n";
        assert_eq!(executions(told), Some(1_234_567));
        assert_eq!(executions("Done 7 runs"), None);
    }

    #[test]
    fn every_target_has_a_corpus() {
        for target in TARGETS {
            let corpus = directory().join("corpus").join(target);
            let seeds = corpus.read_dir().expect("a corpus").count();
            assert!(seeds > 0, "{}", corpus.display());
        }
    }
}
