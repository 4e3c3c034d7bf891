//! The command line: arguments and a configuration file become [`Settings`].
//!
//! Flags win over the file, the file over the defaults. Nothing here touches the system: the caller
//! passes the arguments, and a function that reads the configuration file.

mod args;
mod detection;
mod explain;
mod file;
mod manual;
mod selector;
mod settings;
mod values;

use std::ffi::OsString;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::error::ErrorKind;
use clap::{CommandFactory, FromArgMatches};
use hs_common::Anomaly;

pub use args::{Engine, Mode};
pub use clap_complete::Shell;
pub use explain::{anomalies_markdown, explain};
pub use manual::man;
pub use selector::Selector;
pub use settings::{LiveSettings, ReplaySettings, Settings, Tui, Verbosity};

use crate::detect::Settings as Detection;
use crate::doctor::DoctorSettings;
use crate::report::units::{escaped, escaped_lines};
use args::{Cli, NAME, Subcommand};
use file::FileOptions;

/// What the user asked for.
#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    /// Watch interfaces.
    Live(LiveSettings),
    /// Read captures.
    Replay(ReplaySettings),
    /// Explain one anomaly, or list all: [`explain`].
    Explain(Option<Anomaly>),
    /// A configuration file was found to be right: [`describe_config`].
    CheckConfig(PathBuf, Box<Detection>),
    /// Examine the machine: [`doctor::run`](crate::doctor::run).
    Doctor(DoctorSettings),
    /// Write completions for a shell: [`completions`].
    Completions(Shell),
    /// Write the manual page, or that of a command: [`man`].
    Man(Option<String>),
}

/// What the arguments (the program's name first) ask for. `read` reads the file of `--config`.
///
/// # Errors
/// An error to be shown with [`exit`], which ends with status 2; `--help` and
/// `--version` are such errors too, and end with status 0.
pub fn parse<I, T>(args: I, read: impl FnOnce(&Path) -> io::Result<String>) -> Result<Command, clap::Error>
where
    I: IntoIterator<Item = T>,
    T: Into<OsString> + Clone,
{
    let mut command = Cli::command();
    let mut matches = command.try_get_matches_from_mut(args)?;
    let cli = Cli::from_arg_matches_mut(&mut matches)?;
    resolve(cli, read).map_err(|error| error.format(&mut command))
}

fn resolve(cli: Cli, read: impl FnOnce(&Path) -> io::Result<String>) -> Result<Command, clap::Error> {
    let (live, shared) = (cli.live, cli.shared);
    match cli.subcommand {
        None => {
            let file = FileOptions::load(shared.config.as_deref(), read)?;
            settings::live(live, shared, file).map(Command::Live)
        }
        Some(subcommand) if !live.is_empty() => Err(clap::Error::raw(
            ErrorKind::ArgumentConflict,
            format!("{live}: only for watching interfaces, not for `{}`", subcommand.name()),
        )),
        Some(Subcommand::Replay(replay)) => {
            let shared = replay.shared.or(shared);
            let file = FileOptions::load(shared.config.as_deref(), read)?;
            settings::replay(replay.own, shared, file).map(Command::Replay)
        }
        Some(Subcommand::Explain { anomaly }) => Ok(Command::Explain(anomaly)),
        Some(Subcommand::CheckConfig(check)) => {
            let Some(path) = check.config.or(shared.config) else {
                let message =
                    "which file? name it with --config, such as `hs-mon check-config --config FILE`";
                return Err(clap::Error::raw(ErrorKind::MissingRequiredArgument, message));
            };
            let file = FileOptions::load(Some(&path), read)?;
            let detection = Box::new(file.detection.clone());
            // What only shows when the options meet the defaults.
            settings::replay_of(file)?;
            Ok(Command::CheckConfig(path, detection))
        }
        Some(Subcommand::Doctor(doctor)) => Ok(Command::Doctor(settings::doctor(doctor))),
        Some(Subcommand::Completions { shell }) => Ok(Command::Completions(shell)),
        Some(Subcommand::Man { command: Some(name) }) if !manual::has_page(&name) => {
            let message = format!("no such command: {name}; `hs-mon --help` lists them");
            Err(clap::Error::raw(ErrorKind::InvalidValue, message))
        }
        Some(Subcommand::Man { command }) => Ok(Command::Man(command)),
    }
}

/// Shows an error of [`parse`], whose arguments these were, and ends, with its status. clap quotes an argument as it is,
/// and that may have been the name of a file, which a pattern of the shell has put there: then none of it is coloured, nor
/// obeyed by a terminal.
pub fn exit(error: &clap::Error, args: impl IntoIterator<Item = OsString>) -> ! {
    let is_harmless = |arg: OsString| {
        let arg = arg.to_string_lossy();
        escaped(&arg).to_string() == arg
    };
    if args.into_iter().all(is_harmless) {
        error.exit();
    }
    let text = escaped_lines(&error.render().to_string()).to_string();
    // Standard error may be gone; then nobody is left to tell.
    let _ = io::stderr().write_all(text.as_bytes());
    std::process::exit(error.exit_code());
}

/// What a configuration file says of detection now: it is read again on SIGHUP.
///
/// # Errors
/// The file can't be read, or something in it is wrong.
pub fn reload(path: &Path, read: impl FnOnce(&Path) -> io::Result<String>) -> Result<Detection, clap::Error> {
    let file = FileOptions::load(Some(path), read)?;
    let detection = file.detection.clone();
    settings::replay_of(file)?;
    Ok(detection)
}

/// Says what a configuration file sets of detection.
///
/// # Errors
/// Those of `out`.
pub fn describe_config(path: &Path, detection: &Detection, out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "{}: right", escaped(&path.to_string_lossy()))?;
    writeln!(
        out,
        "a flood is {} unanswered handshakes beyond {}/s, or {} beyond {}/s, more than usual; {} exceptions",
        detection.burst,
        detection.floor,
        detection.backlog,
        detection.slow_floor,
        detection.exceptions.len()
    )
}

/// Writes the completions for a shell.
///
/// # Errors
/// Those of `out`.
pub fn completions(shell: Shell, out: &mut impl Write) -> io::Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), NAME, &mut script);
    if shell == Shell::Bash {
        // clap_complete 4.6 spells the dash of the program's name in one way where it looks for the command, and in another
        // where it tells the command's options, so that commands had none.
        let (looked_for, told) = (NAME.replace('-', "__"), NAME.replace('-', "__subcmd__"));
        script = String::from_utf8_lossy(&script).replace(&told, &looked_for).into_bytes();
    }
    out.write_all(&script)
}

#[cfg(test)]
mod tests;
