//! `cargo xtask detect-eval`: how soon the detector flags attacks, and what it leaves alone, as a table.

use anyhow::Result;

use crate::packages::Need;
use crate::{cargo, setup, shell};

/// The test that prints the table; with this set it runs in full, or in part.
const TEST: &str = "detect_eval";
const FULL: &str = "HS_MON_DETECT_EVAL";

/// The command line. `only`: scenarios with this in their name.
pub fn command(only: Option<&str>) -> Result<()> {
    setup::ensure(Need::Build)?;
    let mut test = cargo::command();
    test.env(FULL, only.unwrap_or("all"));
    test.args(["test", "--release", "--package", "hs-user", "--test", TEST, "--", "--nocapture"]);
    shell::run(&mut test)
}
