//! The object of the totals.

use hs_common::{Anomaly, Counter, Counters, Unparsed};
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

/// The totals, under the names of the counters.
pub struct Stats<'a> {
    pub totals: &'a Counters,
    pub alerts: u64,
}

impl Serialize for Stats<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for counter in Counter::NAMED {
            map.serialize_entry(counter.name(), &self.totals.get(*counter))?;
        }
        map.serialize_entry("in_progress", &self.totals.in_progress())?;
        map.serialize_entry("anomalies", &SeenAnomalies(self.totals))?;
        map.serialize_entry("parse_errors", &ByReason { totals: self.totals, errors: true })?;
        map.serialize_entry("not_parsed", &ByReason { totals: self.totals, errors: false })?;
        map.serialize_entry("alerts", &self.alerts)?;
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
