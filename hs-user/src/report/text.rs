//! Text for people: one aligned line an event, a block of totals at the end. Times are UTC.

mod alert;
mod handshake;
mod totals;

use std::fmt::{self, Display, from_fn};
use std::io::{self, Write};

use anstyle::{AnsiColor, Style};
use hs_common::{Event, Outcome, VlanTags};

use super::digits;
use super::filter::Kind;
use super::units::{Clock, escaped};
use super::{Origin, Totals};
use crate::detect::{Alert, Phase};

/// Wide enough for every label and for every IPv4 endpoint; an IPv6 one makes its line longer.
const LABEL_WIDTH: usize = 10;
const ENDPOINT_WIDTH: usize = "255.255.255.255:65535".len();

const DIM: Style = Style::new().dimmed();
const BOLD: Style = Style::new().bold();
const ALARM: Style = AnsiColor::Red.on_default().bold();

/// Writes lines of text into a buffer.
pub struct Text {
    /// Whether each event's interface or file is told.
    pub show_origin: bool,
    paint: Paint,
    clock: Clock,
    date: String,
}

impl Text {
    pub const fn new(colour: bool) -> Text {
        Text { show_origin: false, paint: Paint(colour), clock: Clock::new(), date: String::new() }
    }

    pub fn event(
        &mut self,
        line: &mut Vec<u8>,
        event: &Event,
        kind: Kind,
        unix_ns: u64,
        origin: &Origin,
    ) -> io::Result<()> {
        self.begin(line, unix_ns)?;
        let (label, style) = label(kind);
        self.paint.write(line, style, |line| {
            let start = line.len();
            line.extend_from_slice(label.as_bytes());
            digits::pad(line, start, LABEL_WIDTH);
        })?;
        line.extend_from_slice(b"  ");
        digits::endpoint(line, event.src.into(), event.src_port, ENDPOINT_WIDTH);
        line.extend_from_slice(" → ".as_bytes());
        digits::endpoint(line, event.dst.into(), event.dst_port, ENDPOINT_WIDTH);
        match kind {
            Kind::Handshake(outcome) => handshake::write(line, event, outcome, self.paint)?,
            _ => handshake::write_anomaly(line, event, self.paint)?,
        }
        if event.vlan != VlanTags::NONE {
            let vlan = separated(|| event.vlan.ids(), ".");
            write!(line, "  {}", self.paint.with(DIM, from_fn(|f| write!(f, "vlan {vlan}"))))?;
        }
        self.end(line, Some(origin))
    }

    pub fn alert(
        &mut self,
        line: &mut Vec<u8>,
        alert: &Alert,
        unix_ns: u64,
        origin: &Origin,
    ) -> io::Result<()> {
        self.begin(line, unix_ns)?;
        let until_ns = if alert.phase == Phase::End { alert.last_seen_ns } else { alert.now_ns };
        alert::write(line, alert, until_ns.saturating_sub(alert.started_at_ns), self.paint)?;
        self.end(line, Some(origin))
    }

    /// The totals so far, in one line.
    pub fn stats(&mut self, line: &mut Vec<u8>, totals: &Totals, unix_ns: u64) -> io::Result<()> {
        self.begin(line, unix_ns)?;
        write!(line, "{}  ", self.paint.with(DIM, from_fn(|f| write!(f, "{:<LABEL_WIDTH$}", "totals"))))?;
        totals::write_line(line, totals)?;
        self.end(line, None)
    }

    /// The totals at the end, as a block.
    pub fn totals(&mut self, out: &mut Vec<u8>, totals: &Totals, unix_ns: u64) -> io::Result<()> {
        let stamp = self.clock.at(unix_ns);
        let title = from_fn(|f| write!(f, "Totals until {} {} UTC", stamp.date(), stamp.time()));
        writeln!(out, "\n{}", self.paint.with(BOLD, title))?;
        totals::write_block(out, totals)
    }

    /// The time; and before the first line of a day, the date in a line of its own.
    fn begin(&mut self, line: &mut Vec<u8>, unix_ns: u64) -> io::Result<()> {
        let stamp = self.clock.at(unix_ns);
        if stamp.date() != self.date {
            stamp.date().clone_into(&mut self.date);
            let title = from_fn(|f| write!(f, "── {} UTC ──", stamp.date()));
            writeln!(line, "{}", self.paint.with(DIM, title))?;
        }
        self.paint.write(line, DIM, |line| stamp.push_time(line))?;
        line.extend_from_slice(b"  ");
        Ok(())
    }

    fn end(&self, line: &mut Vec<u8>, origin: Option<&Origin>) -> io::Result<()> {
        if let Some(origin) = origin.filter(|_| self.show_origin) {
            write!(line, "  {}", self.paint.with(DIM, tag(origin)))?;
        }
        line.truncate(line.trim_ascii_end().len());
        line.push(b'\n');
        Ok(())
    }
}

/// Colours, or none.
#[derive(Clone, Copy)]
struct Paint(bool);

impl Paint {
    fn with(self, style: Style, what: impl Display) -> impl Display {
        let style = if self.0 { style } else { Style::new() };
        from_fn(move |f| write!(f, "{style}{what}{style:#}"))
    }

    /// The same, of what needs no formatter.
    fn write(self, line: &mut Vec<u8>, style: Style, what: impl FnOnce(&mut Vec<u8>)) -> io::Result<()> {
        if !self.0 {
            what(line);
            return Ok(());
        }
        write!(line, "{style}")?;
        what(line);
        write!(line, "{style:#}")
    }
}

const fn label(kind: Kind) -> (&'static str, Style) {
    match kind {
        Kind::Handshake(Outcome::Malformed) => ("MALFORMED", ALARM),
        Kind::Handshake(outcome) => (outcome_label(outcome), outcome_style(outcome)),
        Kind::Anomaly => ("ANOMALY", ALARM),
        Kind::Alert => ("alert", ALARM),
        Kind::Stats => ("totals", DIM),
    }
}

const fn outcome_label(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::HalfOpen => "half-open",
        other => other.name(),
    }
}

const fn outcome_style(outcome: Outcome) -> Style {
    match outcome {
        Outcome::Completed => AnsiColor::Green.on_default(),
        Outcome::Unverified => AnsiColor::Cyan.on_default(),
        Outcome::Refused => AnsiColor::Blue.on_default(),
        Outcome::Aborted => AnsiColor::Magenta.on_default(),
        Outcome::HalfOpen => AnsiColor::Yellow.on_default(),
        Outcome::Malformed => ALARM,
    }
}

/// Where an event is from: `[eth0]`, `[trace.pcap 17]`.
fn tag(origin: &Origin) -> impl Display {
    from_fn(|f| match origin {
        Origin::Interface(name) => write!(f, "[{}]", escaped(name)),
        Origin::Capture { file, number } => write!(f, "[{} {number}]", escaped(file)),
    })
}

/// The items with `separator` between them. They are asked for anew each time it is printed.
fn separated<I>(items: impl Fn() -> I, separator: &'static str) -> impl Display
where
    I: Iterator<Item: Display>,
{
    from_fn(move |f| {
        items().enumerate().try_for_each(|(index, item)| {
            f.write_str(if index == 0 { "" } else { separator })?;
            item.fmt(f)
        })
    })
}

/// Facts with a comma between them, after what stands in the line already.
struct Facts<'a> {
    line: &'a mut Vec<u8>,
    separator: &'static str,
}

impl Facts<'_> {
    fn after<'a>(line: &'a mut Vec<u8>, separator: &'static str) -> Facts<'a> {
        Facts { line, separator }
    }

    fn add(&mut self, fact: fmt::Arguments) -> io::Result<()> {
        write!(self.next(), "{fact}")
    }

    /// The line, where the next fact goes.
    fn next(&mut self) -> &mut Vec<u8> {
        self.line.extend_from_slice(self.separator.as_bytes());
        self.separator = ", ";
        self.line
    }
}
