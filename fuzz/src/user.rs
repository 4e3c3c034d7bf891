//! What the fuzz targets of the user side do with their input. The tests of hs-user include this file, so that the corpus
//! also runs without a fuzzer.

use std::io::Cursor;
use std::path::Path;

use hs_common::Event;
use hs_mon::capture::Reader;
use hs_mon::cli::{self, Command, ReplaySettings};
use hs_mon::desk::Desk;
use hs_mon::detect::Settings;
use hs_mon::metrics::Metrics;
use hs_mon::replay::run_opened;
use hs_mon::report::{Filter, Format, Origin, Reporter};

/// The longest packet that a capture may have.
const MAX_PACKET: usize = 1 << 20;

/// Any bytes, as a capture: it ends, and lends no more than it has.
pub fn capture(input: &[u8]) {
    let Ok(mut reader) = Reader::from_read(Cursor::new(input.to_vec())) else { return };
    let mut packets = 0;
    while let Ok(Some(batch)) = reader.next_batch() {
        for packet in batch.packets() {
            packets += 1;
            assert_eq!(packet.number, packets);
            assert!(packet.data.len() <= MAX_PACKET);
        }
    }
    assert!(matches!(reader.next_batch(), Ok(None)), "nothing comes after the end");
}

/// Any bytes, as a capture on its way through the engine, the detector and the reporters: it ends, and its totals add up.
pub fn replay(input: &[u8]) {
    let settings = replay_settings();
    for format in [Format::Text, Format::Json] {
        let mut out = Vec::new();
        let reporter = Reporter::new(&mut out, format, false, Filter::ALL);
        let read = run_opened(&settings, reporter, |_, _| Reader::from_read(Cursor::new(input.to_vec())));
        if let Err(why) = read {
            let why = format!("{why:#}");
            assert!(!why.contains("do not add up"), "{why}");
        }
        let text = String::from_utf8(out).expect("what is written is UTF-8");
        assert_harmless(&text);
        if format == Format::Json {
            text.lines().for_each(|line| drop(json(line)));
        }
    }
}

/// Those of `hs-mon replay`, with a flow table that is soon made.
fn replay_settings() -> ReplaySettings {
    let parsed = cli::parse(["hs-mon", "--quiet", "replay", "any.pcap"], |_| Ok(String::new()));
    let Ok(Command::Replay(mut settings)) = parsed else { panic!("the command line is right") };
    settings.common.engine.max_flows = 1024;
    settings
}

fn json(line: &str) -> serde_json::Value {
    serde_json::from_str(line).expect("what is written is JSON")
}

/// Any text, as a configuration: it is right, or wrong for a reason that is safe to show.
pub fn config(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    if let Err(why) = cli::reload(Path::new("hs-mon.toml"), |_| Ok(text.to_owned())) {
        assert_harmless(&why.to_string());
    }
}

/// A length and a name of so many bytes, and behind it any bytes, as records of the ring buffer: known ones are told, in
/// text and JSON, to the metrics too; others are refused.
pub fn record(input: &[u8]) {
    let Some((length, rest)) = input.split_first() else { return };
    let (name, records) = rest.split_at(rest.len().min(usize::from(*length)));
    let name = String::from_utf8_lossy(name);
    for format in [Format::Text, Format::Json] {
        let written = written(format, &name, records);
        let text = String::from_utf8(written).expect("what is written is UTF-8");
        assert_harmless(&text);
        if format == Format::Json {
            for line in text.lines() {
                assert_eq!(json(line)["in_iface"], *name);
            }
        }
    }
}

fn written(format: Format, name: &str, records: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let reporter = Reporter::new(&mut out, format, false, Filter::ALL).show_origin(true);
    let mut desk = Desk::new(reporter, Settings::default());
    desk.metrics = Some(Metrics::new(1).expect("there can be metrics"));
    for record in records.chunks(size_of::<Event>()) {
        match Event::from_bytes(record) {
            Some(event) => drop(desk.event(&event, &Origin::Interface(name))),
            None => assert_ne!(record.len(), size_of::<Event>(), "a whole record"),
        }
    }
    drop(desk);
    out
}

/// Nothing in it speaks to a terminal.
fn assert_harmless(text: &str) {
    let speaks = |letter: char| letter.is_control() && letter != '\n';
    assert!(!text.contains(speaks), "{text:?}");
}
