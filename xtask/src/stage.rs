//! The stages of `cargo xtask test`: each runs or says why not, and all are told in one table at the end.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use anyhow::Result;

use crate::libtest::Counts;
use crate::shell;

/// One stage.
pub struct Stage<C> {
    /// Its name in the table.
    pub name: &'static str,
    /// Whether it may be left out in CI.
    pub in_ci: InCi,
    /// What it needs; tells what is missing.
    pub needs: fn(&C) -> Result<(), NotRun>,
    /// Does it. The tests it counts are zero where it runs none.
    pub run: fn(&C) -> Result<Counts>,
}

/// What it means in CI that a stage could not run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum InCi {
    /// A failure.
    Must,
    /// Nothing.
    May,
}

/// Why a stage did not run.
pub struct NotRun {
    /// What is missing.
    pub why: String,
    /// The command that would run it.
    pub command: String,
}

enum Outcome {
    Ran(Counts),
    Broke(String),
    NotRun(NotRun),
}

/// A stage that is over.
pub struct Report {
    name: &'static str,
    outcome: Outcome,
    took: Duration,
}

impl<C> Stage<C> {
    /// Runs the stage, if it can be run. In CI, what must run and can't has failed.
    pub fn report(&self, context: &C, ci: bool) -> Report {
        shell::say(&format!("== {}", self.name));
        let start = Instant::now();
        let outcome = match (self.needs)(context) {
            Err(not_run) if ci && self.in_ci == InCi::Must => {
                Outcome::Broke(format!("has to run in CI, but {}", not_run.why))
            }
            Err(not_run) => Outcome::NotRun(not_run),
            Ok(()) => match (self.run)(context) {
                Ok(counts) => Outcome::Ran(counts),
                Err(error) => Outcome::Broke(format!("{error:#}")),
            },
        };
        let report = Report { name: self.name, outcome, took: start.elapsed() };
        shell::say(&report.line());
        report
    }
}

impl Report {
    /// Whether the whole run has failed by this stage.
    pub fn failed(&self) -> bool {
        match &self.outcome {
            Outcome::Ran(counts) => counts.failed > 0,
            Outcome::Broke(_) => true,
            Outcome::NotRun(_) => false,
        }
    }

    fn line(&self) -> String {
        let (result, detail) = match &self.outcome {
            Outcome::Ran(counts) if counts.failed > 0 => {
                ("FAILED", format!("{} failed, {} passed", counts.failed, counts.passed))
            }
            Outcome::Ran(counts) if *counts == Counts::default() => ("ok", String::new()),
            Outcome::Ran(counts) => ("ok", format!("{} passed", counts.passed)),
            Outcome::Broke(why) => ("FAILED", one_line(why)),
            Outcome::NotRun(not_run) => {
                ("NOT RUN", format!("{}; to run it: {}", one_line(&not_run.why), not_run.command))
            }
        };
        let took = format!("{:.1} s", self.took.as_secs_f32());
        format!("{:<14} {result:<7} {took:>8}  {detail}", self.name).trim_end().to_owned()
    }

    /// Passed, failed and skipped. A stage that broke counts as one failure, one that did not run as one
    /// skipped, so that the totals can't look better than the run was.
    fn totals(&self) -> (u32, u32, u32) {
        match &self.outcome {
            Outcome::Ran(counts) => (counts.passed, counts.failed, counts.ignored),
            Outcome::Broke(_) => (0, 1, 0),
            Outcome::NotRun(_) => (0, 0, 1),
        }
    }
}

/// The table, and as its last line the totals.
pub fn summary(reports: &[Report]) -> String {
    let mut text = String::from("\n");
    let (mut passed, mut failed, mut skipped) = (0, 0, 0);
    for report in reports {
        let totals = report.totals();
        passed += totals.0;
        failed += totals.1;
        skipped += totals.2;
        text.push_str(&report.line());
        text.push('\n');
    }
    // Writing to a string can't fail.
    write!(text, "\n{passed} passed, {failed} failed, {skipped} skipped").ok();
    text
}

fn one_line(text: &str) -> String {
    text.lines().map(str::trim).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    const STAGES: [Stage<()>; 3] = [
        Stage {
            name: "tests",
            in_ci: InCi::Must,
            needs: |()| Ok(()),
            run: |()| Ok(Counts { passed: 5, failed: 0, ignored: 1 }),
        },
        Stage {
            name: "broken",
            in_ci: InCi::Must,
            needs: |()| Ok(()),
            run: |()| Err(anyhow::anyhow!("no compiler")),
        },
        Stage {
            name: "kernel",
            in_ci: InCi::Must,
            needs: |()| Err(NotRun { why: "root is needed".into(), command: "sudo cargo test".into() }),
            run: |()| Ok(Counts::default()),
        },
    ];

    fn reports(ci: bool) -> Vec<Report> {
        STAGES.iter().map(|stage| stage.report(&(), ci)).collect()
    }

    #[test]
    fn every_stage_has_its_line_and_the_totals_come_last() {
        let text = summary(&reports(false));
        assert!(text.contains("broken         FAILED"), "{text}");
        assert!(text.contains("root is needed; to run it: sudo cargo test"), "{text}");
        assert!(text.ends_with("\n5 passed, 1 failed, 2 skipped"), "{text}");
    }

    #[test]
    fn in_ci_a_stage_that_could_not_run_has_failed() {
        let failed = |ci| reports(ci).iter().map(Report::failed).collect::<Vec<_>>();
        assert_eq!(failed(false), [false, true, false]);
        assert_eq!(failed(true), [false, true, true]);
    }
}
