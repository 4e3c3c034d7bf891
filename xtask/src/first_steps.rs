//! The stage that does what a newcomer does first: run hs-mon, install it, and see the demo. Each is this very program
//! started as the documents tell it.

use std::path::Path;
use std::process::{self, Command};
use std::{env, fs};

use anyhow::{Context as _, Result, ensure};

use crate::libtest::Counts;
use crate::shell;
use crate::test::Context;

/// Runs them; what the demo counts, it judges itself.
pub fn run(_: &Context) -> Result<Counts> {
    let scratch = env::temp_dir().join(format!("hs-mon-first-steps-{}", process::id()));
    let tried = try_in(&scratch);
    // It is not there if nothing could be installed, and that error is told already.
    fs::remove_dir_all(&scratch).ok();
    tried
}

fn try_in(scratch: &Path) -> Result<Counts> {
    let version = format!("hs-mon {}", env!("CARGO_PKG_VERSION"));
    shell::run(task(&["install", "--prefix"])?.arg(scratch))?;
    ensure!(said(Command::new(scratch.join("bin/hs-mon")).arg("--version"))? == version);
    ensure!(said(&mut task(&["run", "--", "--version"])?)? == version);
    shell::run(&mut task(&["demo"])?)?;
    Ok(Counts::default())
}

fn task(args: &[&str]) -> Result<Command> {
    let mut task = Command::new(env::current_exe().context("can't find this program's own file")?);
    task.args(args);
    Ok(task)
}

fn said(command: &mut Command) -> Result<String> {
    let output = command.output().with_context(|| shell::cannot_start(command))?;
    ensure!(output.status.success(), "`{}` failed ({})", shell::display(command), output.status);
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}
