//! Manual pages: what `--help` says, in the sections that people look for in a page.

use std::io::{self, Write};

use clap::{Command, CommandFactory as _};
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};

use super::args::{Cli, NAME};

/// How help calls the examples, which a page has in a section of their own.
const EXAMPLES: &str = "Examples:\n";

/// What only a page has room for, by section.
const MORE: [(&str, &[(&str, &str)]); 4] = [
    (
        "SIGNALS",
        &[
            ("SIGINT, SIGTERM", "Detach, write the totals, and end with status 0."),
            ("SIGHUP", "Read [detection] of the configuration file again; if it is broken, nothing changes."),
        ],
    ),
    (
        "ENVIRONMENT",
        &[
            ("NO_COLOR", "If it is set and not empty, nothing is coloured, the dashboard neither."),
            ("TERM", "If it is dumb, there is no dashboard, and no line that tells how far a replay is."),
        ],
    ),
    (
        "FILES",
        &[
            ("/etc/hs-mon/hs-mon.toml", "Options of the services hs-mon and hs-mon@INTERFACE (--config)."),
            (
                "/usr/share/doc/hs-mon/",
                "README.md, and docs/: a playbook for floods, every field of the output, every metric; \
                 packaging/: rules for Prometheus, a dashboard for Grafana, pipelines.",
            ),
        ],
    ),
    ("SEE ALSO", &[("ss(8), nstat(8), tcpdump(8), ip-netns(8), systemctl(1)", "")]),
];

/// Whether there is a page of a command.
pub fn has_page(command: &str) -> bool {
    command_of(Some(command)).is_some()
}

/// Writes the manual page of a command, or of hs-mon, in roff; nothing if there is no such command.
///
/// # Errors
/// Those of `out`.
pub fn man(command: Option<&str>, out: &mut impl Write) -> io::Result<()> {
    let Some(of) = command_of(command) else { return Ok(()) };
    let help = of.get_after_help().map(ToString::to_string).unwrap_or_default();
    let has_commands = of.has_subcommands();
    let page = Man::new(of).source(format!("{NAME} {}", env!("CARGO_PKG_VERSION")));
    page.render_title(out)?;
    page.render_name_section(out)?;
    page.render_synopsis_section(out)?;
    page.render_description_section(out)?;
    page.render_options_section(out)?;
    if has_commands {
        page.render_subcommands_section(out)?;
    }
    let mut rest = Roff::new();
    add_help(&mut rest, &help);
    if command.is_none() {
        MORE.iter().for_each(|(section, entries)| add_section(&mut rest, section, entries));
    } else {
        add_section(&mut rest, "SEE ALSO", &[("hs-mon(1)", "")]);
    }
    rest.to_writer(out)
}

fn command_of(name: Option<&str>) -> Option<Command> {
    // `help` would have a page as well, and nothing to say there.
    let mut all = Cli::command().disable_help_subcommand(true);
    // Gives the commands their full names.
    all.build();
    match name {
        Some(name) => all.find_subcommand(name).cloned(),
        None => Some(all),
    }
}

/// What stands below the options in help: examples line by line, all else as paragraphs.
fn add_help(roff: &mut Roff, help: &str) {
    let (examples, notes): (Vec<&str>, Vec<&str>) =
        help.split("\n\n").filter(|part| !part.is_empty()).partition(|part| part.starts_with(EXAMPLES));
    for lines in examples.iter().filter_map(|part| part.strip_prefix(EXAMPLES)) {
        roff.control("SH", ["EXAMPLES"]).control("nf", []);
        for line in lines.lines() {
            roff.text([roman(line.strip_prefix("  ").unwrap_or(line))]);
        }
        roff.control("fi", []);
    }
    if !notes.is_empty() {
        roff.control("SH", ["NOTES"]);
    }
    for line in notes.iter().flat_map(|part| part.lines()) {
        // Help sets its lines itself where each is a sentence.
        roff.text([roman(line)]);
        if line.ends_with('.') {
            roff.control("br", []);
        }
    }
}

fn add_section(roff: &mut Roff, section: &str, entries: &[(&str, &str)]) {
    roff.control("SH", [section]);
    for (name, meaning) in entries {
        if meaning.is_empty() {
            roff.text([roman(*name)]);
        } else {
            roff.control("TP", []).text([bold(*name)]).text([roman(*meaning)]);
        }
    }
}
