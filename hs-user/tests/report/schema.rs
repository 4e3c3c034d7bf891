//! The fields of docs/events.schema.json.

use std::collections::BTreeSet;

use serde_json::Value;

const SCHEMA: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/events.schema.json"));

/// Paths of all fields that hold a value. A list is one; so is an object with any names in it, and each of `whole`.
pub fn fields(whole: &[&str]) -> BTreeSet<String> {
    let schema: Value = serde_json::from_str(SCHEMA).expect("the schema is JSON");
    let mut found = BTreeSet::new();
    walk(&schema, &schema, "", whole, &mut found);
    found
}

fn walk(schema: &Value, node: &Value, path: &str, whole: &[&str], found: &mut BTreeSet<String>) {
    let node = match node["$ref"].as_str() {
        Some(reference) => schema.pointer(&reference[1..]).expect("the schema has what it refers to"),
        None => node,
    };
    match node["properties"].as_object() {
        Some(properties) if !whole.contains(&path) => {
            for (name, inner) in properties {
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                walk(schema, inner, &path, whole, found);
            }
        }
        _ => drop(found.insert(path.to_owned())),
    }
}
