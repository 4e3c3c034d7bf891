//! A flood, a scan or backscatter in one line.

use std::fmt::{Display, from_fn};
use std::io::{self, Write};

use super::{ALARM, Facts, Paint};
use crate::detect::{Alert, Kind, Phase, Signature};
use crate::report::units::{count, percent, rate, span};

/// How many of the top sources are named.
const NAMED_SOURCES: usize = 3;

/// What happens to whom, how much of it, from where, and how the host bears it.
pub fn write(line: &mut Vec<u8>, alert: &Alert, lasted_ns: u64, paint: Paint) -> io::Result<()> {
    let name = alert.signature.name().to_uppercase();
    let title = from_fn(|f| write!(f, "▲ {name} #{} on {}", alert.id, alert.victim));
    write!(line, "{}", paint.with(ALARM, title))?;
    let mut facts = match alert.phase {
        Phase::Start => Facts::after(line, "  begins: "),
        Phase::Update => Facts::after(line, "  goes on: "),
        Phase::End => Facts::after(line, "  ends: "),
    };
    match (alert.signature, alert.phase) {
        (Signature::SynFlood, Phase::End) => add_flood_totals(&mut facts, alert, lasted_ns)?,
        (Signature::SynFlood, _) => {
            facts.add(format_args!("{} SYN/s", rate(alert.syn_rate)))?;
            facts.add(format_args!("{} completed", percent(alert.completion_ratio)))?;
            facts.add(format_args!("{} half-open", count(alert.half_open)))?;
        }
        (Signature::SynScan, _) => {
            facts.add(format_args!("{} ports in {}", count(alert.ports), span(lasted_ns)))?;
            return facts.add(format_args!("from {}", top_sources(alert, 1)));
        }
        (Signature::Reflection, _) => {
            let (total, lasted) = (count(alert.syn_total), span(lasted_ns));
            facts.add(format_args!("{total} SYN-ACK in {lasted} that nobody here asked for"))?;
            return facts.add(format_args!("at most {}/s", rate(alert.peak_syn_rate)));
        }
    }
    add_sources(&mut facts, alert)?;
    add_host(&mut facts, alert)
}

fn add_flood_totals(facts: &mut Facts, alert: &Alert, lasted_ns: u64) -> io::Result<()> {
    facts.add(format_args!("{} SYN in {}", count(alert.syn_total), span(lasted_ns)))?;
    facts.add(format_args!("at most {} SYN/s", rate(alert.peak_syn_rate)))
}

fn add_sources(facts: &mut Facts, alert: &Alert) -> io::Result<()> {
    match alert.kind {
        Kind::SingleSource => return facts.add(format_args!("from {}", top_sources(alert, 1))),
        Kind::Distributed => facts.add(format_args!("~{} sources", count(alert.sources_estimate)))?,
        // Naming a source would accuse somebody who sent nothing.
        Kind::Spoofed => {
            return facts.add(format_args!("~{} sources, spoofed", count(alert.sources_estimate)));
        }
    }
    if alert.top_sources.is_empty() {
        Ok(())
    } else {
        facts.add(format_args!("most by {}", top_sources(alert, NAMED_SOURCES)))
    }
}

fn add_host(facts: &mut Facts, alert: &Alert) -> io::Result<()> {
    let Some(host) = alert.host else { return Ok(()) };
    let counters = [
        (host.syncookies_sent, "SYN cookies sent"),
        (host.listen_overflows, "listen overflows"),
        (host.listen_drops, "listen drops"),
    ];
    for (number, name) in counters {
        facts.add(format_args!("{} {name}", count(number)))?;
    }
    if let Some((waiting, limit)) = host.backlog {
        facts.add(format_args!("{waiting} of {limit} in the accept queue"))?;
    }
    Ok(())
}

fn top_sources(alert: &Alert, most: usize) -> impl Display {
    from_fn(move |f| {
        let mut named = alert.top_sources.iter().take(most).enumerate();
        if alert.top_sources.is_empty() {
            f.write_str("one source")?;
        }
        named.try_for_each(|(index, (ip, share))| {
            write!(f, "{}{ip} ({})", if index == 0 { "" } else { ", " }, percent(*share))
        })
    })
}
