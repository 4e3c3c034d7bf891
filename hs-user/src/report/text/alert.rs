//! A SYN flood in one line.

use std::fmt::{Display, from_fn};
use std::io::{self, Write};

use super::{ALARM, Facts, Paint};
use crate::detect::{Alert, Kind, Phase};
use crate::report::units::{count, percent, rate, span};

/// How many of the top sources are named.
const NAMED_SOURCES: usize = 3;

/// What happens to whom, how much of it, from where, and how the host bears it.
pub fn write(line: &mut Vec<u8>, alert: &Alert, lasted_ns: u64, paint: Paint) -> io::Result<()> {
    let title = from_fn(|f| write!(f, "▲ SYN FLOOD #{} on {}", alert.id, alert.victim));
    write!(line, "{}", paint.with(ALARM, title))?;
    let mut facts = match alert.phase {
        Phase::Start => Facts::after(line, "  begins: "),
        Phase::Update => Facts::after(line, "  goes on: "),
        Phase::End => Facts::after(line, "  ends: "),
    };
    if alert.phase == Phase::End {
        facts.add(format_args!("{} SYN in {}", count(alert.syn_total), span(lasted_ns)))?;
        facts.add(format_args!("at most {} SYN/s", rate(alert.peak_syn_rate)))?;
    } else {
        facts.add(format_args!("{} SYN/s", rate(alert.syn_rate)))?;
        facts.add(format_args!("{} completed", percent(alert.completion_ratio)))?;
        facts.add(format_args!("{} half-open", count(alert.half_open)))?;
    }
    add_sources(&mut facts, alert)?;
    add_host(&mut facts, alert)
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
    let counters = [
        (alert.syncookies_sent, "SYN cookies sent"),
        (alert.listen_overflows, "listen overflows"),
        (alert.listen_drops, "listen drops"),
    ];
    for (number, name) in counters {
        if let Some(number) = number {
            facts.add(format_args!("{} {name}", count(number)))?;
        }
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
