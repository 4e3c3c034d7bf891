//! The documents say what the source says, and what they show of the output is what it looks like.

#[path = "../../xtask/src/documents.rs"]
mod documents;

use std::fs;
use std::path::Path;

use documents::blocks_of;
use hs_common::{Anomaly, Outcome};
use hs_mon::cli::anomalies_markdown;

/// What stands above the table in docs/anomalies.md.
const INTRODUCTION: &str = "\
# Anomalies

What a packet can do against the rules of the three-way handshake, in order of precedence: a packet is
reported under the first rule that applies, once. The names are stable. `hs-mon explain NAME` says the same.

I is the initiator, R the responder, A and B their initial sequence numbers. In the JSON output a
number that a rule expects stands in `expected`, the one that the packet carries in `actual`.

";

/// Set to anything, it writes the document instead of comparing it.
const BLESS: &str = "HS_MON_BLESS";

#[test]
fn the_table_of_anomalies_is_up_to_date() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/anomalies.md");
    let mut expected = INTRODUCTION.as_bytes().to_vec();
    anomalies_markdown(&mut expected).expect("writing to memory");
    expected.pop();
    if std::env::var_os(BLESS).is_some() {
        fs::write(&path, &expected).expect("writing docs/anomalies.md");
    }
    let found = fs::read(&path).unwrap_or_default();
    assert!(found == expected, "docs/anomalies.md is out of date: run the test again with {BLESS}=1");
}

/// Where a line of the text output has its parts: behind the time, and behind what happened.
const WHAT: usize = 17;
const WHO: usize = WHAT + 12;

/// What happened, of a line that begins with a time, as the text output has it.
fn what_happened(line: &str) -> Option<&str> {
    let is_time = line.as_bytes().iter().zip(b"00:00:00.000000  ").all(|(byte, like)| match like {
        b'0' => byte.is_ascii_digit(),
        _ => byte == like,
    });
    (is_time && line.len() > WHO).then(|| &line[WHAT..])
}

#[test]
fn shown_events_look_like_events() {
    let blocks = blocks_of(&Path::new(env!("CARGO_MANIFEST_DIR")).join(".."), "text");
    let lines = blocks.iter().flat_map(|block| block.text.lines().map(move |line| (block, line)));
    let mut seen = 0;
    for (block, line) in lines {
        let Some(event) = what_happened(line) else { continue };
        seen += 1;
        let place = format!("{}:{}: {line}", block.document, block.line);
        if event.starts_with("▲ ") {
            assert!(
                [" begins: ", " goes on: ", " ends: "].iter().any(|phase| event.contains(phase)),
                "{place}"
            );
            continue;
        }
        let what = event[..12].trim_end().to_lowercase().replace('-', "_");
        let of_outcome = Outcome::ALL.iter().any(|outcome| outcome.name() == what);
        assert!(of_outcome || what == "anomaly", "{place}");
        assert!(event[12..].contains(" → "), "{place}");
        if what == "anomaly" {
            let mut words = event.split_whitespace();
            assert!(words.any(|word| Anomaly::ALL.iter().any(|anomaly| anomaly.name() == word)), "{place}");
        }
    }
    assert!(seen > 10, "{seen} lines");
}
