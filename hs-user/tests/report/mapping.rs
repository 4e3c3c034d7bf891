//! packaging/ecs/mapping.json, which says where in the Elastic Common Schema each field of an event goes.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

const MAPPING: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../packaging/ecs/mapping.json"));
const OFFICIAL: &str = include_str!("ecs-fields.csv");

/// What ECS has no field for goes below this.
pub const OWN: &str = "hsmon.";

/// The mapping, as it stands in the file.
pub struct Mapping(Value);

impl Mapping {
    pub fn read() -> Mapping {
        Mapping(serde_json::from_str(MAPPING).expect("the mapping is JSON"))
    }

    /// The version of ECS that it is made for.
    pub fn version(&self) -> &str {
        self.0["ecs"].as_str().expect("a version")
    }

    /// Each field of an event, where it goes, and how its value changes.
    pub fn fields(&self) -> impl Iterator<Item = (&str, &str, &Value)> {
        let fields = self.0["fields"].as_object().expect("fields");
        fields.iter().map(|(field, rule)| (&**field, rule["to"].as_str().expect("a place"), &rule["as"]))
    }

    /// One of the tables of fields that follow from the kind of event: its name, then the name of the kind.
    pub fn table(&self, name: &str) -> &Map<String, Value> {
        self.0[name].as_object().expect("a table")
    }

    /// The fields that an event has beyond its own.
    pub fn derived(&self, event: &Value) -> BTreeMap<String, Value> {
        let row = |table: &str, key: &Value| {
            let row = key.as_str().map(|key| &self.table(table)[key]);
            row.and_then(Value::as_object).cloned().unwrap_or_default()
        };
        let rows = [
            self.table("always").clone(),
            row("by_event_type", &event["event_type"]),
            row("by_outcome", &event["handshake"]["outcome"]),
        ];
        rows.into_iter().flatten().collect()
    }
}

/// A field of ECS.
pub struct Field {
    pub kind: &'static str,
    /// Whether its value is always a list.
    pub list: bool,
}

/// The fields of ECS that are used here, by name.
pub fn official() -> BTreeMap<&'static str, Field> {
    let row = |line: &'static str| {
        let mut cells = line.split(',');
        let mut cell = || cells.next().expect("three cells");
        (cell(), Field { kind: cell(), list: cell() == "list" })
    };
    OFFICIAL.lines().skip(1).map(row).collect()
}
