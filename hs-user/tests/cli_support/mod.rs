//! Runs hs-mon on files, as a person does from the command line.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A directory of its own for each test, with these files in it.
pub fn directory(test: &str, files: &[(&str, &[u8])]) -> PathBuf {
    let dir = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(test);
    fs::create_dir_all(&dir).expect("a directory for the test");
    for (name, bytes) in files {
        fs::write(dir.join(name), bytes).expect("a file for the test");
    }
    dir
}

/// hs-mon with these arguments, in that directory.
pub fn hs_mon(dir: &Path, args: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hs-mon"));
    command.args(args.split_whitespace()).current_dir(dir).stdin(Stdio::null());
    command
}
