//! `hs-mon doctor`: would hs-mon run here, how, and what stands in its way?
//!
//! `look` gathers facts, `judge` turns facts into lines, `line` writes them. Only the first touches the system, and
//! it changes nothing.

mod facts;
mod judge;
mod line;
mod look;
#[cfg(test)]
mod tests;

use std::io::{self, Write};

use anyhow::Result;
use hs_common::Config;

use crate::cli::Selector;
use crate::kernel;
use crate::report::units::escaped;
use line::{Line, Verdict};

/// What is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DoctorSettings {
    /// The interfaces to look at; none for all that are up.
    pub interfaces: Vec<Selector>,
    /// The `--max-flows` that the memory is worked out for.
    pub max_flows: u32,
}

/// Writes the examination, and tells whether hs-mon would run.
///
/// # Errors
/// Those of `out`; or the memory of the maps can't be worked out.
pub fn run(settings: &DoctorSettings, colour: bool, out: &mut impl Write) -> Result<bool> {
    let config = Config { max_flows: settings.max_flows, ..Config::DEFAULT };
    let machine = look::machine(kernel::map_memory(&config)?)?;
    let mut healthy = tell("machine", &judge::machine(&machine), colour, out)?;
    let interfaces = look::interfaces(&settings.interfaces)?;
    if interfaces.is_empty() {
        healthy &= tell("interfaces", &[judge::no_interface()], colour, out)?;
    }
    for (name, interface) in interfaces {
        let lines = match interface {
            Ok(interface) => judge::interface(&interface, &machine),
            Err(error) => vec![judge::no_such_interface(&error, !settings.interfaces.is_empty())],
        };
        healthy &= tell(&name, &lines, colour, out)?;
    }
    Ok(healthy)
}

/// Writes the lines under a heading, and tells whether none of them is a failure.
fn tell(heading: &str, lines: &[Line], colour: bool, out: &mut impl Write) -> io::Result<bool> {
    writeln!(out, "{}", escaped(heading))?;
    for line in lines {
        line.write(colour, out)?;
    }
    Ok(lines.iter().all(|line| line.verdict != Verdict::Fail))
}
