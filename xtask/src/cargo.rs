//! The user's own cargo: what it builds, and what the workspace has to build.

use std::collections::BTreeMap;
use std::env;
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};
use serde::Deserialize;

use crate::shell;

/// The cargo that runs this program, in the workspace, with the dependencies of its lock file and no others.
pub fn command() -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo")));
    command.arg("--locked").current_dir(shell::workspace_root());
    command
}

/// The same, but for the tests: a warning in the BPF crate is an error. (hs-user's build script reads this;
/// it has to be the same in all stages, or each would compile hs-user anew.)
pub fn strict() -> Command {
    let mut command = command();
    command.env("HS_MON_DENY_WARNINGS", "1");
    command
}

/// A program that cargo has built.
#[derive(Debug, PartialEq, Eq)]
pub struct Executable {
    /// Name of its target.
    pub name: String,
    /// The file.
    pub path: PathBuf,
}

/// One line of cargo's messages, so far as it is of interest here.
#[derive(Deserialize)]
struct Message {
    target: Option<Target>,
    executable: Option<PathBuf>,
}

/// A target of a package.
#[derive(Deserialize, Debug)]
pub struct Target {
    /// Its name.
    pub name: String,
    /// `lib`, `bin`, `test`, …
    pub kind: Vec<String>,
    /// The features without which cargo does not build it.
    #[serde(default, rename = "required-features")]
    pub required_features: Vec<String>,
}

/// A package of the workspace.
#[derive(Deserialize)]
pub struct Package {
    /// Its features and what they switch on.
    #[serde(default)]
    pub features: BTreeMap<String, Vec<String>>,
    /// What can be built of it.
    pub targets: Vec<Target>,
}

/// What cargo knows of the workspace.
#[derive(Deserialize)]
pub struct Workspace {
    /// Its packages.
    pub packages: Vec<Package>,
    /// Where it is built.
    pub target_directory: PathBuf,
}

/// Asks cargo about the workspace.
pub fn workspace() -> Result<Workspace> {
    let mut query = command();
    query.args(["metadata", "--format-version", "1", "--no-deps", "--quiet"]).stderr(Stdio::inherit());
    let output = query.output().with_context(|| shell::cannot_start(&query))?;
    if !output.status.success() {
        bail!("`{}` failed ({})", shell::display(&query), output.status);
    }
    serde_json::from_slice(&output.stdout).context("can't read cargo's metadata")
}

/// Builds, and returns the programs that came of it. `build` is a cargo with its arguments.
pub fn build_executables(build: &mut Command) -> Result<Vec<Executable>> {
    build.arg("--message-format=json-render-diagnostics").stderr(Stdio::inherit());
    let output = build.output().with_context(|| shell::cannot_start(build))?;
    if !output.status.success() {
        bail!("`{}` failed ({})", shell::display(build), output.status);
    }
    Ok(executables(&String::from_utf8_lossy(&output.stdout)))
}

fn executables(messages: &str) -> Vec<Executable> {
    let messages = messages.lines().filter_map(|line| serde_json::from_str::<Message>(line).ok());
    messages
        .filter_map(|message| Some(Executable { name: message.target?.name, path: message.executable? }))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_messages_with_an_executable_count() {
        let messages = r#"{"reason":"compiler-artifact","target":{"name":"a","kind":["lib"]},"executable":null}
{"reason":"build-script-executed","package_id":"b"}
not a message
{"reason":"compiler-artifact","target":{"name":"kernel_xdp","kind":["test"]},"executable":"/t/kernel_xdp-1"}"#;
        let expected = Executable { name: "kernel_xdp".to_owned(), path: PathBuf::from("/t/kernel_xdp-1") };
        assert_eq!(executables(messages), [expected]);
    }
}
