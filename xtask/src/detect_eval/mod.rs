//! `cargo xtask detect-eval`: how soon the detector flags attacks, and what it leaves alone. In simulated time
//! over many seeds, live in network namespaces, and as a curve of its sensitivity.

mod live;
mod live_table;
mod scenarios;

use anyhow::{Result, bail};
use clap::ValueEnum;

use crate::packages::Need;
use crate::{cargo, privilege, setup, shell};

/// With this set the tests below run in full, with `all` or with scenarios that have this in their name.
const FULL: &str = "HS_MON_DETECT_EVAL";
/// Where the tests are, and how they are called.
const TEST: &str = "detect_eval";
const SIMULATED: &str = "the_detector_reaches_its_figures";
const CURVE: &str = "sensitivity_trades_time_for_silence";

/// A part of the evaluation.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum Part {
    /// Scenarios in simulated time, beside other detectors.
    Simulated,
    /// Detection time against false alarms, from the most sensitive to the least.
    Curve,
    /// Scenarios in network namespaces; needs root.
    Live,
}

/// The options.
#[derive(clap::Args, Debug)]
pub struct Options {
    /// Only scenarios with this in their name.
    only: Option<String>,
    /// Only these parts.
    #[arg(long, value_enum, value_delimiter = ',')]
    part: Vec<Part>,
}

impl Options {
    fn has(&self, part: Part) -> bool {
        self.part.is_empty() || self.part.contains(&part)
    }

    fn is_wanted(&self, name: &str) -> bool {
        self.only.as_ref().is_none_or(|only| name.contains(only))
    }
}

/// The command line. Tables, in Markdown, are on standard output; all else is on standard error.
pub fn command(options: &Options) -> Result<()> {
    let live = options.has(Part::Live);
    if live && !options.part.is_empty() && !privilege::is_root() {
        bail!(
            "the live part makes network namespaces and must be root: sudo cargo xtask detect-eval --part live"
        );
    }
    setup::ensure(Need::Build)?;
    let outcomes = [
        options.has(Part::Simulated).then(|| simulated(options, SIMULATED)),
        (options.has(Part::Curve) && options.only.is_none()).then(|| simulated(options, CURVE)),
        (live && privilege::is_root()).then(|| live::run(options)),
    ];
    if live && !privilege::is_root() {
        shell::say(
            "NOT RUN: the live part. It makes network namespaces and must be root: \
             sudo cargo xtask detect-eval --part live",
        );
    }
    // One that missed its figures keeps no other from being measured.
    outcomes.into_iter().flatten().collect()
}

fn simulated(options: &Options, name: &str) -> Result<()> {
    let mut test = cargo::command();
    test.env(FULL, options.only.as_deref().unwrap_or("all"));
    test.args([
        "test",
        "--release",
        "--package",
        "hs-user",
        "--test",
        TEST,
        "--",
        "--nocapture",
        "--exact",
        name,
    ]);
    shell::run(&mut test)
}
