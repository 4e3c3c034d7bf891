//! A line of the examination, and how it is written.

use std::io::{self, Write};

use anstyle::{AnsiColor, Style};

use crate::report::units::escaped;

/// What the line means for hs-mon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing to do.
    Ok,
    /// The kernel does not tell, or not to this user.
    Unknown,
    /// hs-mon runs, but worse than it could.
    Warning,
    /// hs-mon would not run.
    Fail,
}

impl Verdict {
    const fn word(self) -> &'static str {
        match self {
            Verdict::Ok => "ok",
            Verdict::Unknown => "unknown",
            Verdict::Warning => "warning",
            Verdict::Fail => "FAIL",
        }
    }

    const fn style(self) -> Style {
        match self {
            Verdict::Ok => AnsiColor::Green.on_default(),
            Verdict::Unknown => Style::new().dimmed(),
            Verdict::Warning => AnsiColor::Yellow.on_default(),
            Verdict::Fail => AnsiColor::Red.on_default().bold(),
        }
    }
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// What it means.
    pub verdict: Verdict,
    /// What was looked at.
    pub subject: &'static str,
    /// What was found.
    pub finding: String,
    /// What to do about it.
    pub remedy: Option<String>,
}

impl Line {
    /// All is well.
    pub fn ok(subject: &'static str, finding: impl Into<String>) -> Line {
        Line { verdict: Verdict::Ok, subject, finding: finding.into(), remedy: None }
    }

    /// It can't be told.
    pub fn unknown(subject: &'static str, finding: impl Into<String>) -> Line {
        Line { verdict: Verdict::Unknown, ..Line::ok(subject, finding) }
    }

    /// It could be better.
    pub fn warning(subject: &'static str, finding: impl Into<String>, remedy: impl Into<String>) -> Line {
        Line { verdict: Verdict::Warning, remedy: Some(remedy.into()), ..Line::ok(subject, finding) }
    }

    /// hs-mon would not run.
    pub fn fail(subject: &'static str, finding: impl Into<String>, remedy: impl Into<String>) -> Line {
        Line { verdict: Verdict::Fail, ..Line::warning(subject, finding, remedy) }
    }

    /// Writes it, and what to do about it on a line below.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn write(&self, colour: bool, out: &mut impl Write) -> io::Result<()> {
        let style = if colour { self.verdict.style() } else { Style::new() };
        let word = self.verdict.word();
        writeln!(out, "  {style}{word:<8}{style:#} {:<14}{}", self.subject, escaped(&self.finding))?;
        match &self.remedy {
            Some(remedy) => writeln!(out, "{:24}→ {}", "", escaped(remedy)),
            None => Ok(()),
        }
    }
}
