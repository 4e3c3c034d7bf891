//! Vector's configuration fits together: each part reads from one that there is, and the programs that it names are
//! beside it.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use toml::{Table, Value};

/// Where the documentation puts the files.
const INSTALLED: &str = "/etc/vector/hs-mon/";

#[test]
fn every_part_reads_from_one_that_there_is() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../packaging/vector");
    let files = fs::read_dir(&dir).unwrap().map(|entry| entry.unwrap().path());
    let files = files.filter(|path| path.extension().is_some_and(|extension| extension == "toml"));
    let files: Vec<Table> =
        files.map(|path| fs::read_to_string(path).unwrap().parse::<Table>().unwrap()).collect();
    assert!(files.len() >= 5, "{}", files.len());
    let parts: Vec<(&String, &Table)> = files
        .iter()
        .flat_map(Table::values)
        .flat_map(|kind| kind.as_table().unwrap())
        .map(|(name, part)| (name, part.as_table().unwrap()))
        .collect();
    let names: BTreeSet<&str> = parts.iter().map(|(name, _)| &***name).collect();
    assert_eq!(names.len(), parts.len(), "one name each: {names:?}");
    let mut read = 0;
    for (name, part) in &parts {
        for input in part.get("inputs").and_then(Value::as_array).into_iter().flatten() {
            assert!(names.contains(input.as_str().unwrap()), "{name} reads from {input:?}");
            read += 1;
        }
        if let Some(file) = part.get("file").and_then(Value::as_str) {
            let name = file.strip_prefix(INSTALLED).unwrap_or_else(|| panic!("{file} is elsewhere"));
            assert!(dir.join(name).is_file(), "{file}");
        }
    }
    assert!(read >= 6, "{read}");
}
