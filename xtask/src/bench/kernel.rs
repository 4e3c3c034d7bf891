//! The programs alone: the bench of hs-user, built as the user, run as root.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use super::Options;
use crate::privilege::{Privilege, root_line};
use crate::test::KERNEL_TESTS_FEATURE;
use crate::{cargo, shell};

const BENCH: &str = "kernel";

/// Runs it to its end; the tables are on its standard output, which is ours. Returns the figures.
pub fn run(options: &Options) -> Result<Value> {
    let program = build()?;
    let mut bench = Privilege::detect().command(&program).with_context(|| {
        let by_hand = root_line(&program.display().to_string());
        format!("the bench has to be root, because it loads BPF programs; run:\n  {by_hand}")
    })?;
    if options.quick {
        bench.arg("--quick");
    }
    if !options.only.is_empty() {
        bench.arg("--only").arg(options.only.join(","));
    }
    let figures = cargo::workspace()?.target_directory.join("bench-programs.json");
    bench.arg("--json").arg(&figures);
    let status = bench.status().with_context(|| shell::cannot_start(&bench))?;
    if !status.success() {
        bail!("`{}` failed ({status})", shell::display(&bench));
    }
    let text = fs::read_to_string(&figures).with_context(|| format!("can't read {}", figures.display()))?;
    Ok(serde_json::from_str(&text)?)
}

/// As the kernel tests are built, so that nothing is compiled twice. The BPF objects are optimised all the
/// same, and what user space does is not timed.
pub(super) fn build() -> Result<PathBuf> {
    let mut build = cargo::strict();
    build.args(["test", "--no-run", "--features", KERNEL_TESTS_FEATURE, "--bench", BENCH]);
    let programs = cargo::build_executables(&mut build)?;
    let program = programs.into_iter().find(|program| program.name == BENCH);
    Ok(program.context("cargo built no bench")?.path)
}
