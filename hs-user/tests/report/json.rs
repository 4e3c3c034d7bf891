//! Every line that can be emitted is valid under the published schema, and the schema is strict.

use std::collections::BTreeSet;
use std::io;

use hs_common::config::NS_PER_SEC;
use hs_common::{Anomaly, Counter, Counters, Event, HandshakeFlags, Outcome, Path, Reason, Slot, VlanTags};
use hs_mon::detect::{Alert, Evidence, HostWord, Kind, Phase};
use hs_mon::report::{self, Filter, Format, Origin, Reporter};
use jsonschema::Validator;
use serde_json::{Value, json};

use super::samples::*;

const SCHEMA: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/events.schema.json"));
const V4: (&str, &str) = ("198.18.0.7:40312", "198.18.0.1:443");
const V6: (&str, &str) = ("[2001:2::7]:40312", "[2001:2::1]:443");

fn schema() -> Validator {
    jsonschema::draft202012::new(&serde_json::from_str(SCHEMA).unwrap()).unwrap()
}

/// The outcomes with their reasons, as the engine pairs them.
const REASONS: [(Outcome, &[Reason]); 5] = [
    (Outcome::Completed, &[Reason::Normal, Reason::FastOpen, Reason::Simultaneous]),
    (Outcome::Unverified, &[Reason::SynackUnseen]),
    (Outcome::Refused, &[Reason::Rst]),
    (Outcome::Aborted, &[Reason::InitiatorRst, Reason::ResponderRst, Reason::Fin]),
    (
        Outcome::HalfOpen,
        &[Reason::NoSynack, Reason::NoAck, Reason::Superseded, Reason::Evicted, Reason::Shutdown],
    ),
];

/// The anomalies that are events.
fn anomalies() -> impl Iterator<Item = Anomaly> {
    Anomaly::ALL.iter().copied().filter(|anomaly| anomaly.is_event())
}

/// Every outcome with each of its reasons, every anomaly, every flag, direction and depth of tags.
fn all_events((src, dst): (&str, &str)) -> Vec<Event> {
    let ended = REASONS.iter().flat_map(|(outcome, reasons)| {
        reasons.iter().map(move |reason| handshake(src, dst, *outcome, *reason))
    });
    let malformed = anomalies().map(|anomaly| malformed(src, dst, anomaly));
    let seen = anomalies().map(|of| anomaly(src, dst, of));
    let numberless =
        anomalies().map(|of| Event { has_numbers: 0, tcp_flags: 0x1ff, ..anomaly(src, dst, of) });
    let flagged = HandshakeFlags::NAMES.iter().map(|(flag, _)| Event { flags: *flag, ..completed() });
    let directed = Path::ALL.iter().map(|path| Event { path: path.code(), ..half_open() });
    let tagged =
        [VlanTags::NONE.push(0), VlanTags::NONE.push(4095).push(1)].map(|vlan| Event { vlan, ..completed() });
    let events = ended.chain(malformed).chain(seen).chain(numberless);
    events.chain(flagged).chain(directed).chain(tagged).collect()
}

fn all_alerts() -> Vec<Alert> {
    let kinds = [Kind::SingleSource, Kind::Distributed, Kind::Spoofed];
    let phases = [Phase::Start, Phase::Update, Phase::End];
    let alerts = kinds.into_iter().flat_map(|kind| phases.into_iter().map(move |phase| alert(phase, kind)));
    let host = |alert: &Alert| {
        let word =
            HostWord { syncookies_sent: 1, listen_overflows: 2, listen_drops: 3, backlog: Some((4, 128)) };
        Alert { host: Some(word), ..alert.clone() }
    };
    let odd = Alert { syn_rate: f64::NAN, peak_syn_rate: f64::INFINITY, ..alert(Phase::End, Kind::Spoofed) };
    let nobody = Alert { top_sources: Vec::new(), ..alert(Phase::Start, Kind::SingleSource) };
    let all_evidence = Alert {
        evidence: vec![
            Evidence::SourcesSeenOnce,
            Evidence::UniformTtl,
            Evidence::ImplausibleTtl,
            Evidence::UniformWindow,
            Evidence::ImpossibleSources,
            Evidence::NoCompletion,
        ],
        victim: target("2001:2::", None, Some(64)),
        ..alert(Phase::Update, Kind::Spoofed)
    };
    let others = phases.into_iter().flat_map(|phase| [scan(phase), reflection(phase)]);
    alerts.flat_map(|alert| [host(&alert), alert]).chain([odd, nobody, all_evidence]).chain(others).collect()
}

/// Every line that the reporter can be made to write.
fn all_lines() -> Vec<Value> {
    let text = written(Format::Json, |reporter| {
        for origin in [LIVE, REPLAY] {
            for event in all_events(V4).iter().chain(&all_events(V6)) {
                reporter.event(event, NOON + 123_456_789, &origin).unwrap();
            }
            for alert in all_alerts() {
                reporter.alert(&alert, NOON + 12 * NS_PER_SEC, NOON, &origin).unwrap();
            }
            // The last of them does not add up.
            for (counters, is_last) in [(counters(), false), (counters(), true), (Counters::ZERO, true)] {
                let totals = all_totals(&counters, is_last);
                reporter.stats(&totals, NOON, Some(&origin)).unwrap();
                reporter.stats(&totals, NOON, None).unwrap();
            }
        }
    });
    assert!(text.ends_with('\n'));
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn every_line_is_valid() {
    let schema = schema();
    for line in all_lines() {
        let errors = schema.iter_errors(&line).map(|error| error.to_string()).collect::<Vec<_>>();
        assert!(errors.is_empty(), "{errors:?} in {line}");
    }
}

#[test]
fn the_lines_cover_every_type_reason_and_name() {
    let lines = all_lines();
    let values = |pointer: &str| -> BTreeSet<String> {
        lines.iter().filter_map(|line| Some(line.pointer(pointer)?.as_str()?.to_owned())).collect()
    };
    assert_eq!(values("/event_type").len(), 4);
    assert_eq!(values("/handshake/outcome").len(), Outcome::ALL.len());
    // FirstAnomaly is no name of its own.
    assert_eq!(values("/handshake/reason").len(), Reason::ALL.len() - 1 + anomalies().count());
    assert_eq!(values("/anomaly/event").len(), anomalies().count());
    assert_eq!(values("/handshake/direction").len(), Path::ALL.len());
    let signatures = values("/alert/signature").into_iter().collect::<Vec<_>>();
    assert_eq!(signatures, ["SYN flood", "SYN scan", "SYN-ACK reflection"]);
}

/// A schema that accepts everything would pass the tests above.
#[test]
fn the_schema_refuses_what_is_not_described() {
    let schema = schema();
    let good: Value = all_lines().remove(0);
    assert!(schema.is_valid(&good));
    let table = [
        ("/event_type", json!("flow")),
        ("/timestamp", json!("2026-11-22 12:00:00")),
        ("/flow_id", json!(1u64 << 53)),
        ("/src_port", json!(65536)),
        ("/community_id", json!("LQU9qZlK")),
        ("/handshake/outcome", json!("open")),
        ("/handshake/reason", json!("no_ack")),
        ("/handshake/rtt_us", json!({"syn": 1})),
        ("/handshake", json!({})),
    ];
    for (pointer, value) in table {
        let mut bad = good.clone();
        *bad.pointer_mut(pointer).unwrap() = value;
        assert!(!schema.is_valid(&bad), "{pointer} of {bad}");
    }
    let mut bad = good;
    bad["more"] = json!(1);
    assert!(!schema.is_valid(&bad));
}

#[test]
fn a_handshake_in_full() {
    let text = written(Format::Json, |reporter| {
        reporter.event(&completed(), NOON + 123_456_789, &REPLAY).unwrap();
    });
    let expected = concat!(
        r#"{"timestamp":"2026-11-22T12:00:00.123456+00:00","flow_id":1526076067824015,"#,
        r#""pcap_filename":"trace.pcap","pcap_cnt":17,"event_type":"handshake","#,
        r#""src_ip":"198.18.0.7","src_port":40312,"dest_ip":"198.18.0.1","dest_port":443,"proto":"TCP","#,
        r#""community_id":"1:m94zZJ3CQem9hL1tdcCXGzc0bYA=","#,
        r#""handshake":{"outcome":"completed","reason":"normal","flags":["ecn"],"direction":"transit","#,
        r#""syn_seq":1000,"synack_seq":5000,"syn_retransmits":0,"synack_retransmits":0,"#,
        r#""rtt_us":{"synack":312,"ack":88},"anomalies":[]}}"#,
        "\n"
    );
    assert_eq!(text, expected);
}

#[test]
fn an_anomaly_and_its_handshake_are_one_flow_in_either_direction() {
    let text = written(Format::Json, |reporter| {
        let anomaly = anomaly("198.18.0.1:443", "198.18.0.7:40312", Anomaly::SynackWrongAck);
        reporter.event(&anomaly, NOON, &LIVE).unwrap();
        reporter.event(&completed(), NOON, &LIVE).unwrap();
    });
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    for id in ["flow_id", "community_id"] {
        assert_eq!(lines[0][id], lines[1][id]);
    }
    assert_eq!(lines[0]["anomaly"]["tcp_flags"], "12");
    assert_eq!(lines[0]["in_iface"], "eth0");
}

#[test]
fn a_file_name_cannot_speak_to_the_terminal() {
    let file = "\x1b[2J\u{9b}2J\x7f\"é.pcap";
    let text = written(Format::Json, |reporter| {
        reporter.event(&completed(), NOON, &Origin::Capture { file, number: 1 }).unwrap();
    });
    assert!(!text.trim_end().contains(char::is_control), "{text:?}");
    assert_eq!(serde_json::from_str::<Value>(&text).unwrap()["pcap_filename"], file);
}

#[test]
fn only_what_was_asked_for_is_written_and_the_last_totals() {
    let mut out = Vec::new();
    let mut reporter = Reporter::new(&mut out, Format::Json, false, Filter::only([report::Kind::Anomaly]));
    for event in all_events(V4) {
        reporter.event(&event, NOON, &LIVE).unwrap();
    }
    reporter.alert(&alert(Phase::Start, Kind::Spoofed), NOON, NOON, &LIVE).unwrap();
    reporter.stats(&all_totals(&counters(), false), NOON, None).unwrap();
    reporter.stats(&all_totals(&counters(), true), NOON, None).unwrap();
    drop(reporter);
    let text = String::from_utf8(out).unwrap();
    assert_eq!(
        text.lines().filter(|line| line.contains(r#""event_type":"anomaly""#)).count(),
        text.lines().count() - 1
    );
    assert!(text.lines().last().unwrap().contains(r#""event_type":"stats""#));
}

#[test]
fn a_record_of_unknown_codes_is_an_error_and_no_line() {
    let text = written(Format::Json, |reporter| {
        for event in [Event { kind: 9, ..completed() }, Event { outcome: 0, ..completed() }] {
            let error = reporter.event(&event, NOON, &LIVE).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidData);
        }
    });
    assert_eq!(text, "");
}

#[test]
fn the_last_totals_say_whether_the_ledger_adds_up() {
    let ledger_of = |counters: &Counters, is_last: bool| {
        let text = written(Format::Json, |reporter| {
            reporter.stats(&all_totals(counters, is_last), NOON, None).unwrap();
        });
        serde_json::from_str::<Value>(&text).unwrap()["stats"]["ledger"].clone()
    };
    assert_eq!(ledger_of(&counters(), false), Value::Null);
    assert_eq!(ledger_of(&counters(), true), json!({"balanced": true, "differences": []}));
    let mut wrong = counters();
    wrong.add(Slot::of(Counter::Packets), 1);
    let equation = "packets = tcp_segments + parse_errors + not_parsed";
    let difference = json!({"equation": equation, "left": 1_234_568, "right": 1_234_567});
    assert_eq!(ledger_of(&wrong, true), json!({"balanced": false, "differences": [difference]}));
}

/// Takes so many bytes, then is a closed pipe.
struct Pipe(usize);

impl io::Write for Pipe {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 = self.0.checked_sub(bytes.len()).ok_or(io::ErrorKind::BrokenPipe)?;
        assert!(bytes.ends_with(b"\n"), "a block ends with a line");
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn lines_are_written_in_blocks_until_the_pipe_is_closed() {
    let mut reporter = Reporter::new(Pipe(100_000), Format::Json, false, Filter::ALL);
    let result = (0..10_000).try_for_each(|_| reporter.event(&completed(), NOON, &LIVE));
    assert_eq!(result.unwrap_err().kind(), io::ErrorKind::BrokenPipe);
    reporter.flush().unwrap();
}
