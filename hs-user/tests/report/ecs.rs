//! Every field of an event has its place in the Elastic Common Schema, or deliberately below `hsmon.`, and the
//! documentation says the same.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::mapping::{Mapping, OWN, official};
use super::schema::fields;

const DOCUMENTATION: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/pipelines.md"));

/// What ECS allows: each category with the types that are expected with it, and the values of the others.
const TYPES: [(&str, &[&str]); 2] = [
    ("network", &["access", "allowed", "connection", "denied", "end", "info", "protocol", "start"]),
    ("intrusion_detection", &["allowed", "denied", "info"]),
];
const KINDS: [&str; 3] = ["alert", "event", "metric"];
const OUTCOMES: [&str; 3] = ["failure", "success", "unknown"];
const DIRECTIONS: [&str; 3] = ["ingress", "egress", "unknown"];

#[test]
fn every_field_is_mapped_and_no_other() {
    let mapping = Mapping::read();
    // Elements of a list are mapped each for itself.
    let mapped: BTreeSet<&str> =
        mapping.fields().map(|(field, ..)| field.split('[').next().unwrap()).collect();
    let whole: Vec<&str> = mapped.iter().copied().collect();
    let found = fields(&whole);
    assert_eq!(found.iter().map(String::as_str).collect::<BTreeSet<_>>(), mapped);
}

#[test]
fn what_is_mapped_goes_to_fields_of_ecs_or_keeps_its_name() {
    let mapping = Mapping::read();
    let official = official();
    for (field, to, change) in mapping.fields() {
        let own = to.strip_prefix(OWN);
        assert!(own.map_or(official.contains_key(to), |own| own == field), "{field} goes to {to}");
        assert!(own.is_none() || change.is_null(), "{field} is changed");
    }
    let tables = ["by_event_type", "by_outcome"];
    let rows = tables.iter().flat_map(|table| mapping.table(table).values());
    let rows: Vec<&Map<String, Value>> = rows.map(|row| row.as_object().unwrap()).collect();
    let names = rows.iter().flat_map(|row| row.keys()).chain(mapping.table("always").keys());
    for name in names {
        assert!(official.contains_key(&**name), "{name}");
    }
    assert!(mapping.table("always")["ecs.version"] == mapping.version());
}

fn words(value: &Value) -> Vec<&str> {
    match value {
        Value::Array(items) => items.iter().map(|item| item.as_str().unwrap()).collect(),
        Value::Object(map) => map.values().flat_map(words).collect(),
        value => value.as_str().into_iter().collect(),
    }
}

#[test]
fn categories_are_those_of_ecs() {
    let mapping = Mapping::read();
    let events = mapping.table("by_event_type");
    let of_handshakes = mapping.table("by_outcome").values().map(|row| (&events["handshake"], row));
    let others = events.iter().filter(|(name, _)| *name != "handshake").map(|(_, row)| (row, row));
    let mut seen = 0;
    for (event, row) in of_handshakes.chain(others) {
        assert!(KINDS.contains(&event["event.kind"].as_str().unwrap()), "{event}");
        let categories = words(&event["event.category"]);
        let expected: Vec<_> = TYPES.iter().filter(|(name, _)| categories.contains(name)).collect();
        assert_eq!(expected.len(), categories.len(), "{event}");
        for kind in words(&row["event.type"]) {
            assert!(expected.iter().all(|(_, types)| types.contains(&kind)), "{row}");
            seen += 1;
        }
        assert!(words(&row["event.outcome"]).iter().all(|outcome| OUTCOMES.contains(outcome)), "{row}");
    }
    assert!(seen >= 9, "{seen}");
    let direction = mapping.fields().find(|(field, ..)| *field == "handshake.direction").unwrap();
    assert!(words(direction.2).iter().all(|word| DIRECTIONS.contains(word)));
}

/// How a value is written in the documentation.
fn shown(value: &Value) -> String {
    let words = words(value);
    words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
}

fn change(change: &Value) -> String {
    match change {
        Value::Object(map) => {
            let pairs = map.iter().map(|(from, to)| format!("`{from}` is {}", shown(to)));
            pairs.collect::<Vec<_>>().join(", ")
        }
        Value::String(kind) => format!("as a {kind}"),
        _ => String::new(),
    }
}

#[test]
fn the_documentation_has_the_same_tables() {
    let mapping = Mapping::read();
    let fields = mapping.fields().filter(|(_, to, _)| !to.starts_with(OWN));
    let fields = fields.map(|(field, to, how)| format!("| `{field}` | `{to}` | {} |", change(how)));
    let always = mapping.table("always").iter().map(|(to, value)| format!("| | `{to}` | {} |", shown(value)));
    let kinds = ["by_event_type", "by_outcome"].into_iter().flat_map(|table| mapping.table(table));
    let kinds = kinds.map(|(kind, row)| {
        let columns = ["event.kind", "event.category", "event.type", "event.outcome"];
        let cells: Vec<String> = columns.iter().map(|column| shown(&row[*column])).collect();
        format!("| `{kind}` | {} |", cells.join(" | "))
    });
    let rows: Vec<String> = fields
        .chain(always)
        .chain(kinds)
        .map(|row| row.replace("|  |", "| |").replace("|  |", "| |"))
        .collect();
    let missing: Vec<&str> =
        rows.iter().map(String::as_str).filter(|row| !DOCUMENTATION.contains(row)).collect();
    assert!(missing.is_empty(), "docs/pipelines.md should have these rows:\n{}", missing.join("\n"));
}
