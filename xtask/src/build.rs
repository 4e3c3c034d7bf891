//! `cargo xtask build`: hs-mon itself, with the BPF object inside.

use std::path::PathBuf;

use anyhow::{Context as _, Result};

use crate::packages::Need;
use crate::{cargo, setup, shell};

/// With or without the optimiser; the BPF object always has it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Profile {
    /// As it is installed.
    Release,
    /// For a debugger.
    Debug,
}

/// The command line: builds and says where the program is.
pub fn command(profile: Profile) -> Result<()> {
    let program = build(profile)?;
    shell::say(&format!("built {}", program.display()));
    Ok(())
}

/// Makes sure of the toolchain, builds, and returns the program.
pub fn build(profile: Profile) -> Result<PathBuf> {
    setup::ensure(Need::Build)?;
    let mut cargo = cargo::command();
    cargo.args(["build", "--package", "hs-user", "--bin", "hs-mon"]);
    if profile == Profile::Release {
        cargo.arg("--release");
    }
    let programs = cargo::build_executables(&mut cargo)?;
    let program = programs.into_iter().find(|program| program.name == "hs-mon");
    Ok(program.context("cargo built no hs-mon")?.path)
}
