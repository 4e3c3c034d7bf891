//! The table of what came live, and what of it was not as it should be.

use super::live::{Heard, Outcome};
use super::scenarios::Scenario;

/// An end is to be told so many seconds after the last packet.
const END_WITHIN: f64 = 5.0;
/// Completed handshakes of honest clients that are to be reported, of a thousand.
const REPORTED: u64 = 999;

/// One line of the table.
pub struct Row {
    cells: Vec<String>,
    /// Figures that were not reached.
    pub missed: Vec<String>,
}

pub fn print_head() {
    println!(
        "| live | to reach | flagged after, s | kind | end told after, s | other alerts | honest handshakes | reported completed |"
    );
    println!("|---|---|--:|---|--:|--:|--:|--:|");
}

impl Row {
    pub fn of(scenario: &Scenario, outcome: &Outcome) -> Row {
        let mut missed = Vec::new();
        let mut require = |holds: bool, what: String| {
            if !holds {
                missed.push(format!("{}: {what}", scenario.name));
            }
        };
        let starts: Vec<&Heard> = outcome.alerts.iter().filter(|alert| alert.is("start")).collect();
        let right = scenario.due.and_then(|due| {
            starts.iter().copied().find(|alert| alert.event["alert"]["signature"] == due.signature)
        });
        let end = right.and_then(|right| {
            outcome.alerts.iter().find(|alert| alert.is("end") && alert.id() == right.id())
        });
        let flagged = right.map(|alert| (alert.at - outcome.began).as_secs_f64());
        let told = end.map(|alert| alert.at.saturating_duration_since(outcome.ended).as_secs_f64());
        let kind = end.and_then(|end| end.event["synflood"]["kind"].as_str()).filter(|_| is_flood(scenario));
        let others = starts.len() - usize::from(right.is_some());

        if let Some(due) = scenario.due {
            require(flagged.is_some_and(|time| time <= due.within), format!("flagged after {flagged:?} s"));
            require(told.is_some_and(|time| time <= END_WITHIN), format!("end told after {told:?} s"));
            require(kind == due.kind, format!("kind {kind:?}"));
        }
        require(others == 0, format!("other alerts: {}", names(&starts)));
        let enough = outcome.made > 0 && outcome.reported * 1000 >= outcome.made * REPORTED;
        require(
            enough && outcome.reported <= outcome.made,
            format!("{} handshakes made, {} reported", outcome.made, outcome.reported),
        );

        let seconds = |time: Option<f64>| time.map_or("–".to_owned(), |time| format!("{time:.2}"));
        let goal = scenario.due.map_or("no alert".to_owned(), |due| format!("{} s", due.within));
        let cells = vec![
            scenario.name.to_owned(),
            goal,
            seconds(flagged),
            kind.unwrap_or("–").to_owned(),
            seconds(told),
            others.to_string(),
            outcome.made.to_string(),
            outcome.reported.to_string(),
        ];
        Row { cells, missed }
    }

    pub fn print(&self) {
        println!("| {} |", self.cells.join(" | "));
    }
}

fn is_flood(scenario: &Scenario) -> bool {
    scenario.due.is_some_and(|due| due.kind.is_some())
}

fn names(alerts: &[&Heard]) -> String {
    let name = |alert: &&Heard| {
        let event = &alert.event;
        format!("{} on {}:{}", event["alert"]["signature"], event["dest_ip"], event["dest_port"])
    };
    alerts.iter().map(name).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use serde_json::json;

    use super::*;
    use crate::detect_eval::scenarios;

    /// A flood that began a second ago, with alerts so many milliseconds after its beginning and end.
    fn outcome(alerts: &[(&str, &str, u64)], reported: u64) -> Outcome {
        let began = Instant::now();
        let alert = |(signature, phase, ms): &(&str, &str, u64)| Heard {
            at: began + Duration::from_millis(*ms),
            event: json!({
                "alert": { "signature": signature },
                "synflood": { "id": signature.len(), "phase": phase, "kind": "spoofed" },
            }),
        };
        Outcome {
            began,
            ended: began + Duration::from_secs(1),
            alerts: alerts.iter().map(alert).collect(),
            made: 2_000,
            reported,
        }
    }

    #[test]
    fn what_is_not_as_it_should_be_is_missed() {
        let (flood, start, end) =
            (&scenarios::all()[0], ("SYN flood", "start", 400), ("SYN flood", "end", 5_200));
        let missed = |alerts: &[_], reported| Row::of(flood, &outcome(alerts, reported)).missed.len();
        for (what, alerts, reported, expected) in [
            ("as it should be", vec![start, end], 1_999, 0),
            ("late", vec![("SYN flood", "start", 1_100), end], 2_000, 1),
            ("no end, so no kind", vec![start], 2_000, 2),
            ("its end is late", vec![start, ("SYN flood", "end", 6_100)], 2_000, 1),
            ("another alert", vec![start, end, ("SYN scan", "start", 500)], 2_000, 1),
            ("handshakes that were not reported", vec![start, end], 1_997, 1),
            ("more than there were", vec![start, end], 2_001, 1),
            ("nothing was said", vec![], 2_000, 3),
        ] {
            assert_eq!(missed(&alerts, reported), expected, "{what}");
        }
    }

    #[test]
    fn peace_is_to_be_left_alone() {
        let scenarios = scenarios::all();
        let peace = scenarios.iter().find(|scenario| scenario.due.is_none()).expect("there is one");
        assert!(Row::of(peace, &outcome(&[], 2_000)).missed.is_empty());
        assert_eq!(Row::of(peace, &outcome(&[("SYN flood", "start", 1)], 2_000)).missed.len(), 1);
    }
}
