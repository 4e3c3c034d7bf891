//! The live figures, for people and for programs.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::live::{Attached, Monitored, Outcome};

/// Both tables, as Markdown.
pub fn tables(mixed: &[Outcome], flood: &[Outcome]) -> String {
    let mut text = String::from(
        "\n### A million packets through a pair of interfaces, 20 % spoofed SYNs\n\n\
         | attached | packets a second | of the program that passes | CPU seconds of hs-mon | peak memory | events lost |\n\
         |---|--:|--:|--:|--:|--:|\n",
    );
    for outcome in mixed {
        let of_pass =
            passing(mixed, outcome.attached).map_or(String::new(), |pass| percent(outcome.rate / pass));
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
    text += "\n### A million distinct spoofed SYNs, and honest clients beside them\n\n\
         | attached | SYNs a second | CPU of hs-mon | peak memory | grown by | honest handshakes | reported | packets not counted | events lost | lost unseen | first alert after | start to attached |\n\
         |---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|\n";
    for outcome in flood {
        let _ = write!(text, "| {} | {:.0},000 ", name(outcome.attached), outcome.rate / 1000.0);
        let _ = match &outcome.monitor {
            Some(monitor) => writeln!(text, "{}", of_flood(monitor)),
            None => writeln!(text, "| | | | | | | | | | |"),
        };
    }
    text
}

fn of_flood(monitor: &Monitored) -> String {
    let detection = monitor.detection.map_or("never".to_owned(), |time| format!("{} ms", time.as_millis()));
    format!(
        "| {} of one core | {} MB | {} kB | {} | {} | {} | {} | {} | {detection} | {} ms |",
        percent(monitor.cpu.as_secs_f64() / monitor.elapsed.as_secs_f64()),
        monitor.peak_bytes / 1_000_000,
        monitor.ledger.grown_bytes / 1_000,
        monitor.honest.connected,
        monitor.reported,
        monitor.ledger.packets_missed,
        monitor.total("events_lost"),
        monitor.ledger.events_missed,
        monitor.start.as_millis(),
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
        Attached::HsMon(mode) => format!("hs-mon, {mode}"),
    }
}

/// The rate with a program that only passes, attached the same way.
fn passing(outcomes: &[Outcome], attached: Attached) -> Option<f64> {
    let Attached::HsMon(mode) = attached else { return None };
    outcomes.iter().find(|outcome| outcome.attached == Attached::Pass(mode)).map(|outcome| outcome.rate)
}

/// For programs.
pub fn figures(mixed: &[Outcome], flood: &[Outcome]) -> Value {
    let all = |outcomes: &[Outcome]| outcomes.iter().map(figure).collect::<Value>();
    json!({ "mixed": all(mixed), "flood": all(flood) })
}

fn figure(outcome: &Outcome) -> Value {
    let monitor = outcome.monitor.as_ref().map(|monitor| {
        json!({
            "cpu_seconds": monitor.cpu.as_secs_f64(),
            "seconds": monitor.elapsed.as_secs_f64(),
            "peak_bytes": monitor.peak_bytes,
            "start_ms": monitor.start.as_millis() as u64,
            "honest_connected": monitor.honest.connected,
            "honest_reported": monitor.reported,
            "events_lost": monitor.total("events_lost"),
            "events_missed": monitor.ledger.events_missed,
            "packets_missed": monitor.ledger.packets_missed,
            "grown_bytes": monitor.ledger.grown_bytes,
            "detection_ms": monitor.detection.map(|time| time.as_millis() as u64),
        })
    });
    json!({ "attached": name(outcome.attached), "packets_per_second": outcome.rate, "hs_mon": monitor })
}
