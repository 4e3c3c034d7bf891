//! The object of the totals.

use hs_common::ledger::Difference;
use hs_common::{Anomaly, Counter, Counters, Ledger, Unparsed};
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

use crate::report::Totals;

/// The totals, under the names of the counters.
pub struct Stats<'a>(pub &'a Totals<'a>);

impl Serialize for Stats<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Totals { ledger, alerts, is_last } = self.0;
        let totals = ledger.totals;
        let mut map = serializer.serialize_map(None)?;
        for counter in Counter::NAMED {
            map.serialize_entry(counter.name(), &totals.get(*counter))?;
        }
        map.serialize_entry("events_delivered", &ledger.delivered)?;
        map.serialize_entry("in_progress", &totals.in_progress())?;
        map.serialize_entry("anomalies", &SeenAnomalies(totals))?;
        map.serialize_entry("parse_errors", &ByReason { totals, errors: true })?;
        map.serialize_entry("not_parsed", &ByReason { totals, errors: false })?;
        map.serialize_entry("alerts", alerts)?;
        if *is_last {
            map.serialize_entry("ledger", &Checked(ledger))?;
        }
        map.end()
    }
}

/// Whether the ledger adds up, and where it does not.
struct Checked<'a>(&'a Ledger<'a>);

impl Serialize for Checked<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let differences: Vec<Differs> = self.0.differences().map(Differs).collect();
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("balanced", &differences.is_empty())?;
        map.serialize_entry("differences", &differences)?;
        map.end()
    }
}

struct Differs(Difference);

impl Serialize for Differs {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("equation", self.0.equation)?;
        map.serialize_entry("left", &self.0.left)?;
        map.serialize_entry("right", &self.0.right)?;
        map.end()
    }
}

struct SeenAnomalies<'a>(&'a Counters);

impl Serialize for SeenAnomalies<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let all = Anomaly::ALL.iter().map(|anomaly| (anomaly.name(), self.0.anomaly(*anomaly)));
        serializer.collect_map(all.filter(|(_, number)| *number > 0))
    }
}

/// Packets without a segment: broken ones (`errors`), or those of no interest.
struct ByReason<'a> {
    totals: &'a Counters,
    errors: bool,
}

impl Serialize for ByReason<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let reasons = Unparsed::ALL.iter().filter(|why| why.is_error() == self.errors);
        serializer.collect_map(reasons.map(|why| (why.name(), self.totals.unparsed(*why))))
    }
}
