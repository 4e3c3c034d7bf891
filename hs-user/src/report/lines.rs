//! The lines of text output one by one, for who shows them elsewhere.

use hs_common::Event;

use super::Origin;
use super::filter::Kind;
use super::text::Text;
use crate::detect::Alert;

/// Writes single lines of text, without colour and without their ends.
pub struct Lines(Text);

impl Lines {
    /// Whether each line tells where the event is from.
    pub fn new(show_origin: bool) -> Lines {
        let mut text = Text::new(false);
        text.show_origin = show_origin;
        Lines(text)
    }

    /// The line of an event; empty if its kind or outcome is none that is known. `unix_ns`: nanoseconds since 1970.
    pub fn event(&mut self, event: &Event, unix_ns: u64, origin: &Origin) -> String {
        let Some(kind) = Kind::of(event) else { return String::new() };
        let mut written = Vec::new();
        // Cannot fail: a vector takes anything.
        let _ = self.0.event(&mut written, event, kind, unix_ns, origin);
        last_line(&written)
    }

    /// The line of an alert.
    pub fn alert(&mut self, alert: &Alert, unix_ns: u64) -> String {
        let mut written = Vec::new();
        // As above.
        let _ = self.0.alert(&mut written, alert, unix_ns, &Origin::Interface(""));
        last_line(&written)
    }
}

/// Before the first one of a day, there is one with the date.
fn last_line(written: &[u8]) -> String {
    String::from_utf8_lossy(written).lines().last().unwrap_or_default().to_owned()
}
