//! Reads the configuration file. It is small; whatever else is at its place takes neither memory nor time.

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Read as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

/// Bytes that it may have.
const MOST: u64 = 1 << 20;

/// At the start: a pipe will do too, as of `--config <(…)`, and is waited for.
///
/// # Errors
/// There is none, it is too long, or no text.
pub fn read(path: &Path) -> io::Result<String> {
    text(File::open(path)?)
}

/// Again, while something else must go on: a file alone, of which nobody has to be waited for.
///
/// # Errors
/// As of [`read`]; or it is no file.
pub fn read_again(path: &Path) -> io::Result<String> {
    let file = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::new(ErrorKind::InvalidInput, "it is no regular file any more"));
    }
    text(file)
}

fn text(file: File) -> io::Result<String> {
    let mut text = String::new();
    file.take(MOST + 1).read_to_string(&mut text)?;
    if text.len() as u64 > MOST {
        return Err(io::Error::new(ErrorKind::FileTooLarge, "it has more than a mebibyte"));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_no_end_is_not_read_to_its_end() {
        let error = read(Path::new("/dev/zero")).expect_err("it has no end");
        assert_eq!(error.to_string(), "it has more than a mebibyte");
    }

    #[test]
    fn what_is_no_file_is_not_waited_for() {
        let error = read_again(Path::new("/dev/zero")).expect_err("no file");
        assert_eq!(error.to_string(), "it is no regular file any more");
        let path = std::env::temp_dir().join(format!("hs-mon-{}-fifo", std::process::id()));
        let made = std::process::Command::new("mkfifo").arg(&path).status().expect("mkfifo runs");
        assert!(made.success());
        let error = read_again(&path).expect_err("no file");
        std::fs::remove_file(&path).expect("it can be removed");
        assert_eq!(error.to_string(), "it is no regular file any more");
    }
}
