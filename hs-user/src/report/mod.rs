//! Writes events, alerts and totals for people (text) and programs (JSON).
//!
//! One output, one file: `text` and `json`. Both write whole lines into the buffer of the
//! [`Reporter`], which alone knows the sink. Fields, units and examples: `docs/output.md`.

mod digits;
mod filter;
mod ids;
mod json;
mod lines;
mod text;
pub(crate) mod units;

use std::env;
use std::io::{self, Write};

use hs_common::{Event, Ledger};

pub use filter::{Filter, Kind, UnknownKind};
pub use lines::Lines;

use crate::detect::Alert;
use json::Json;
use text::Text;

/// The buffer goes to the sink when it holds this many bytes, or when the owner says so.
const BUFFER_BYTES: usize = 64 * 1024;
/// Room for the line that fills the buffer.
const LINE_BYTES: usize = 4 * 1024;

/// Whether a terminal shall see colours: <https://no-color.org>, set and not empty.
pub fn wants_colour() -> bool {
    env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// How events are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// Aligned lines for people.
    #[default]
    Text,
    /// One JSON object a line, in the manner of Suricata's EVE.
    Json,
}

/// Where events come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin<'a> {
    /// A watched interface, by name.
    Interface(&'a str),
    /// A capture file.
    Capture {
        /// Its name, as given on the command line.
        file: &'a str,
        /// The number of the packet in it, from 1.
        number: u64,
    },
}

/// The totals since the start.
#[derive(Clone, Copy, Debug)]
pub struct Totals<'a> {
    /// What was counted, and how many events have come to be reported.
    pub ledger: Ledger<'a>,
    /// Alarms that began.
    pub alerts: u64,
    /// Whether nothing is under way any more, so that the ledger must add up.
    pub is_last: bool,
}

/// Writes what passes the filter to one sink, in one format.
///
/// Lines are gathered and written in blocks, always whole lines; [`Reporter::flush`] sends what is
/// left, and so does dropping it, though an error is not seen then.
pub struct Reporter<W: Write> {
    out: W,
    buffer: Vec<u8>,
    filter: Filter,
    output: Output,
}

enum Output {
    Text(Text),
    Json(Json),
}

impl<W: Write> Reporter<W> {
    /// A reporter to `out`, which needs no buffer of its own. `colour` is for text only; whether
    /// `out` is a terminal that wants it is the caller's to know.
    pub fn new(out: W, format: Format, colour: bool, filter: Filter) -> Reporter<W> {
        let output = match format {
            Format::Text => Output::Text(Text::new(colour)),
            Format::Json => Output::Json(Json::new()),
        };
        Reporter { out, buffer: Vec::with_capacity(BUFFER_BYTES + LINE_BYTES), filter, output }
    }

    /// Whether text tells the interface or the file of each event: of use where there are several.
    pub fn show_origin(mut self, show: bool) -> Reporter<W> {
        if let Output::Text(text) = &mut self.output {
            text.show_origin = show;
        }
        self
    }

    /// Whether VLAN tags are a part of `flow_id`, as they are of a flow with `--vlan-aware`.
    pub fn vlan_aware(mut self, aware: bool) -> Reporter<W> {
        if let Output::Json(json) = &mut self.output {
            json.vlan_aware = aware;
        }
        self
    }

    /// Writes a handshake or an anomaly. `unix_ns`: nanoseconds since 1970.
    ///
    /// # Errors
    /// Those of the sink; `InvalidData` if the record's kind or outcome is none that is known.
    pub fn event(&mut self, event: &Event, unix_ns: u64, origin: &Origin) -> io::Result<()> {
        let kind = Kind::of(event).ok_or_else(|| unknown_record(event))?;
        if !self.filter.passes(kind) {
            return Ok(());
        }
        match &mut self.output {
            Output::Text(text) => text.event(&mut self.buffer, event, kind, unix_ns, origin)?,
            Output::Json(json) => json.event(&mut self.buffer, event, kind, unix_ns, origin)?,
        }
        self.line_done()
    }

    /// Writes an alert. Times are nanoseconds since 1970.
    ///
    /// # Errors
    /// Those of the sink.
    pub fn alert(
        &mut self,
        alert: &Alert,
        unix_ns: u64,
        started_at_unix_ns: u64,
        origin: &Origin,
    ) -> io::Result<()> {
        if !self.filter.passes(Kind::Alert) {
            return Ok(());
        }
        let (line, started) = (&mut self.buffer, started_at_unix_ns);
        match &mut self.output {
            Output::Text(text) => text.alert(line, alert, unix_ns, origin)?,
            Output::Json(json) => json.alert(line, alert, unix_ns, started, origin)?,
        }
        self.line_done()
    }

    /// Writes the totals; `origin` is `None` if they are of several interfaces or
    /// files. The last totals are written whatever the filter says: nobody should have to guess
    /// whether a quiet run saw nothing or lost everything.
    ///
    /// # Errors
    /// Those of the sink.
    pub fn stats(&mut self, totals: &Totals, unix_ns: u64, origin: Option<&Origin>) -> io::Result<()> {
        if !totals.is_last && !self.filter.passes(Kind::Stats) {
            return Ok(());
        }
        match &mut self.output {
            Output::Text(text) if totals.is_last => text.totals(&mut self.buffer, totals, unix_ns)?,
            Output::Text(text) => text.stats(&mut self.buffer, totals, unix_ns)?,
            Output::Json(json) => json.stats(&mut self.buffer, totals, unix_ns, origin)?,
        }
        self.line_done()
    }

    /// Writes what is buffered and flushes the sink.
    ///
    /// # Errors
    /// Those of the sink; a closed pipe is `BrokenPipe`.
    pub fn flush(&mut self) -> io::Result<()> {
        self.drain()?;
        self.out.flush()
    }

    fn line_done(&mut self) -> io::Result<()> {
        if self.buffer.len() < BUFFER_BYTES { Ok(()) } else { self.drain() }
    }

    /// Empties the buffer even if the sink fails, so that no line is ever written twice.
    fn drain(&mut self) -> io::Result<()> {
        let written = self.out.write_all(&self.buffer);
        self.buffer.clear();
        written
    }
}

impl<W: Write> Drop for Reporter<W> {
    fn drop(&mut self) {
        // Nobody is left to tell: who wants to know has called `flush`.
        let _ = self.flush();
    }
}

fn unknown_record(event: &Event) -> io::Error {
    let message = format!("event of unknown kind {} or outcome {}", event.kind, event.outcome);
    io::Error::new(io::ErrorKind::InvalidData, message)
}
