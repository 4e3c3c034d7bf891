//! The documents say what the source says, and what they show of the output is what it looks like.

#[path = "../../xtask/src/documents.rs"]
mod documents;

use std::fs;
use std::path::{Path, PathBuf};

use documents::{all_commands, blocks_of, documents, link_targets};
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
    let path = root().join("docs/anomalies.md");
    let mut expected = INTRODUCTION.as_bytes().to_vec();
    anomalies_markdown(&mut expected).expect("writing to memory");
    expected.pop();
    if std::env::var_os(BLESS).is_some() {
        fs::write(&path, &expected).expect("writing docs/anomalies.md");
    }
    let found = fs::read(&path).unwrap_or_default();
    assert!(found == expected, "docs/anomalies.md is out of date: run the test again with {BLESS}=1");
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Directories of the project: what begins with one of them and stands in backticks is a path.
const PLACES: [&str; 7] = ["hs-common/", "hs-ebpf/", "hs-user/", "xtask/", "fuzz/", "docs/", "packaging/"];

/// `a/{b,c}.rs` is two paths.
fn each_path(path: &str) -> Vec<String> {
    match path.split_once('{').and_then(|(before, rest)| Some((before, rest.split_once('}')?))) {
        Some((before, (names, after))) => {
            names.split(',').map(|name| format!("{before}{name}{after}")).collect()
        }
        None => vec![path.to_owned()],
    }
}

/// Whether there is such a file; `*` is any part of its name.
fn is_there(path: &str) -> bool {
    let Some((before, after)) = path.split_once('*') else { return root().join(path).exists() };
    let (directory, start) = before.rsplit_once('/').expect("a path within the project");
    let names =
        fs::read_dir(root().join(directory)).into_iter().flatten().flatten().map(|entry| entry.file_name());
    names
        .map(|name| name.to_string_lossy().into_owned())
        .any(|name| name.starts_with(start) && name.ends_with(after))
}

#[test]
fn every_path_in_the_documents_is_there() {
    let mut seen = 0;
    for (document, text) in documents(&root()) {
        // Every other piece of a line is within backticks.
        let spans = text.lines().flat_map(|line| line.split('`').skip(1).step_by(2));
        for path in
            spans.filter(|span| PLACES.iter().any(|place| span.starts_with(place))).flat_map(each_path)
        {
            seen += 1;
            assert!(is_there(&path), "{document}: {path} is not there");
        }
    }
    assert!(seen > 80, "{seen} paths");
}

/// The anchor of a heading, as it is made by who shows the page.
fn anchor(heading: &str) -> String {
    let kept =
        heading.trim_start_matches('#').trim().chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c));
    kept.collect::<String>().to_lowercase().replace(' ', "-")
}

#[test]
fn every_link_between_the_documents_leads_somewhere() {
    let documents = documents(&root());
    let mut seen = 0;
    for (document, text) in &documents {
        for target in link_targets(text) {
            seen += 1;
            let (file, wanted) = target.split_once('#').unwrap_or((target, ""));
            let directory = Path::new(document).parent().expect("a directory");
            let file =
                if file.is_empty() { document.clone() } else { directory.join(file).display().to_string() };
            assert!(root().join(&file).is_file(), "{document}: {target} is not there");
            let page = documents.iter().find(|(name, _)| *name == file).map_or("", |(_, text)| text);
            let has_it =
                wanted.is_empty() || page.lines().any(|line| line.starts_with('#') && anchor(line) == wanted);
            assert!(has_it, "{document}: {target}: no such heading");
        }
    }
    assert!(seen > 40, "{seen} links");
}

/// Tests and examples that commands of cargo name.
#[test]
fn every_test_and_example_that_a_command_names_is_there() {
    for command in all_commands(&root()).iter().filter(|command| command.text.starts_with("cargo ")) {
        let words: Vec<&str> = command.text.split_whitespace().collect();
        for pair in words.windows(2).filter(|pair| ["--test", "--example"].contains(&pair[0])) {
            let directory = format!("{}s", pair[0].trim_start_matches('-'));
            let places = ["hs-common", "hs-user"].map(|package| format!("{package}/{directory}/{}", pair[1]));
            let there = places.iter().any(|place| is_there(&format!("{place}.rs")) || is_there(place));
            assert!(there, "{}: {}", command.place, command.text);
        }
    }
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
    let blocks = blocks_of(&root(), "text");
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

/// What tests there are, as source.
fn sources(dir: &Path) -> String {
    let entries =
        fs::read_dir(dir).expect("the tests are there").map(|entry| entry.expect("an entry").path());
    let text = |path: PathBuf| match path.is_dir() {
        true => sources(&path),
        false => fs::read_to_string(path).unwrap_or_default(),
    };
    entries.map(text).collect()
}

/// The last column of every table of docs/faults.md names tests.
#[test]
fn every_fault_has_tests_that_exist() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let faults = fs::read_to_string(root.join("docs/faults.md")).expect("docs/faults.md is there");
    let sources = ["hs-user/tests", "hs-common/tests"].map(|dir| sources(&root.join(dir))).concat();
    let rows = faults.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| fault |"));
    let mut faults = 0;
    for row in rows {
        let tests = row.trim_end_matches(" |").rsplit(" | ").next().expect("a last column");
        for test in tests.split(", ") {
            let name = test.trim_matches('`');
            assert_eq!(sources.matches(&format!("fn {name}(")).count(), 1, "{name}: {row}");
        }
        faults += 1;
    }
    assert!(faults > 20, "{faults} faults");
}
