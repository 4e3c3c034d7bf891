//! What cargo-deny says of the dependencies: licences, sources, bans, and known vulnerabilities.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, Result};

use crate::cache::Tool;
use crate::libtest::Counts;
use crate::stage::NotRun;
use crate::test::Context;
use crate::{cargo, shell};

const CARGO_DENY: Tool = Tool {
    name: "cargo-deny",
    version: "0.20.2",
    why: "checks the dependencies' licences and sources",
    takes: "2 to 4 minutes",
    args: &[],
    env: &[],
};

/// cargo-deny itself, built into the cache at the first time.
pub fn needs(_: &Context) -> Result<(), NotRun> {
    let again = || "cargo xtask test, with a network".to_owned();
    CARGO_DENY.ensure().map(drop).map_err(|error| NotRun { why: format!("{error:#}"), command: again() })
}

/// The rules of deny.toml that need no database.
pub fn check(_: &Context) -> Result<Counts> {
    shell::run(cargo_deny()?.args(["check", "--hide-inclusion-graph", "bans", "licenses", "sources"]))?;
    Ok(Counts::default())
}

/// The database of vulnerabilities, which is fetched here: offline, the stage can't run.
pub fn advisories_needs(_: &Context) -> Result<(), NotRun> {
    let fetched = cargo_deny().map(|mut deny| shell::succeeds(deny.args(["fetch", "db"])));
    let why = match fetched {
        Ok(true) => return Ok(()),
        Ok(false) => "the advisory database can't be fetched".to_owned(),
        Err(error) => format!("{error:#}"),
    };
    Err(NotRun { why, command: "cargo xtask test, with access to the database".to_owned() })
}

/// No dependency with a known vulnerability.
pub fn advisories(_: &Context) -> Result<Counts> {
    shell::run(cargo_deny()?.args(["check", "--disable-fetch", "advisories"]))?;
    Ok(Counts::default())
}

/// cargo-deny asks cargo about the workspace, and finds it by this variable or on PATH.
fn cargo_deny() -> Result<Command> {
    let program: PathBuf = CARGO_DENY.path().context("cargo-deny is not in the cache")?;
    let mut command = Command::new(program);
    command.current_dir(shell::workspace_root()).env("CARGO", cargo::command().get_program());
    Ok(command)
}
