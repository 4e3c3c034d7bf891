//! The totals: a line while running, a block at the end.

use std::fmt::{Display, from_fn};
use std::io::{self, Write};

use hs_common::{Anomaly, Counter, Counters, Ledger, Outcome, Unparsed};

use super::{Facts, outcome_label};
use crate::report::Totals;
use crate::report::units::{count, part_of};

const NAME_WIDTH: usize = 32;
const NUMBER_WIDTH: usize = 14;

/// Packets, handshakes and losses, in one line.
pub fn write_line(line: &mut Vec<u8>, all: &Totals) -> io::Result<()> {
    let totals = all.ledger.totals;
    let mut facts = Facts::after(line, "");
    facts.add(format_args!("{}", some(totals.get(Counter::Packets), "packet", "packets")))?;
    facts.add(format_args!("{}", some(totals.get(Counter::Begun), "handshake", "handshakes")))?;
    for outcome in Outcome::ALL.iter().filter(|outcome| totals.outcome(**outcome) > 0) {
        facts.add(format_args!("{} {}", count(totals.outcome(*outcome)), outcome_label(*outcome)))?;
    }
    facts.add(format_args!("{} in progress", count(totals.in_progress())))?;
    facts.add(format_args!("{}", some(totals.anomaly_events(), "anomaly", "anomalies")))?;
    facts.add(format_args!("{}", some(totals.get(Counter::EventsLost), "event lost", "events lost")))?;
    facts.add(format_args!("{}", some(all.alerts, "alert", "alerts")))
}

fn some(number: u64, one: &str, many: &str) -> impl Display {
    from_fn(move |f| write!(f, "{} {}", count(number), if number == 1 { one } else { many }))
}

/// Everything, zeros too where they are good news.
pub fn write_block(out: &mut Vec<u8>, all: &Totals) -> io::Result<()> {
    let totals = all.ledger.totals;
    packets(out, totals)?;
    handshakes(out, totals)?;
    anomalies(out, totals)?;
    not_parsed(out, totals)?;
    events(out, &all.ledger)?;
    losses(out, totals)?;
    row(out, "alerts", all.alerts, "")?;
    ledger(out, &all.ledger)
}

fn packets(out: &mut Vec<u8>, totals: &Counters) -> io::Result<()> {
    row(out, "packets", totals.get(Counter::Packets), "")?;
    row(out, "  TCP segments", totals.get(Counter::TcpSegments), "")?;
    row(out, "  SYN", totals.get(Counter::Syn), "")?;
    row(out, "  SYN-ACK", totals.get(Counter::Synack), "")?;
    match totals.get(Counter::Filtered) {
        0 => Ok(()),
        number => row(out, "  of other ports", number, ""),
    }
}

fn handshakes(out: &mut Vec<u8>, totals: &Counters) -> io::Result<()> {
    let begun = totals.get(Counter::Begun);
    let late = totals.get(Counter::CompletedLate);
    row(out, "handshakes begun", begun, "")?;
    for outcome in Outcome::ALL {
        let number = totals.outcome(*outcome);
        let name = from_fn(|f| write!(f, "  {}", outcome_label(*outcome)));
        let late = from_fn(|f| match outcome {
            Outcome::Completed if late > 0 => write!(f, "   {} of them late", count(late)),
            _ => Ok(()),
        });
        row(out, name, number, from_fn(|f| write!(f, "{:>10}{late}", part_of(number, begun))))?;
    }
    let open = totals.in_progress();
    row(out, "  in progress", open, from_fn(|f| write!(f, "{:>10}", part_of(open, begun))))
}

fn anomalies(out: &mut Vec<u8>, totals: &Counters) -> io::Result<()> {
    row(out, "anomalies", totals.anomaly_events(), "")?;
    for anomaly in Anomaly::ALL.iter().filter(|anomaly| totals.anomaly(**anomaly) > 0) {
        let note = if anomaly.is_event() { "" } else { "   counted only, not in the sum" };
        row(out, from_fn(|f| write!(f, "  {}", anomaly.name())), totals.anomaly(*anomaly), note)?;
    }
    Ok(())
}

fn not_parsed(out: &mut Vec<u8>, totals: &Counters) -> io::Result<()> {
    for (name, errors) in [("not looked into", false), ("broken packets", true)] {
        let reasons = || Unparsed::ALL.iter().filter(move |why| why.is_error() == errors);
        row(out, name, reasons().map(|why| totals.unparsed(*why)).sum(), "")?;
        for why in reasons().filter(|why| totals.unparsed(**why) > 0) {
            row(out, from_fn(|f| write!(f, "  {}", why.name())), totals.unparsed(*why), "")?;
        }
    }
    Ok(())
}

fn events(out: &mut Vec<u8>, ledger: &Ledger) -> io::Result<()> {
    row(out, "events due", ledger.totals.get(Counter::EventsProduced), "")?;
    row(out, "  delivered", ledger.delivered, "")?;
    row(out, "  lost, buffer full", ledger.totals.get(Counter::EventsLost), "")?;
    row(out, "  left out under a flood", ledger.totals.get(Counter::EventsSuppressed), "")
}

fn losses(out: &mut Vec<u8>, totals: &Counters) -> io::Result<()> {
    row(out, "flows evicted, table full", totals.get(Counter::FlowsEvicted), "")?;
    row(out, "segments not tracked, contended", totals.get(Counter::FlowsContended), "")?;
    row(out, "SYN-ACKs without a known SYN", totals.get(Counter::SynackUnmatched), "")?;
    row(out, "SYNs while attaching", totals.get(Counter::SynBeforeWatch), "")?;
    row(out, "SYNs, SYN-ACKs seen once more", totals.get(Counter::SeenAgain), "")
}

fn row(out: &mut Vec<u8>, name: impl Display, number: u64, note: impl Display) -> io::Result<()> {
    let name = name.to_string();
    writeln!(out, "{name:<NAME_WIDTH$}{:>NUMBER_WIDTH$}{note}", count(number))
}

/// Whether all of it adds up.
fn ledger(out: &mut Vec<u8>, ledger: &Ledger) -> io::Result<()> {
    if ledger.differences().next().is_none() {
        return writeln!(out, "{:<NAME_WIDTH$}{:>NUMBER_WIDTH$}", "ledger", "adds up");
    }
    writeln!(out, "{:<NAME_WIDTH$}{:>NUMBER_WIDTH$}", "ledger", "DIFFERS")?;
    ledger.differences().try_for_each(|difference| writeln!(out, "  {difference}"))
}
