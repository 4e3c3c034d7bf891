//! Vector's programs do what packaging/ecs/mapping.json says, neither less nor more.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::mapping::{Field, Mapping, OWN, official};
use crate::programs::python;
use crate::trace::{events, parsed};

const EVE: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../packaging/vector/eve.vrl"));
const ECS: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../packaging/vector/ecs.vrl"));
const EXAMPLES: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/output.md"));
const HOST: &str = "web1";

/// Lines as Vector has them from the journal, through its programs, one after the other.
fn vector(lines: &[String], programs: &[&str]) -> Vec<Value> {
    let from_journal = lines.iter().map(|line| json!({"message": line, "host": HOST, "_PID": "17"}));
    let through =
        |events: Value, program: &&str| python("vrl.py", &json!({"program": program, "events": events}));
    match programs.iter().fold(from_journal.collect(), through) {
        Value::Array(events) => events,
        other => panic!("no list: {other}"),
    }
}

/// The examples of the documentation, and one of them with all that is told of a host, live.
fn examples() -> Vec<String> {
    let mut lines: Vec<String> =
        EXAMPLES.lines().filter(|line| line.starts_with("{\"timestamp\"")).map(str::to_owned).collect();
    let mut live = parsed(lines.iter().find(|line| line.contains("synflood")).expect("an alert")).remove(0);
    let top = live.as_object_mut().expect("an event");
    top.retain(|name, _| !name.starts_with("pcap"));
    top.insert("in_iface".to_owned(), json!("eth0"));
    top.insert("src_ip".to_owned(), json!("2001:2::9"));
    let told = [
        ("victim_prefix", json!("198.18.0.0/24")),
        ("ports", json!(7)),
        ("syncookies_sent", json!(1)),
        ("listen_overflows", json!(2)),
        ("listen_drops", json!(3)),
        ("backlog", json!(4)),
        ("backlog_limit", json!(5)),
    ];
    for (name, value) in told {
        live["synflood"][name] = value;
    }
    lines.push(live.to_string());
    lines
}

/// The value at `a.b[0].c`, if there is one.
fn at<'a>(event: &'a Value, path: &str) -> Option<&'a Value> {
    event.pointer(&format!("/{}", path.replace(['.', '['], "/").replace(']', "")))
}

fn changed(value: &Value, change: &Value) -> Value {
    match change {
        Value::Object(words) => words[value.as_str().expect("a word")].clone(),
        Value::String(kind) if kind == "string" => json!(value.to_string()),
        _ => value.clone(),
    }
}

/// The same for all ways to write a time: Vector leaves out zeros, and has another sign for UTC.
fn timeless(value: &Value) -> Value {
    let time = value.as_str().and_then(|text| text.parse::<Timestamp>().ok());
    time.map_or(value.clone(), |time| json!({"microseconds": time.as_microsecond()}))
}

/// All that holds a value, by its path: a list is one, an empty object none.
fn leaves(value: &Value, path: &str, found: &mut BTreeMap<String, Value>) {
    match value {
        Value::Object(map) => {
            for (name, inner) in map {
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                leaves(inner, &path, found);
            }
        }
        value => drop(found.insert(path.to_owned(), timeless(value))),
    }
}

fn addresses(event: &Value) -> BTreeSet<String> {
    let ends = [&event["src_ip"], &event["dest_ip"]];
    let others = event["synflood"]["top_sources"].as_array().into_iter().flatten().map(|top| &top["ip"]);
    ends.into_iter().chain(others).filter_map(Value::as_str).map(str::to_owned).collect()
}

/// What the mapping makes of an event.
fn expected(mapping: &Mapping, event: &Value) -> BTreeMap<String, Value> {
    let mut expected = mapping.derived(event);
    expected.insert("observer.hostname".to_owned(), json!(HOST));
    for (field, to, change) in mapping.fields() {
        if let Some(value) = at(event, field) {
            leaves(&changed(value, change), to, &mut expected);
        }
    }
    if event["event_type"] != "stats" {
        expected.insert("related.ip".to_owned(), json!(addresses(event)));
    }
    expected
}

/// Tells only what differs.
fn same(found: &BTreeMap<String, Value>, wanted: &BTreeMap<String, Value>, line: &str) {
    let names: BTreeSet<&String> = found.keys().chain(wanted.keys()).collect();
    for name in names {
        assert_eq!(found.get(name), wanted.get(name), "{name}, found and wanted, of {line}");
    }
}

/// Whether a value has the type that ECS gives the field.
fn fits(official: &BTreeMap<&str, Field>, name: &str, value: &Value) {
    if name.starts_with(OWN) {
        return;
    }
    let field = official.get(name).unwrap_or_else(|| panic!("{name} is no field of ECS"));
    assert_eq!(value.is_array(), field.list, "{name}: {value}");
    for value in value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice) {
        let fits = match field.kind {
            "long" => value.is_i64() || value.is_u64(),
            "ip" => value.as_str().is_some_and(|ip| ip.parse::<IpAddr>().is_ok()),
            "date" => value["microseconds"].is_i64(),
            _ => value.is_string(),
        };
        assert!(fits, "{name} is a {}, not {value}", field.kind);
    }
}

#[test]
fn vector_maps_to_ecs_as_the_mapping_says() {
    let (mapping, official) = (Mapping::read(), official());
    let (_, text) = events("pipelines_ecs");
    let lines: Vec<String> = text.lines().map(str::to_owned).chain(examples()).collect();
    let mapped = vector(&lines, &[EVE, ECS]);
    assert_eq!(mapped.len(), lines.len());
    let mut seen = BTreeSet::new();
    for (line, ecs) in lines.iter().zip(&mapped) {
        let event: Value = serde_json::from_str(line).expect("JSON");
        let mut found = BTreeMap::new();
        leaves(ecs, "", &mut found);
        found.iter().for_each(|(name, value)| fits(&official, name, value));
        if let Some(Value::Array(ips)) = found.get_mut("related.ip") {
            ips.sort_by_key(|ip| ip.as_str().map(str::to_owned));
        }
        same(&found, &expected(&mapping, &event), line);
        seen.extend(
            mapping
                .fields()
                .filter(|(field, ..)| at(&event, field).is_some())
                .map(|(field, ..)| field.to_owned()),
        );
    }
    // Else a part of the mapping was not tried.
    let all: BTreeSet<String> = mapping.fields().map(|(field, ..)| field.to_owned()).collect();
    assert_eq!(seen, all);
}

#[test]
fn the_event_itself_stays_as_it_is() {
    let (_, text) = events("pipelines_eve");
    let lines: Vec<String> = text.lines().map(str::to_owned).chain(examples()).collect();
    let events = vector(&lines, &[EVE]);
    assert_eq!(events.len(), lines.len());
    for (line, eve) in lines.iter().zip(events) {
        let (mut wanted, mut found) = (BTreeMap::new(), BTreeMap::new());
        leaves(&serde_json::from_str(line).expect("JSON"), "", &mut wanted);
        wanted.insert("host".to_owned(), json!(HOST));
        leaves(&eve, "", &mut found);
        same(&found, &wanted, line);
    }
}

#[test]
fn messages_are_left_out() {
    let messages = ["hs-mon: watching eth0: ingress by native XDP, egress by tc", "17", ""];
    let lines: Vec<String> = messages.into_iter().map(str::to_owned).chain(examples().pop()).collect();
    assert_eq!(vector(&lines, &[EVE, ECS]).len(), 1);
}
