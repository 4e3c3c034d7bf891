//! The examples in the documentation are what the reporters write.

use hs_common::Anomaly;
use hs_common::config::NS_PER_SEC;
use hs_mon::detect::{Kind, Phase};
use hs_mon::report::{Format, Reporter};

use super::samples::*;

const DOCUMENTATION: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/output.md"));

fn examples(reporter: &mut Reporter<&mut Vec<u8>>) {
    let (initiator, responder) = ("198.18.0.9:1024", "198.18.0.1:443");
    let at = |tenths: u64| NOON + tenths * NS_PER_SEC / 10 + 123_456_000;
    let anomaly = anomaly(responder, initiator, Anomaly::SynackWrongAck);
    reporter.event(&completed(), at(10), &REPLAY).unwrap();
    reporter.event(&anomaly, at(12), &REPLAY).unwrap();
    reporter.event(&half_open(), at(60), &REPLAY).unwrap();
    reporter.event(&malformed(initiator, responder, Anomaly::SynackWrongAck), at(62), &REPLAY).unwrap();
    reporter.alert(&alert(Phase::Start, Kind::Spoofed), at(73), at(73), &REPLAY).unwrap();
    reporter.alert(&alert(Phase::End, Kind::Spoofed), at(196), at(73), &REPLAY).unwrap();
    reporter.stats(&all_totals(&counters(), true), at(200), Some(&REPLAY)).unwrap();
}

#[test]
fn the_examples_are_real() {
    for format in [Format::Text, Format::Json] {
        let missing = written(format, examples);
        let missing: Vec<_> = missing.lines().filter(|line| !DOCUMENTATION.contains(line)).collect();
        assert!(missing.is_empty(), "not in docs/output.md:\n{}", missing.join("\n"));
    }
}
