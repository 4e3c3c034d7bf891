//! The list of events, alerts and notices: the last ones, a filter, and a pause to read them.

use std::collections::VecDeque;
use std::rc::Rc;

use hs_common::Event;

use crate::detect::Alert;
use crate::report::units::escaped;
use crate::report::{Filter, Kind, Lines, Origin};

/// Entries that are kept.
const MOST: usize = 1000;

/// An entry. Events become text when they are shown, and of most nobody sees it.
enum Entry {
    /// With the name of its interface at that time.
    Event(Event, Rc<str>),
    Alert(Box<Alert>),
    Notice(String),
    /// So many came while the list stood still.
    Gap(u64),
}

/// A line on the screen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// What it is, or nothing if it is a notice.
    pub kind: Option<Kind>,
    /// As text output has it.
    pub text: String,
}

/// The list.
pub struct Journal {
    entries: VecDeque<(u64, Entry)>,
    kinds: Filter,
    /// Whether lines tell their interface.
    show_interface: bool,
    /// That of the event before.
    interface: Rc<str>,
    paused: bool,
    /// What came while it was paused.
    missed: u64,
    /// How far the newest line is below the screen.
    scrolled: usize,
    /// Only lines with this in them; while it is typed, `typing` is set.
    needle: String,
    typing: bool,
}

impl Journal {
    pub fn new(kinds: Filter, show_interface: bool) -> Journal {
        Journal {
            entries: VecDeque::new(),
            kinds,
            show_interface,
            interface: Rc::from(""),
            paused: false,
            missed: 0,
            scrolled: 0,
            needle: String::new(),
            typing: false,
        }
    }

    pub fn event(&mut self, event: &Event, unix_ns: u64, interface: &str) {
        if Kind::of(event).is_some_and(|kind| self.kinds.passes(kind)) {
            if *self.interface != *interface {
                self.interface = Rc::from(interface);
            }
            self.push(unix_ns, Entry::Event(*event, self.interface.clone()));
        }
    }

    pub fn alert(&mut self, alert: &Alert, unix_ns: u64) {
        if self.kinds.passes(Kind::Alert) {
            self.push(unix_ns, Entry::Alert(Box::new(alert.clone())));
        }
    }

    pub fn notice(&mut self, text: String, unix_ns: u64) {
        self.push(unix_ns, Entry::Notice(text));
    }

    fn push(&mut self, unix_ns: u64, entry: Entry) {
        if self.paused {
            self.missed += 1;
            return;
        }
        if self.entries.len() == MOST {
            self.entries.pop_front();
        }
        self.entries.push_back((unix_ns, entry));
    }

    /// Stops the list, or lets it go on from now.
    pub fn pause(&mut self, pause: bool) {
        self.paused = pause;
        if pause {
            return;
        }
        self.scrolled = 0;
        if self.missed > 0 {
            let missed = std::mem::take(&mut self.missed);
            self.push(0, Entry::Gap(missed));
        }
    }

    /// Moves towards older lines, and stops the list for it.
    pub fn older(&mut self, lines: usize) {
        self.pause(true);
        self.scrolled = (self.scrolled + lines).min(MOST);
    }

    /// Moves towards newer lines.
    pub fn newer(&mut self, lines: usize) {
        self.scrolled = self.scrolled.saturating_sub(lines);
    }

    pub const fn is_paused(&self) -> bool {
        self.paused
    }

    pub const fn missed(&self) -> u64 {
        self.missed
    }

    pub const fn is_typing(&self) -> bool {
        self.typing
    }

    pub fn needle(&self) -> &str {
        &self.needle
    }

    /// Begins or ends the typing of a filter.
    pub fn set_typing(&mut self, typing: bool) {
        self.typing = typing;
    }

    /// Changes the filter.
    pub fn edit(&mut self, change: impl FnOnce(&mut String)) {
        change(&mut self.needle);
        self.scrolled = 0;
    }

    /// The lines to be shown, the newest last.
    pub fn lines(&self, rows: usize) -> Vec<Line> {
        let mut writer = Lines::new(self.show_interface);
        let needle = self.needle.to_lowercase();
        let written =
            self.entries.iter().rev().map(|(unix_ns, entry)| self.line(&mut writer, *unix_ns, entry));
        let mut wanted: Vec<Line> = written
            .filter(|line| needle.is_empty() || line.text.to_lowercase().contains(&needle))
            .take(self.scrolled + rows)
            .collect();
        // Beyond the oldest there is nothing to see.
        let newest = self.scrolled.min(wanted.len().saturating_sub(rows));
        wanted.drain(..newest);
        wanted.reverse();
        wanted
    }

    fn line(&self, writer: &mut Lines, unix_ns: u64, entry: &Entry) -> Line {
        match entry {
            Entry::Event(event, interface) => {
                let text = writer.event(event, unix_ns, &Origin::Interface(interface));
                Line { kind: Kind::of(event), text }
            }
            Entry::Alert(alert) => Line { kind: Some(Kind::Alert), text: writer.alert(alert, unix_ns) },
            Entry::Notice(text) => Line { kind: None, text: format!("hs-mon: {}", escaped(text)) },
            Entry::Gap(missed) => {
                Line { kind: None, text: format!("… {missed} more while the list stood still") }
            }
        }
    }
}
