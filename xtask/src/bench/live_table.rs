//! The live figures, for people and for programs.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::attached::{Attached, Monitored};
use super::live::{Outcome, Outcomes, median};
use super::start;

/// All tables, as Markdown.
pub fn tables(outcomes: &Outcomes) -> String {
    start::table(&outcomes.starts)
        + &rates("A million packets of ordinary traffic through a pair of interfaces", &outcomes.ordinary)
        + &rates(
            "A million packets through a pair of interfaces, under attack: 20 % spoofed SYNs",
            &outcomes.mixed,
        )
        + &flood(&outcomes.flood)
}

/// The rate with each attached, beside that with a program that passes.
fn rates(heading: &str, outcomes: &[Outcome]) -> String {
    let mut text = format!(
        "\n### {heading}\n\n\
         | attached | packets a second | of the program that passes | CPU seconds of hs-mon | peak memory | events lost |\n\
         |---|--:|--:|--:|--:|--:|\n",
    );
    for outcome in outcomes {
        let of_pass = of_passing(outcomes, outcome).map_or(String::new(), percent);
        let _ = write!(text, "| {} | {:.0},000 | {of_pass} ", name(outcome.attached), outcome.rate / 1000.0);
        let _ = match &outcome.monitor {
            Some(monitor) => writeln!(
                text,
                "| {:.3} | {} MB | {} |",
                monitor.cpu.as_secs_f64(),
                monitor.peak_bytes / 1_000_000,
                monitor.total("events_lost")
            ),
            None => writeln!(text, "| | | |"),
        };
    }
    text
}

fn flood(outcomes: &[Outcome]) -> String {
    let mut text = String::from(
        "\n### A million distinct spoofed SYNs, and honest clients beside them\n\n\
         | attached | SYNs a second | CPU of hs-mon | peak memory | grown by | honest handshakes | reported | packets not counted | events lost | lost unseen | first alert after |\n\
         |---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|\n",
    );
    for outcome in outcomes {
        let _ = write!(text, "| {} | {:.0},000 ", name(outcome.attached), outcome.rate / 1000.0);
        let _ = match &outcome.monitor {
            Some(monitor) => writeln!(text, "{}", of_flood(monitor)),
            None => writeln!(text, "| | | | | | | | | |"),
        };
    }
    text
}

fn of_flood(monitor: &Monitored) -> String {
    let detection = monitor.detection.map_or("never".to_owned(), |time| format!("{} ms", time.as_millis()));
    format!(
        "| {} of one core | {} MB | {} kB | {} | {} | {} | {} | {} | {detection} |",
        percent(monitor.cpu.as_secs_f64() / monitor.elapsed.as_secs_f64()),
        monitor.peak_bytes / 1_000_000,
        monitor.ledger.grown_bytes / 1_000,
        monitor.honest.connected,
        monitor.reported,
        monitor.ledger.packets_missed,
        monitor.total("events_lost"),
        monitor.ledger.events_missed,
    )
}

impl Monitored {
    fn total(&self, name: &str) -> u64 {
        self.totals[name].as_u64().unwrap_or_default()
    }
}

fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}

fn name(attached: Attached) -> String {
    match attached {
        Attached::Nothing => "nothing".to_owned(),
        Attached::Pass(place) => format!("a program that passes, {place}"),
        Attached::Follow(place) => format!("flows in an LRU map, {place}"),
        Attached::HsMon(mode) => format!("hs-mon, {mode}"),
    }
}

/// The rate as a part of that with a program that only passes, attached the same way: of both in the same
/// turn, since the machine may be slower in another, and of these the median.
fn of_passing(outcomes: &[Outcome], outcome: &Outcome) -> Option<f64> {
    let (Attached::HsMon(mode) | Attached::Follow(mode)) = outcome.attached else { return None };
    let pass = outcomes.iter().find(|outcome| outcome.attached == Attached::Pass(mode))?;
    median(outcome.rates.iter().zip(&pass.rates).map(|(rate, pass)| rate / pass))
}

/// For programs.
pub fn figures(outcomes: &Outcomes) -> Value {
    let all = |outcomes: &[Outcome]| outcomes.iter().map(figure).collect::<Value>();
    json!({
        "starts": start::figures(&outcomes.starts),
        "ordinary": all(&outcomes.ordinary),
        "mixed": all(&outcomes.mixed),
        "flood": all(&outcomes.flood),
    })
}

fn figure(outcome: &Outcome) -> Value {
    let monitor = outcome.monitor.as_ref().map(|monitor| {
        json!({
            "cpu_seconds": monitor.cpu.as_secs_f64(),
            "seconds": monitor.elapsed.as_secs_f64(),
            "peak_bytes": monitor.peak_bytes,
            "honest_connected": monitor.honest.connected,
            "honest_reported": monitor.reported,
            "events_lost": monitor.total("events_lost"),
            "events_missed": monitor.ledger.events_missed,
            "packets_missed": monitor.ledger.packets_missed,
            "grown_bytes": monitor.ledger.grown_bytes,
            "detection_ms": monitor.detection.map(|time| time.as_millis() as u64),
        })
    });
    json!({
        "attached": name(outcome.attached),
        "packets_per_second": outcome.rate,
        "turns": outcome.rates,
        "hs_mon": monitor,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_compared_within_their_turn() {
        let outcome = |attached, rates: [f64; 3]| Outcome {
            attached,
            rate: rates[0],
            rates: rates.to_vec(),
            monitor: None,
        };
        let pass = outcome(Attached::Pass("tc"), [100.0, 50.0, 200.0]);
        let hs_mon = outcome(Attached::HsMon("tc"), [90.0, 40.0, 190.0]);
        let other = outcome(Attached::Pass("native"), [1.0; 3]);
        let outcomes = [other, pass.clone(), hs_mon.clone()];
        assert_eq!(of_passing(&outcomes, &hs_mon), Some(0.9));
        assert_eq!(of_passing(&outcomes, &pass), None);
    }
}
