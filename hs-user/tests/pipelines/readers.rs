//! Those who read Suricata's EVE read the events as they are: jq, and a reader of EVE.

use std::fs;
use std::path::Path;
use std::process::Command;

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::programs::{filter, python};
use crate::trace::{COMPLETED, events, parsed};

const PAGE: &str = "../docs/pipelines.md";
/// Fewer would mean that the page is no longer understood here.
const AT_LEAST: usize = 8;

/// The page's commands with jq, an empty line between two.
fn recipes() -> Vec<String> {
    let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(PAGE)).expect("the page");
    let blocks = page.split("```sh\n").skip(1).filter_map(|block| block.split("```").next());
    let commands = blocks.flat_map(|block| block.split("\n\n"));
    commands.filter(|command| command.contains("\njq ")).map(str::to_owned).collect()
}

#[test]
fn every_recipe_with_jq_finds_something() {
    let (dir, text) = events("pipelines_jq");
    let recipes = recipes();
    assert!(recipes.len() >= AT_LEAST, "{recipes:?}");
    for recipe in &recipes {
        let said = filter(Command::new("sh").args(["-euc", recipe]).current_dir(&dir), "");
        assert!(said.lines().any(|line| !line.is_empty()), "{recipe} finds nothing");
    }
    let run = |part: &str| {
        let recipe = recipes.iter().find(|recipe| recipe.contains(part)).expect(part);
        filter(Command::new("sh").args(["-euc", recipe]).current_dir(&dir), "")
    };
    let outcomes: Value = serde_json::from_str(&run("group_by(.handshake.outcome)")).expect("JSON");
    assert_eq!(outcomes["completed"], COMPLETED);
    let times = |text: &str| -> Vec<String> {
        parsed(text).iter().map(|event| event["timestamp"].as_str().expect("a time").to_owned()).collect()
    };
    let in_suricatas_way: Vec<String> =
        times(&text).iter().map(|time| time.replace("+00:00", "+0000")).collect();
    assert_eq!(times(&run("+0000")), in_suricatas_way);
}

#[test]
fn a_reader_of_suricatas_eve_reads_it_unchanged() {
    let (dir, text) = events("pipelines_reader");
    let events = parsed(&text);
    let read = python("eve_reader.py", &json!(dir.join("events.json")));
    assert_eq!(read["events"], json!(events));
    let alerts: Vec<&Value> = events.iter().filter(|event| event["event_type"] == "alert").collect();
    assert_eq!(read["alerts"], json!(alerts));
    assert_eq!(read["timed"], events.len());
    let times: Vec<f64> = read["times"].as_array().expect("times").iter().filter_map(Value::as_f64).collect();
    assert_eq!(times.len(), events.len());
    let first = seconds(&events[0]["timestamp"]);
    assert!((times[0] - first).abs() < 1e-3, "{} is not {first}", times[0]);
}

fn seconds(time: &Value) -> f64 {
    let time: Timestamp = time.as_str().expect("a time").parse().expect("RFC 3339");
    time.as_microsecond() as f64 / 1e6
}
