//! `cargo xtask demo`: hs-mon at work in a network laboratory on this machine, with a story around it.

mod acts;
mod interrupt;
// Here, because other programs include the lab's own files.
#[cfg(test)]
mod lab_tests;
mod outcome;
mod screen;

use std::ffi::OsString;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::{env, iter};

use anyhow::{Context as _, Result, anyhow};
use clap::{ValueEnum, value_parser};

use crate::build::{self, Profile};
use crate::packages::Need;
use crate::privilege::{self, Privilege};
use crate::{setup, shell};

/// How hs-mon writes its events.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum Format {
    /// For people; of lines that are much alike only the first are shown.
    Text,
    /// For programs; every line.
    Json,
}

/// The options.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// How long the show takes: 20 to 180.
    #[arg(long, default_value_t = 20, value_parser = value_parser!(u64).range(20..=180))]
    seconds: u64,
    /// How hs-mon writes its events on standard output; the story is on standard error.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// SYNs a second of the flood: 200 to 10000.
    #[arg(long, default_value_t = 3000, value_parser = value_parser!(u32).range(200..=10_000))]
    flood_rate: u32,
    /// An hs-mon that is built already.
    #[arg(long, hide = true)]
    program: Option<PathBuf>,
}

/// The command line: builds as the user, and gives the show as root.
pub fn command(args: &Args) -> Result<()> {
    if shell::find_program("ip").is_none() {
        setup::ensure(Need::Test)?;
    }
    let program = match &args.program {
        Some(program) => program.clone(),
        None => build::build(Profile::Release)?,
    };
    if privilege::is_root() { acts::run(args, &program) } else { again_as_root(args, &program) }
}

/// Becomes this very program as root, so that signals reach it. Returns only if that fails.
fn again_as_root(args: &Args, program: &Path) -> Result<()> {
    let this = env::current_exe().context("can't find this program's own file")?;
    let arguments = arguments(args, program);
    let mut command = Privilege::detect().command(&this).ok_or_else(|| {
        let line = iter::once(this.as_os_str()).chain(arguments.iter().map(OsString::as_os_str));
        let line = line.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ");
        anyhow!("the demo has to be root for its network namespaces; run:\n  {}", privilege::root_line(&line))
    })?;
    let error = command.args(arguments).exec();
    Err(error).with_context(|| shell::cannot_start(&command))
}

fn arguments(args: &Args, program: &Path) -> Vec<OsString> {
    let format = if args.format == Format::Json { "json" } else { "text" };
    let words = ["demo", "--seconds", &args.seconds.to_string(), "--format", format].map(OsString::from);
    let flood = ["--flood-rate", &args.flood_rate.to_string(), "--program"].map(OsString::from);
    words.into_iter().chain(flood).chain([program.as_os_str().to_owned()]).collect()
}
