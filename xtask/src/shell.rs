//! Starting other programs: what is started is shown, and a failure says which command it was.

use std::env;
use std::io;
use std::iter;
use std::os::fd::AsFd as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context as _, Result, bail};

/// Where Debian keeps administrators' programs; not on an ordinary user's PATH.
const ADMIN_DIRS: [&str; 2] = ["/usr/sbin", "/sbin"];

/// The root of the workspace.
pub fn workspace_root() -> &'static Path {
    let manifest_dir = Path::new(env!("CARGO_MANIFEST_DIR"));
    manifest_dir.parent().unwrap_or(manifest_dir)
}

/// Tells the person at the keyboard what happens; standard output is left to the program that is run.
pub fn say(text: &str) {
    eprintln!("xtask: {text}");
}

/// Runs a command to its end, says what it is and how long it took, and fails if it fails.
pub fn run(command: &mut Command) -> Result<()> {
    let line = display(command);
    run_shown_as(&line, command)
}

/// The same, for a command whose environment is too long to be shown.
pub fn run_shown_as(line: &str, command: &mut Command) -> Result<()> {
    say(&format!("+ {line}"));
    let start = Instant::now();
    let status = quiet_stdout(command)?.status().with_context(|| cannot_start(command))?;
    if !status.success() {
        bail!("`{line}` failed ({status})");
    }
    say(&format!("  done in {:.1} s", start.elapsed().as_secs_f32()));
    Ok(())
}

/// Whether a command that changes nothing succeeds; its output is of no interest.
pub fn succeeds(command: &mut Command) -> bool {
    command.stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
}

/// The command as a line that can be pasted into a shell.
pub fn display(command: &Command) -> String {
    let set = command.get_envs().filter_map(|(name, value)| {
        Some(format!("{}={}", name.to_string_lossy(), quoted(&value?.to_string_lossy())))
    });
    // The user's own cargo, which rustup gives by its whole path.
    let own_cargo = env::var_os("CARGO").is_some_and(|cargo| cargo == command.get_program());
    let program = if own_cargo { "cargo".as_ref() } else { command.get_program() };
    let words = iter::once(program).chain(command.get_args()).map(|word| quoted(&word.to_string_lossy()));
    set.chain(words).collect::<Vec<_>>().join(" ")
}

/// The message for a program that can't be started.
pub fn cannot_start(command: &Command) -> String {
    format!("can't start {}", command.get_program().display())
}

/// Where a program is: on PATH, or where administrators' programs are.
pub fn find_program(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let dirs = env::split_paths(&path).chain(ADMIN_DIRS.map(PathBuf::from));
    dirs.map(|dir| dir.join(name)).find(|file| file.is_file())
}

/// What tools print on standard output goes to standard error, so that `cargo xtask run` can be piped.
fn quiet_stdout(command: &mut Command) -> Result<&mut Command> {
    let stderr = io::stderr().as_fd().try_clone_to_owned().context("can't duplicate standard error")?;
    Ok(command.stdout(Stdio::from(stderr)))
}

fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,+@%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_displayed_command_can_be_pasted() {
        let mut command = Command::new("install");
        command.args(["-m", "0755", "a file", "it's"]).env("LANG", "C");
        assert_eq!(display(&command), r"LANG=C install -m 0755 'a file' 'it'\''s'");
    }
}
