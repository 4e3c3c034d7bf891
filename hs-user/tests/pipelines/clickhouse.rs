//! The table takes every field, and the queries find what was in the capture.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::programs::python;
use crate::schema::fields;
use crate::trace::{COMPLETED, FLOOD, MALFORMED, REFUSED, events, parsed};

const TABLE: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../packaging/clickhouse/events.sql"));
const QUERIES: &str =
    include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../packaging/clickhouse/queries.sql"));
/// So that a field which the table does not have is an error.
const INSERT: &str = "INSERT INTO hsmon.events SETTINGS date_time_input_format = 'best_effort', \
                      input_format_skip_unknown_fields = 0, \
                      input_format_json_ignore_unknown_keys_in_named_tuple = 0 FORMAT JSONEachRow\n";

/// The statements of a file, without the comments.
fn statements(text: &str) -> Vec<String> {
    let lines = text.lines().filter(|line| !line.trim_start().starts_with("--"));
    let text: String = lines.flat_map(|line| [line, "\n"]).collect();
    text.split(';').map(str::trim).filter(|statement| !statement.is_empty()).map(str::to_owned).collect()
}

/// The queries with their names, which begin the comments before them.
fn queries() -> Vec<(String, String)> {
    let named = |part: &str| {
        let mut comments = part.lines().filter_map(|line| line.strip_prefix("-- ")?.split_once(": "));
        let (name, _) = comments.rfind(|(name, _)| !name.contains(' '))?;
        Some((name.to_owned(), statements(part).pop()?))
    };
    QUERIES.split(";\n").filter_map(named).collect()
}

/// The rows of each query, over these lines.
fn asked(lines: &str) -> Vec<(String, Value)> {
    let mut requests = statements(TABLE);
    // The capture is older than what is kept.
    requests.push("ALTER TABLE hsmon.events REMOVE TTL".to_owned());
    requests.push(format!("{INSERT}{lines}"));
    let before = requests.len();
    let queries = queries();
    requests.extend(queries.iter().map(|(_, query)| query.clone()));
    let answers = python("clickhouse.py", &json!(requests));
    let rows = answers.as_array().expect("a list")[before..].to_vec();
    queries.into_iter().map(|(name, _)| name).zip(rows).collect()
}

fn sum(rows: &Value, column: &str) -> u64 {
    rows.as_array().expect("rows").iter().map(|row| row[column].as_u64().expect(column)).sum()
}

#[test]
fn clickhouse_answers_what_an_analyst_asks() {
    let (_, text) = events("pipelines_clickhouse");
    let events = parsed(&text);
    let half_open = events.iter().filter(|event| event["handshake"]["outcome"] == "half_open").count() as u64;
    let answers = asked(&text);
    let names: BTreeSet<&str> = answers.iter().map(|(name, _)| &**name).collect();
    assert_eq!(names.len(), QUERIES.matches("\nSELECT").count(), "{names:?}");
    for (name, rows) in &answers {
        assert!(rows.as_array().is_some_and(|rows| !rows.is_empty()), "{name} finds nothing");
    }
    let rows = |name: &str| &answers.iter().find(|(query, _)| query == name).expect(name).1;

    for (column, count) in
        [("completed", COMPLETED), ("refused", REFUSED), ("malformed", MALFORMED), ("half_open", half_open)]
    {
        assert_eq!(sum(rows("outcomes_per_minute"), column), count, "{column}");
    }
    let service = &rows("services")[0];
    assert_eq!((&service["destination"], &service["dest_port"]), (&json!("198.51.100.1"), &json!(443)));
    assert_eq!(service["median_rtt_us"], 300);
    let flood = &rows("floods")[0];
    assert_eq!(rows("floods").as_array().map(Vec::len), Some(1));
    assert_eq!((&flood["victim"], &flood["phase"]), (&json!("198.51.100.1"), &json!("end")));
    assert!(flood["syn_total"].as_u64().is_some_and(|syns| syns.abs_diff(FLOOD) < FLOOD / 10), "{flood}");
    let prefix = &rows("unanswered_sources")[0]["prefix"];
    assert!(prefix.as_str().is_some_and(|prefix| prefix.starts_with("198.19.") && prefix.ends_with(".0/24")));
    let knocking = &rows("knocking")[0];
    assert_eq!((&knocking["source"], &knocking["ports"]), (&json!("198.51.100.7"), &json!(REFUSED)));
    let anomaly = &rows("anomalies")[0];
    assert_eq!((&anomaly["anomaly"], &anomaly["packets"]), (&json!("synack_wrong_ack"), &json!(MALFORMED)));
    let totals = &events.last().expect("totals")["stats"];
    assert_eq!(rows("not_seen")[0]["begun"], totals["begun"]);
    assert_eq!(rows("not_seen")[0]["events_suppressed"], totals["events_suppressed"]);
}

/// The columns, those within tuples too; of arrays and maps, themselves.
fn columns() -> BTreeSet<String> {
    let mut requests = statements(TABLE);
    requests.push("DESCRIBE TABLE hsmon.events SETTINGS describe_include_subcolumns = 1".to_owned());
    let answers = python("clickhouse.py", &json!(requests));
    let rows = answers.as_array().and_then(|answers| answers.last()?.as_array()).expect("columns");
    let kept = rows.iter().filter(|row| row["default_type"] != "ALIAS");
    kept.map(|row| row["name"].as_str().expect("a name").to_owned()).collect()
}

#[test]
fn the_table_has_a_column_for_every_field() {
    // Numbers by name, whatever the names.
    let wanted = fields(&["stats.parse_errors", "stats.not_parsed"]);
    let columns = columns();
    let missing: Vec<&String> = wanted.difference(&columns).collect();
    assert!(missing.is_empty(), "{missing:?}");
}
