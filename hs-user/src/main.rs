//! `hs-mon`: the command line, and what becomes of errors.

use std::env;
use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;

use anyhow::Result;
use hs_mon::cli::{self, Command, Settings};
use hs_mon::progress::InPlaceOfLine;
use hs_mon::report::{Reporter, wants_colour};
use hs_mon::{config_file, doctor, live, notices, replay};

fn main() -> ExitCode {
    let command = match cli::parse(env::args_os(), config_file::read) {
        Ok(command) => command,
        Err(error) => cli::exit(&error, env::args_os()),
    };
    match run(command) {
        Ok(status) => status,
        Err(error) if is_closed_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            notices::fail(&error);
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> Result<ExitCode> {
    let mut out = io::stdout();
    match command {
        Command::Live(settings) => {
            let several = settings.watches_several();
            let output = live::Output::stdout()?;
            live::run(&settings, reporter(&settings.common, output.clone()).show_origin(several), output)?;
        }
        Command::Replay(settings) => {
            let several = settings.files.len() > 1;
            let out = InPlaceOfLine(out);
            replay::run(&settings, reporter(&settings.common, out).show_origin(several))?;
        }
        Command::Explain(anomaly) => cli::explain(anomaly, &mut out)?,
        Command::CheckConfig(path, detection) => cli::describe_config(&path, &detection, &mut out)?,
        Command::Doctor(settings) => {
            let colour = out.is_terminal() && wants_colour();
            if !doctor::run(&settings, colour, &mut out)? {
                return Ok(ExitCode::FAILURE);
            }
        }
        Command::Completions(shell) => cli::completions(shell, &mut out)?,
        Command::Man(command) => cli::man(command.as_deref(), &mut out)?,
    }
    Ok(ExitCode::SUCCESS)
}

/// `out` leads to standard output.
fn reporter<W: Write>(settings: &Settings, out: W) -> Reporter<W> {
    let colour = io::stdout().is_terminal() && wants_colour();
    Reporter::new(out, settings.format, colour, settings.filter).vlan_aware(settings.engine.vlan_aware != 0)
}

/// Who reads us has enough: no error.
fn is_closed_pipe(error: &anyhow::Error) -> bool {
    let closed = |cause: &io::Error| cause.kind() == io::ErrorKind::BrokenPipe;
    error.chain().any(|cause| cause.downcast_ref::<io::Error>().is_some_and(closed))
}
