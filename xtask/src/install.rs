//! `cargo xtask install`: hs-mon as a plain program in PREFIX/bin.

use std::ffi::OsStr;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Result, bail};

use crate::build::{self, Profile};
use crate::privilege::{self, Privilege};
use crate::shell;

/// The command line.
pub fn command(prefix: &Path) -> Result<()> {
    let program = build::build(Profile::Release)?;
    let target = std::path::absolute(prefix)?.join("bin/hs-mon");
    let arguments = [OsStr::new("-D"), "-m".as_ref(), "0755".as_ref(), program.as_ref(), target.as_ref()];
    // A prefix in the user's own home needs no root.
    let mut direct = Command::new("install");
    if !shell::succeeds(direct.args(arguments).stdin(Stdio::null())) {
        as_root(&direct, &arguments)?;
    }
    shell::say(&format!("installed {}", target.display()));
    Ok(())
}

fn as_root(direct: &Command, arguments: &[&OsStr]) -> Result<()> {
    match Privilege::detect().command("install") {
        Some(mut install) => shell::run(install.args(arguments)),
        None => {
            bail!("this user may not write there; run:\n  {}", privilege::root_line(&shell::display(direct)))
        }
    }
}
