//! `cargo xtask bench`: what hs-mon costs, in one run and beside what it is measured against.

mod attached;
#[path = "../vm/budget.rs"]
#[expect(clippy::duplicate_mod, reason = "private to `cargo xtask vm`")]
mod budget;
mod capture;
pub mod guard;
mod kernel;
mod live;
mod live_table;
mod ordinary;
mod replay;
mod start;
mod usage;

use std::fs;
use std::path::PathBuf;

use anyhow::{Context as _, Result};
use clap::ValueEnum;

use crate::packages::Need;
use crate::setup;

/// A part of the bench.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum Part {
    /// The BPF programs, nanoseconds for a packet; needs root.
    Programs,
    /// Packets through a pair of interfaces, with hs-mon and without; needs root.
    Live,
    /// Replay of a capture, beside other programs.
    Replay,
}

/// The options.
#[derive(clap::Args, Debug)]
pub struct Options {
    /// A short run: fewer rounds, IPv4 only.
    #[arg(long)]
    pub quick: bool,
    /// Of the programs, only these rows, by their names in the JSON, such as syn_4m,ack.
    #[arg(long, value_delimiter = ',')]
    pub only: Vec<String>,
    /// Only these parts.
    #[arg(long, value_enum, value_delimiter = ',')]
    pub part: Vec<Part>,
    /// Writes the figures to this file as JSON.
    #[arg(long)]
    pub json: Option<PathBuf>,
}

impl Options {
    fn has(&self, part: Part) -> bool {
        self.part.is_empty() || self.part.contains(&part)
    }
}

/// The command line. Tables, in Markdown, are on standard output; all else is on standard error.
pub fn command(options: &Options) -> Result<()> {
    if options.has(Part::Live) {
        live::needs_root()?;
    }
    setup::ensure(Need::Build)?;
    let mut figures = serde_json::Map::new();
    if options.has(Part::Programs) {
        figures.insert("programs".to_owned(), kernel::run(options)?);
    }
    // Before the live part, which needs much memory: a process begins with the peak of the one that starts it.
    if options.has(Part::Replay) {
        figures.insert("replay".to_owned(), replay::run(options.quick)?);
    }
    if options.has(Part::Live) {
        figures.insert("live".to_owned(), live::run(options.quick)?);
    }
    if let Some(file) = &options.json {
        let text = serde_json::to_string_pretty(&figures)?;
        fs::write(file, text).with_context(|| format!("can't write {}", file.display()))?;
    }
    Ok(())
}
