//! The end of the show: what was sent against what hs-mon counted.

use std::fmt::Write as _;

use anyhow::{Context as _, Result};

use super::Format;

/// Handshakes by outcome.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Handshakes {
    pub completed: u64,
    pub refused: u64,
    pub aborted: u64,
    pub malformed: u64,
    pub half_open: u64,
}

impl Handshakes {
    /// What hs-mon counted, from its last words.
    pub fn counted(lines: &[String], format: Format) -> Result<Handshakes> {
        let counts = match format {
            Format::Text => from_text(lines),
            Format::Json => lines.last().and_then(|line| from_json(line)),
        };
        counts.context("hs-mon ended without its totals")
    }

    fn rows(&self) -> [(&'static str, u64); 5] {
        [
            ("completed: honest clients that connected", self.completed),
            ("refused: knocks on closed ports", self.refused),
            ("aborted: scanners that hung up", self.aborted),
            ("malformed: clients with wrong numbers", self.malformed),
            ("half-open: clients that never answered, and the flood", self.half_open),
        ]
    }
}

/// A table, and its verdict in the last line.
pub fn compare(made: &Handshakes, counted: &Handshakes) -> String {
    let mut table = format!("{:<56}{:>10}{:>16}\n", "", "made", "hs-mon counted");
    for ((name, made), (_, counted)) in made.rows().into_iter().zip(counted.rows()) {
        let mark = if made == counted { "" } else { "   differs" };
        let _ = writeln!(table, "  {name:<54}{made:>10}{counted:>16}{mark}");
    }
    let verdict = if made.completed == counted.completed { "the same" } else { "NOT the same" };
    let _ = write!(
        table,
        "Clients made {} connections, hs-mon reported {} handshakes completed: {verdict}.",
        made.completed, counted.completed
    );
    table
}

/// Whether the block of totals begins.
pub fn is_title_of_totals(line: &str) -> bool {
    plain(line).starts_with("Totals until ")
}

/// Without colours: an escape sequence ends with its `m`.
pub fn plain(line: &str) -> String {
    let mut parts = line.split("\x1b[");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| text + part.split_once('m').map_or(part, |(_, rest)| rest))
}

fn from_text(lines: &[String]) -> Option<Handshakes> {
    let start = lines.iter().rposition(|line| is_title_of_totals(line))?;
    let number = |name: &str| {
        let row = lines[start..].iter().find_map(|line| line.strip_prefix("  ")?.strip_prefix(name))?;
        row.split_whitespace().next()?.replace(',', "").parse().ok()
    };
    Some(Handshakes {
        completed: number("completed")?,
        refused: number("refused")?,
        aborted: number("aborted")?,
        malformed: number("malformed")?,
        half_open: number("half-open")?,
    })
}

fn from_json(line: &str) -> Option<Handshakes> {
    let line: serde_json::Value = serde_json::from_str(line).ok()?;
    let number = |name: &str| line.get("stats")?.get(name)?.as_u64();
    Some(Handshakes {
        completed: number("completed")?,
        refused: number("refused")?,
        aborted: number("aborted")?,
        malformed: number("malformed")?,
        half_open: number("half_open")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const COUNTED: Handshakes =
        Handshakes { completed: 1394, refused: 6, aborted: 2, malformed: 1, half_open: 18_002 };

    #[test]
    fn the_totals_are_read_in_both_formats() {
        let text = "12:00:00.000000  completed   198.18.0.2:1 → 198.18.0.1:80\n\n\
            \x1b[1mTotals until 2026-01-01 12:00:00 UTC\x1b[0m\nhandshakes begun    19,405\n  \
              completed    1,394     7.2 %\n  refused    6     0.0 %\n  aborted    2     0.0 %\n  \
              half-open    18,002    92.8 %\n  malformed    1     0.0 %";
        let text: Vec<String> = text.lines().map(str::to_owned).collect();
        assert_eq!(Handshakes::counted(&text, Format::Text).ok(), Some(COUNTED));
        let json = r#"{"event_type":"stats","stats":{"completed":1394,"refused":6,"aborted":2,
            "malformed":1,"half_open":18002}}"#;
        assert_eq!(Handshakes::counted(&[json.to_owned()], Format::Json).ok(), Some(COUNTED));
    }

    #[test]
    fn a_difference_is_said() {
        let made = Handshakes { completed: 1395, ..COUNTED };
        let text = compare(&made, &COUNTED);
        assert!(text.ends_with("1395 connections, hs-mon reported 1394 handshakes completed: NOT the same."));
        assert!(compare(&COUNTED, &COUNTED).ends_with("completed: the same."));
    }
}
