//! Grafana's own library understands the dashboard that is shipped.

use serde_json::Value;

use crate::programs::python;

const DASHBOARD: &str =
    include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../packaging/grafana/hs-mon.json"));
/// Grafana's editor shows it; its library has no such field.
const OF_THE_EDITOR: &str = "/definition";

/// Paths of what is not the same in both.
fn lost(here: &Value, there: &Value, path: &str, found: &mut Vec<String>) {
    match (here, there) {
        (Value::Object(here), there) => {
            for (name, inner) in here {
                lost(inner, &there[name], &format!("{path}/{name}"), found);
            }
        }
        (Value::Array(here), there) => {
            for (index, inner) in here.iter().enumerate() {
                lost(inner, &there[index], &format!("{path}/{index}"), found);
            }
        }
        (here, there) if here != there => found.push(path.to_owned()),
        _ => {}
    }
}

#[test]
fn grafanas_library_understands_all_of_the_dashboard() {
    let dashboard: Value = serde_json::from_str(DASHBOARD).expect("JSON");
    let understood = python("grafana.py", &dashboard);
    let mut found = Vec::new();
    lost(&dashboard, &understood, "", &mut found);
    found.retain(|path| !path.ends_with(OF_THE_EDITOR));
    assert!(found.is_empty(), "{found:?}");
    let panels = understood["panels"].as_array().expect("panels");
    let targets = panels.iter().flat_map(|panel| panel["targets"].as_array().into_iter().flatten());
    assert!(targets.filter(|target| target["expr"].is_string()).count() > 20);
}
