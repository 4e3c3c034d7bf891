//! The list of events, alerts and notices: the last ones of each kind, a filter, and a pause to read them.

use std::collections::VecDeque;
use std::iter;
use std::rc::Rc;

use hs_common::{Event, Outcome};

use crate::detect::Alert;
use crate::report::units::escaped;
use crate::report::{Filter, Kind, Lines, Origin};

/// Entries of each kind that are kept: a flood of one kind takes no place from the others.
const MOST: usize = 1000;
/// The kinds of entries: outcomes, anomalies, alerts, notices, gaps.
const RINGS: usize = Outcome::ALL.len() + 4;

/// An entry. Events become text when they are shown, and of most nobody sees it.
enum Entry {
    /// With the name of its interface at that time.
    Event(Event, Rc<str>),
    Alert(Box<Alert>),
    Notice(String),
    /// So many came while the list stood still.
    Gap(u64),
}

impl Entry {
    /// The ring that it is kept in.
    fn ring(&self) -> usize {
        let others = Outcome::ALL.len();
        match self {
            Entry::Event(event, _) => match Kind::of(event) {
                // Codes begin at 1.
                Some(Kind::Handshake(outcome)) => outcome as usize - 1,
                _ => others,
            },
            Entry::Alert(_) => others + 1,
            Entry::Notice(_) => others + 2,
            Entry::Gap(_) => others + 3,
        }
    }

    /// Whether it is kept also while the list stands still: they are few, and nobody would know of them afterwards.
    const fn is_kept_always(&self) -> bool {
        matches!(self, Entry::Alert(_) | Entry::Notice(_))
    }
}

/// An entry and its place among all.
struct Numbered {
    number: u64,
    unix_ns: u64,
    entry: Entry,
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
    rings: [VecDeque<Numbered>; RINGS],
    /// Of the next entry.
    number: u64,
    kinds: Filter,
    /// Whether lines tell their interface.
    show_interface: bool,
    /// That of the event before.
    interface: Rc<str>,
    /// While it stands still: the number from which on entries are not shown yet. It is that of the gap, if there
    /// will be one.
    paused: Option<u64>,
    /// What came while it was paused, and was not kept.
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
            rings: Default::default(),
            number: 0,
            kinds,
            show_interface,
            interface: Rc::from(""),
            paused: None,
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
        if self.paused.is_some() && !entry.is_kept_always() {
            self.missed += 1;
            return;
        }
        self.put(self.number, unix_ns, entry);
        self.number += 1;
    }

    fn put(&mut self, number: u64, unix_ns: u64, entry: Entry) {
        let ring = &mut self.rings[entry.ring()];
        if ring.len() == MOST {
            ring.pop_front();
        }
        ring.push_back(Numbered { number, unix_ns, entry });
    }

    /// Stops the list, or lets it go on from now.
    pub fn pause(&mut self, pause: bool) {
        if pause {
            if self.paused.is_none() {
                self.paused = Some(self.number);
                self.number += 1;
            }
            return;
        }
        self.scrolled = 0;
        let missed = std::mem::take(&mut self.missed);
        if let Some(number) = self.paused.take().filter(|_| missed > 0) {
            self.put(number, 0, Entry::Gap(missed));
        }
    }

    /// Moves towards older lines, and stops the list for it.
    pub fn older(&mut self, lines: usize) {
        self.pause(true);
        self.scrolled = (self.scrolled + lines).min(RINGS * MOST);
    }

    /// Moves towards newer lines.
    pub fn newer(&mut self, lines: usize) {
        self.scrolled = self.scrolled.saturating_sub(lines);
    }

    pub const fn is_paused(&self) -> bool {
        self.paused.is_some()
    }

    /// What came while it is paused.
    pub fn missed(&self) -> u64 {
        self.missed + self.paused.map_or(0, |gap| self.number - gap - 1)
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
        let written = self.newest_first().map(|of| self.line(&mut writer, of.unix_ns, &of.entry));
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

    /// The entries that are shown, of all rings.
    fn newest_first(&self) -> impl Iterator<Item = &Numbered> {
        let mut left = self.rings.each_ref().map(VecDeque::len);
        let all = iter::from_fn(move || {
            let newest =
                |ring: &usize| left[*ring].checked_sub(1).map(|index| self.rings[*ring][index].number);
            let ring = (0..RINGS).max_by_key(newest)?;
            left[ring] = left[ring].checked_sub(1)?;
            Some(&self.rings[ring][left[ring]])
        });
        let shown_to = self.paused.unwrap_or(u64::MAX);
        all.skip_while(move |of| of.number >= shown_to)
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
