//! The configuration file: the options of the command line under their own names.
//!
//! Each entry becomes an argument and is judged by the same rules, so that the two can't differ.

use std::io;
use std::path::Path;

use clap::error::ErrorKind;
use clap::{CommandFactory, Parser};
use toml::{Table, Value};

use super::args::{LiveArgs, ReplayOptions, SharedArgs};
use super::detection;
use crate::detect::Settings as Detection;
use crate::report::units::escaped_lines;

/// The table that is about detection.
const DETECTION: &str = "detection";

/// What a file may hold. Options of the other way of running are accepted and ignored, so that one
/// file serves both.
#[derive(Debug, Default, Parser)]
#[command(no_binary_name = true, disable_help_flag = true, disable_version_flag = true)]
pub struct FileOptions {
    #[command(flatten)]
    pub live: LiveArgs,
    #[command(flatten)]
    pub shared: SharedArgs,
    #[command(flatten)]
    pub replay: ReplayOptions,
    /// No option of the command line: `[detection]`.
    #[arg(skip)]
    pub detection: Detection,
}

impl FileOptions {
    /// Reads a file with `read`; without a path, no option is set.
    pub fn load(
        path: Option<&Path>,
        read: impl FnOnce(&Path) -> io::Result<String>,
    ) -> Result<FileOptions, clap::Error> {
        let Some(path) = path else { return Ok(FileOptions::default()) };
        let fail = |kind, why: &dyn std::fmt::Display| {
            let text = format!("configuration file {}: {why}", path.display());
            // The parser of TOML quotes the line that is wrong, whatever is in it.
            clap::Error::raw(kind, escaped_lines(&text))
        };
        let text = read(path).map_err(|error| fail(ErrorKind::Io, &error))?;
        FileOptions::from_toml(&text).map_err(|why| fail(ErrorKind::ValueValidation, &why))
    }

    fn from_toml(text: &str) -> Result<FileOptions, String> {
        let mut table: Table = text.parse().map_err(|error: toml::de::Error| error.to_string())?;
        let detection = table.remove(DETECTION).map(detection::settings).transpose()?.unwrap_or_default();
        let known = known_keys();
        let mut args = Vec::new();
        for (key, value) in &table {
            if !known.contains(key) {
                return Err(format!("unknown key `{key}`; known: {}", known.join(", ")));
            }
            add_argument(&mut args, key, value)?;
        }
        let options = FileOptions::try_parse_from(args).map_err(|error| first_line(&error))?;
        Ok(FileOptions { detection, ..options })
    }
}

fn add_argument(args: &mut Vec<String>, key: &str, value: &Value) -> Result<(), String> {
    match value {
        Value::Array(items) => items.iter().try_for_each(|item| add_argument(args, key, item)),
        Value::String(text) => {
            args.push(format!("--{key}={text}"));
            Ok(())
        }
        Value::Integer(number) => {
            args.push(format!("--{key}={number}"));
            Ok(())
        }
        Value::Boolean(true) => {
            args.push(format!("--{key}"));
            Ok(())
        }
        // What a switch is without being set.
        Value::Boolean(false) if matches!(key, "vlan-aware" | "tui" | "verbose" | "quiet") => Ok(()),
        _ => Err(format!("key `{key}`: unexpected {}", value.type_str())),
    }
}

/// All options but the one that names the file.
fn known_keys() -> Vec<String> {
    let command = FileOptions::command();
    let names = command.get_arguments().filter_map(|arg| arg.get_long().map(str::to_owned));
    names.filter(|name| name != "config").chain([DETECTION.to_owned()]).collect()
}

/// clap's own message without its `error: ` and its advice on flags, which a file has none of.
fn first_line(error: &clap::Error) -> String {
    let text = error.to_string();
    let line = text.lines().next().unwrap_or_default();
    line.strip_prefix("error: ").unwrap_or(line).to_owned()
}
