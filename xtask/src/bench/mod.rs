//! `cargo xtask bench`: what hs-mon costs, in one run and beside what it is measured against.

mod kernel;

use std::path::PathBuf;

use anyhow::Result;

use crate::packages::Need;
use crate::setup;

/// The options.
#[derive(clap::Args, Debug)]
pub struct Options {
    /// A short run: fewer rounds, IPv4 only.
    #[arg(long)]
    pub quick: bool,
    /// Of the programs, only these rows, by their names in the JSON, such as syn_4m,ack.
    #[arg(long, value_delimiter = ',')]
    pub only: Vec<String>,
    /// Writes the figures to this file as JSON.
    #[arg(long)]
    pub json: Option<PathBuf>,
}

/// The command line. Tables, in Markdown, are on standard output; all else is on standard error.
pub fn command(options: &Options) -> Result<()> {
    setup::ensure(Need::Build)?;
    kernel::run(options)
}
