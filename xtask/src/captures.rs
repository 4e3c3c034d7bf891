//! Replays a directory of reference captures and compares the totals with those of an independent
//! count, and the kernel engine's lines with the library's.
//!
//! The captures are not in the repository. A directory of them holds `truth.tsv`: a header line, then a
//! line for each file with the columns of [`COLUMNS`] among others.

use std::collections::HashMap;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use crate::libtest::Counts;
use crate::stage::NotRun;
use crate::test::{Context, KERNEL_TESTS_FEATURE};
use crate::{cargo, privilege, shell};

/// Names the directory.
const DIRECTORY: &str = "HS_MON_CAPTURES";
/// Where it is looked for otherwise, from the root of the workspace.
const BESIDE: &str = "../shared/captures";
/// A total of hs-mon, and the columns whose sum it must be.
const COLUMNS: [(&str, &[&str]); 7] = [
    ("packets", &["packets"]),
    ("tcp_segments", &["tcp"]),
    ("syn", &["syn"]),
    ("synack", &["synack"]),
    ("begun", &["attempts"]),
    ("completed", &["est", "est_loose", "simopen"]),
    ("refused", &["refused"]),
];

/// What the stage needs.
pub fn needs(_: &Context) -> Result<(), NotRun> {
    if directory().join("truth.tsv").is_file() {
        return Ok(());
    }
    let why = format!("there are no reference captures; {DIRECTORY} names their directory");
    Err(NotRun { why, command: format!("{DIRECTORY}=… cargo xtask test") })
}

/// Each capture counts as a test.
pub fn run(_: &Context) -> Result<Counts> {
    let hs_mon = build()?;
    let truth = fs::read_to_string(directory().join("truth.tsv")).context("can't read truth.tsv")?;
    if !privilege::is_root() {
        shell::say("the kernel engine is NOT compared: that needs root");
    }
    let mut counts = Counts::default();
    for row in rows(&truth) {
        let name = row.get("file").context("truth.tsv has no column `file`")?;
        match compare(&hs_mon, name, &row) {
            Ok(()) => counts.passed += 1,
            Err(error) => {
                shell::say(&format!("{name}: {error:#}"));
                counts.failed += 1;
            }
        }
    }
    Ok(counts)
}

fn directory() -> PathBuf {
    env::var_os(DIRECTORY).map_or_else(|| shell::workspace_root().join(BESIDE), PathBuf::from)
}

/// The hs-mon of the tests, with their features, so that nothing is compiled anew.
fn build() -> Result<PathBuf> {
    let mut build = cargo::strict();
    build.args(["build", "--package", "hs-user", "--features", KERNEL_TESTS_FEATURE]);
    let built = cargo::build_executables(&mut build)?;
    let hs_mon = built.into_iter().find(|executable| executable.name == "hs-mon");
    Ok(hs_mon.context("cargo built no hs-mon")?.path)
}

fn rows(tsv: &str) -> impl Iterator<Item = HashMap<&str, &str>> {
    let mut lines = tsv.lines();
    let names: Vec<&str> = lines.next().unwrap_or_default().split('\t').collect();
    lines.map(move |line| names.iter().copied().zip(line.split('\t')).collect())
}

fn compare(hs_mon: &Path, name: &str, truth: &HashMap<&str, &str>) -> Result<()> {
    let lines = replay(hs_mon, name, "native")?;
    let last: Value = serde_json::from_str(lines.lines().last().unwrap_or_default())?;
    for (total, columns) in COLUMNS {
        let expected = columns.iter().map(|column| number(truth, column)).sum::<Result<u64>>()?;
        let found = &last["stats"][total];
        if *found != expected {
            bail!("{total}: {expected} by the reference, {found} by hs-mon");
        }
    }
    if privilege::is_root() && replay(hs_mon, name, "kernel")? != lines {
        bail!("the kernel engine says something else");
    }
    Ok(())
}

fn number(truth: &HashMap<&str, &str>, column: &str) -> Result<u64> {
    let text = truth.get(column).with_context(|| format!("truth.tsv has no column `{column}`"))?;
    text.parse().with_context(|| format!("column {column}: `{text}`"))
}

fn replay(hs_mon: &Path, name: &str, engine: &str) -> Result<String> {
    let mut replay = Command::new(hs_mon);
    replay.args(["replay", "--format", "json", "--engine", engine]).arg(directory().join(name));
    let output = replay.output().with_context(|| shell::cannot_start(&replay))?;
    if !output.status.success() {
        bail!("{}", String::from_utf8_lossy(&output.stderr).trim_end());
    }
    String::from_utf8(output.stdout).context("hs-mon's output is not UTF-8")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_found_by_name() {
        let rows: Vec<_> = rows("file\tsyn\test\na.pcap\t3\t2\n").collect();
        assert_eq!(rows.len(), 1);
        assert_eq!((rows[0]["file"], rows[0]["syn"], rows[0]["est"]), ("a.pcap", "3", "2"));
        assert!(number(&rows[0], "refused").is_err());
    }
}
