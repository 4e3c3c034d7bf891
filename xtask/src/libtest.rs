//! Runs Rust test programs: their output passes through, and the tests are counted.

use std::io::{BufRead as _, BufReader};
use std::ops::AddAssign;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};

use crate::shell;

/// How many tests did what.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Counts {
    /// Tests that passed.
    pub passed: u32,
    /// Tests that failed.
    pub failed: u32,
    /// Tests marked `#[ignore]`.
    pub ignored: u32,
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.ignored += other.ignored;
    }
}

/// Runs one test program, or a cargo that runs many. Failed tests are counted, not an error; an error is
/// a program that failed without telling of a failed test, such as one that crashed or did not compile.
pub fn run(command: &mut Command) -> Result<Counts> {
    let line = shell::display(command);
    shell::say(&format!("+ {line}"));
    let mut child = command.stdout(Stdio::piped()).spawn().with_context(|| shell::cannot_start(command))?;
    let stdout = child.stdout.take().context("the test program has no standard output")?;

    let mut counts = Counts::default();
    for output in BufReader::new(stdout).split(b'\n') {
        let output = output.context("can't read the output of the tests")?;
        let output = String::from_utf8_lossy(&output);
        println!("{output}");
        counts += summary(&output).unwrap_or_default();
    }
    let status = child.wait().context("can't wait for the tests")?;
    if !status.success() && counts.failed == 0 {
        bail!("`{line}` failed ({status})");
    }
    Ok(counts)
}

/// Reads the line with which a test program ends:
/// `test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 2 filtered out; finished in 0.01s`.
pub fn summary(line: &str) -> Option<Counts> {
    let (_, numbers) = line.strip_prefix("test result: ")?.split_once(". ")?;
    let number = |unit: &str| {
        let part = numbers.split("; ").find_map(|part| part.strip_suffix(unit))?;
        part.trim().parse().ok()
    };
    Some(Counts { passed: number("passed")?, failed: number("failed")?, ignored: number("ignored")? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_summaries_and_nothing_else() {
        let ok =
            "test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 2 filtered out; finished in 0.01s";
        let failed = "test result: FAILED. 3 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out";
        let cases = [
            (ok, Some(Counts { passed: 3, failed: 0, ignored: 1 })),
            (failed, Some(Counts { passed: 3, failed: 2, ignored: 0 })),
            ("running 3 tests", None),
            ("test result: none", None),
        ];
        for (line, expected) in cases {
            assert_eq!(summary(line), expected, "{line}");
        }
    }

    #[test]
    fn a_crash_without_a_failed_test_is_an_error() {
        assert!(run(&mut Command::new("false")).is_err());
    }
}
