//! docs/metrics.md lists what is told, no more and no less.

use super::exposition::text;

const DOCUMENTATION: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/metrics.md"));

/// `| name | type | labels | meaning |` of each metric that is told.
fn told() -> Vec<String> {
    let text = text();
    let lines: Vec<&str> = text.lines().collect();
    let row = |help: &str| {
        let (name, meaning) = help.split_once(' ').unwrap();
        let kind = lines.iter().find_map(|line| line.strip_prefix(&format!("# TYPE {name} "))).unwrap();
        let sample = lines.iter().find(|line| line.starts_with(name)).unwrap();
        let inside = sample.split_once('{').map_or("", |(_, rest)| rest);
        let labels: Vec<String> = inside
            .split("\",")
            .filter_map(|pair| pair.split_once("=\""))
            .filter(|(label, _)| *label != "le")
            .map(|(label, _)| format!("`{label}`"))
            .collect();
        format!("| `{name}` | {kind} | {} | {meaning} |", labels.join(", ")).replace("|  |", "| |")
    };
    lines.iter().filter_map(|line| line.strip_prefix("# HELP ")).map(row).collect()
}

#[test]
fn all_metrics_are_documented_and_no_others() {
    let mut documented: Vec<&str> = DOCUMENTATION
        .lines()
        .filter(|line| line.starts_with("| `hsmon") || line.starts_with("| `process"))
        .collect();
    let mut told = told();
    documented.sort_unstable();
    told.sort_unstable();
    assert!(documented == told, "docs/metrics.md should have these rows:\n{}", told.join("\n"));
}
