//! What is written: kinds of events, and the set of them that `--only` names.

use std::fmt;
use std::str::FromStr;

use hs_common::event::{KIND_ANOMALY, KIND_HANDSHAKE};
use hs_common::{Event, Outcome};

/// A kind of event, as `--only` names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A handshake that ended so.
    Handshake(Outcome),
    /// An anomaly.
    Anomaly,
    /// An alert.
    Alert,
    /// The totals at `--stats-interval`. The last ones are always written.
    Stats,
}

impl Kind {
    /// The kinds that are no outcome of a handshake.
    const OTHERS: [Kind; 3] = [Kind::Anomaly, Kind::Alert, Kind::Stats];

    /// All kinds.
    pub fn all() -> impl Iterator<Item = Kind> {
        Outcome::ALL.iter().map(|outcome| Kind::Handshake(*outcome)).chain(Kind::OTHERS)
    }

    /// The kind of a record, or `None` if its codes are unknown.
    pub fn of(event: &Event) -> Option<Kind> {
        match event.kind {
            KIND_HANDSHAKE => event.outcome().map(Kind::Handshake),
            KIND_ANOMALY => event.anomaly().map(|_| Kind::Anomaly),
            _ => None,
        }
    }

    /// The name, as it stands in the output.
    pub const fn name(self) -> &'static str {
        match self {
            Kind::Handshake(outcome) => outcome.name(),
            Kind::Anomaly => "anomaly",
            Kind::Alert => "alert",
            Kind::Stats => "stats",
        }
    }

    const fn bit(self) -> u16 {
        match self {
            Kind::Handshake(outcome) => 1 << outcome.code(),
            Kind::Anomaly => 1 << 13,
            Kind::Alert => 1 << 14,
            Kind::Stats => 1 << 15,
        }
    }
}

impl FromStr for Kind {
    type Err = UnknownKind;

    /// By name; `half-open` is `half_open`.
    fn from_str(text: &str) -> Result<Kind, UnknownKind> {
        let name = text.trim().replace('-', "_");
        Kind::all().find(|kind| kind.name() == name).ok_or(UnknownKind)
    }
}

/// A name that is no kind of event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownKind;

impl fmt::Display for UnknownKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no such kind of event; known:")?;
        Kind::all().enumerate().try_for_each(|(index, kind)| {
            f.write_str(if index == 0 { " " } else { ", " })?;
            f.write_str(kind.name())
        })
    }
}

impl std::error::Error for UnknownKind {}

/// The kinds of events that are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Filter(u16);

impl Filter {
    /// Everything.
    pub const ALL: Filter = Filter(u16::MAX);

    /// Nothing but the last totals, which are always written.
    pub const NONE: Filter = Filter(0);

    /// Only these; none: everything.
    pub fn only(kinds: impl IntoIterator<Item = Kind>) -> Filter {
        let bits = kinds.into_iter().fold(0, |bits, kind| bits | kind.bit());
        if bits == 0 { Filter::ALL } else { Filter(bits) }
    }

    /// Whether this kind is written.
    pub const fn passes(self, kind: Kind) -> bool {
        self.0 & kind.bit() != 0
    }
}

impl Default for Filter {
    fn default() -> Filter {
        Filter::ALL
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_a_bit_of_its_own_and_a_name_that_maps_back() {
        for kind in Kind::all() {
            assert_eq!(kind.name().parse(), Ok(kind));
            assert_eq!(Kind::all().filter(|other| other.bit() == kind.bit()).count(), 1, "{kind:?}");
        }
        assert_eq!("half-open".parse(), Ok(Kind::Handshake(Outcome::HalfOpen)));
        assert!("open".parse::<Kind>().is_err());
    }

    #[test]
    fn a_filter_passes_what_it_names_and_without_names_everything() {
        let filter = Filter::only([Kind::Alert, Kind::Handshake(Outcome::Refused)]);
        assert!(filter.passes(Kind::Alert) && filter.passes(Kind::Handshake(Outcome::Refused)));
        assert!(!filter.passes(Kind::Stats) && !filter.passes(Kind::Handshake(Outcome::Completed)));
        assert!(Kind::all().all(|kind| Filter::only([]).passes(kind)));
    }
}
