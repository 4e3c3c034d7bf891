//! The rules and the dashboard that are shipped ask for metrics that there are, and the DaemonSet serves them.

use std::collections::BTreeSet;

use hs_mon::cli::{Command, parse};
use serde_json::Value;

use super::exposition::text;

const RULES: &str =
    include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../packaging/prometheus/hs-mon.rules.yml"));
const DASHBOARD: &str =
    include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../packaging/grafana/hs-mon.json"));
const DAEMONSET: &str =
    include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../packaging/kubernetes/hs-mon.yaml"));

/// The names of time series, those of histograms with their endings.
fn told() -> BTreeSet<String> {
    let text = text();
    let samples = text.lines().filter(|line| !line.starts_with('#'));
    samples.map(|line| line.split(['{', ' ']).next().unwrap().to_owned()).collect()
}

/// The names of our metrics in a piece of PromQL, or around it. Names of rules have colons in them.
fn asked_for(text: &str) -> BTreeSet<String> {
    let words = text.split(|letter: char| !letter.is_ascii_alphanumeric() && !"_:".contains(letter));
    let ours = words.filter(|word| word.starts_with("hsmon_") && !word.ends_with('_'));
    ours.map(str::to_owned).collect()
}

/// What the rules record.
fn recorded() -> BTreeSet<String> {
    RULES.lines().filter_map(|line| line.trim().strip_prefix("- record: ")).map(str::to_owned).collect()
}

fn expressions(dashboard: &Value) -> Vec<String> {
    match dashboard {
        Value::Object(map) => {
            let own = map.get("expr").and_then(Value::as_str).map(str::to_owned);
            own.into_iter().chain(map.values().flat_map(expressions)).collect()
        }
        Value::Array(items) => items.iter().flat_map(expressions).collect(),
        _ => Vec::new(),
    }
}

#[test]
fn rules_ask_for_what_there_is() {
    let missing: Vec<String> = asked_for(RULES).difference(&told()).cloned().collect();
    assert!(missing.is_empty(), "{missing:?}");
    assert!(asked_for(RULES).len() > 5, "the rules are read");
}

#[test]
fn the_dashboard_asks_for_what_there_is() {
    let dashboard: Value = serde_json::from_str(DASHBOARD).unwrap();
    let expressions = expressions(&dashboard);
    assert!(expressions.len() > 10, "the panels are found");
    for expression in expressions {
        let asked = asked_for(&expression);
        let rules =
            expression.split(|letter: char| !letter.is_ascii_alphanumeric() && !"_:".contains(letter));
        let rules: Vec<&str> = rules.filter(|word| word.contains(":hsmon_")).collect();
        assert!(!asked.is_empty() || !rules.is_empty(), "no metric in {expression}");
        assert!(asked.is_subset(&told()), "{asked:?} in {expression}");
        assert!(rules.iter().all(|rule| recorded().contains(*rule)), "{rules:?} in {expression}");
    }
    for key in ["title", "uid", "panels", "templating", "schemaVersion"] {
        assert!(!dashboard[key].is_null(), "{key}");
    }
}

/// The pod has the node's network: what is served on loopback, no other pod can read.
#[test]
fn the_daemonset_serves_metrics_beyond_its_node() {
    let args = DAEMONSET.lines().find_map(|line| line.trim().strip_prefix("args: ")).unwrap();
    let args: Vec<String> = serde_json::from_str(args).unwrap();
    let args = args.iter().map(|arg| arg.replace("$(NODE_IP)", "192.0.2.1"));
    let command = parse(["hs-mon".to_owned()].into_iter().chain(args), |_| unreachable!());
    let Ok(Command::Live(settings)) = command else { panic!("it watches: {command:?}") };
    let address = settings.metrics.unwrap();
    assert!(!address.ip().is_loopback(), "{address}");
    assert!(DAEMONSET.contains(&format!("containerPort: {}", address.port())), "{address}");
}
