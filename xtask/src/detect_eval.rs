//! `cargo xtask detect-eval`: how soon the detector flags attacks, and what it leaves alone, as a table.

use anyhow::Result;

use crate::packages::Need;
use crate::{cargo, setup, shell};

/// The test that prints the table; with this set it runs in full.
const TEST: &str = "detect_eval";
const FULL: &str = "HS_MON_DETECT_EVAL";

/// The command line.
pub fn command() -> Result<()> {
    setup::ensure(Need::Build)?;
    let mut test = cargo::command();
    test.env(FULL, "1").args([
        "test",
        "--release",
        "--package",
        "hs-user",
        "--test",
        TEST,
        "--",
        "--nocapture",
    ]);
    shell::run(&mut test)
}
