//! What the audience sees: the story on standard error, and hs-mon's lines between it.

use std::collections::BTreeMap;
use std::env;
use std::io::{self, IsTerminal as _, Write as _};
use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::Format;
use super::outcome::{self, plain};
use crate::lab::monitor::Listener;

/// Lines of one kind that are shown in an act.
const SHOWN: u64 = 4;

/// Both streams, in the order of what happens.
#[derive(Clone)]
pub struct Screen {
    state: Arc<Mutex<State>>,
}

struct State {
    format: Format,
    bold: bool,
    /// Lines in this act, by kind.
    lines: BTreeMap<String, u64>,
    /// The last totals have begun: all of them are shown.
    at_totals: bool,
}

impl Screen {
    pub fn new(format: Format) -> Screen {
        let no_color = env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let bold = io::stderr().is_terminal() && !no_color;
        let state = State { format, bold, lines: BTreeMap::new(), at_totals: false };
        Screen { state: Arc::new(Mutex::new(state)) }
    }

    /// A new act; of the one before, what was not shown is told.
    pub fn act(&self, title: &str, story: &str) {
        let mut state = self.lock();
        state.tell_left_out();
        let (on, off) = if state.bold { ("\x1b[1m", "\x1b[0m") } else { ("", "") };
        eprintln!("\n{on}── {title} ──{off}\n{story}\n");
    }

    /// More of the story.
    pub fn tell(&self, text: &str) {
        let _state = self.lock();
        eprintln!("{text}");
    }

    /// Shows hs-mon's standard output.
    pub fn stdout(&self) -> Listener {
        let screen = self.clone();
        Box::new(move |line| screen.lock().show(line))
    }

    /// Shows hs-mon's standard error.
    pub fn stderr(&self) -> Listener {
        let screen = self.clone();
        Box::new(move |line| screen.tell(line))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn show(&mut self, line: &str) {
        // An empty line comes before the totals.
        if self.format == Format::Text && (line.is_empty() || outcome::is_title_of_totals(line)) {
            self.tell_left_out();
            self.at_totals = true;
        }
        if self.is_shown(line) {
            // A reader that has gone away must not keep the laboratory from being put away.
            let _ = writeln!(io::stdout(), "{line}");
        }
    }

    fn is_shown(&mut self, line: &str) -> bool {
        if self.format == Format::Json || self.at_totals {
            return true;
        }
        let Some(kind) = kind(line) else { return true };
        let seen = self.lines.entry(kind).or_default();
        *seen += 1;
        *seen <= SHOWN
    }

    fn tell_left_out(&mut self) {
        let lines = mem::take(&mut self.lines);
        let more = lines.iter().filter(|(_, seen)| **seen > SHOWN);
        let more: Vec<String> = more.map(|(kind, seen)| format!("{} more {kind}", seen - SHOWN)).collect();
        if !more.is_empty() {
            eprintln!("… and {}", more.join(", "));
        }
    }
}

/// What the line tells of, if that is a thing of which there may be many: `12:00:00.000000  completed   …`.
fn kind(line: &str) -> Option<String> {
    let line = plain(line);
    let mut words = line.split_whitespace();
    let (time, kind) = (words.next()?, words.next()?);
    let is_event = time.starts_with(|c: char| c.is_ascii_digit());
    (is_event && kind.starts_with(|c: char| c.is_ascii_alphabetic())).then(|| kind.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_handshakes_and_anomalies_may_be_left_out() {
        let cases = [
            ("13:54:58.842778  completed   198.18.0.2:39566 → 198.18.0.1:80  rtt 37 µs", Some("completed")),
            (
                "\x1b[2m13:54:58.8\x1b[0m  \x1b[33mhalf-open \x1b[0m  198.18.0.2:39566 → 198.18.0.1:80",
                Some("half-open"),
            ),
            ("13:54:59.593973  ▲ SYN FLOOD #1 on 198.18.0.1:80  begins: 2,679 SYN/s", None),
            ("── 2026-11-22 UTC ──", None),
            ("", None),
        ];
        for (line, expected) in cases {
            assert_eq!(kind(line).as_deref(), expected, "{line}");
        }
    }
}
