//! The documents that are made from the source are what the source says.

use std::fs;
use std::path::Path;

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

/// What tests there are, as source.
fn sources(dir: &Path) -> String {
    let entries =
        fs::read_dir(dir).expect("the tests are there").map(|entry| entry.expect("an entry").path());
    let text = |path: std::path::PathBuf| match path.is_dir() {
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
