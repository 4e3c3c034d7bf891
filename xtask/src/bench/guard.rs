//! The guard against regressions, a stage of `cargo xtask test`: ratios to the baselines of the same run,
//! and the verifier's work on this machine's kernel. Never absolute times.

use std::process::Stdio;

use anyhow::{Context as _, Result, bail};

use super::budget::{self, Cost};
use super::kernel;
use crate::libtest::Counts;
use crate::privilege::Privilege;
use crate::shell;
use crate::test::Context;

/// Runs the short bench, and judges what it says.
pub fn run(_: &Context) -> Result<Counts> {
    let mut guard = Privilege::detect().command(kernel::build()?).context("root is no longer to be had")?;
    guard.arg("--guard").stderr(Stdio::inherit());
    shell::say(&format!("+ {}", shell::display(&guard)));
    let output = guard.output().with_context(|| shell::cannot_start(&guard))?;
    let said = String::from_utf8_lossy(&output.stdout);
    print!("{said}");
    if !output.status.success() {
        bail!("`{}` failed ({})", shell::display(&guard), output.status);
    }
    let costs: Vec<Cost> = said.lines().filter_map(Cost::parse).collect();
    let objections = budget::objections(&costs);
    if !objections.is_empty() {
        bail!("{}", objections.join("; "));
    }
    let ratios = said.lines().filter(|line| line.starts_with("ratio ")).count();
    Ok(Counts { passed: (costs.len() + ratios) as u32, ..Counts::default() })
}
