//! How far a replay is: one line on standard error, if that is a terminal and the work takes longer than a moment.
//!
//! The line has to give way to events that are written to the same terminal, whole blocks of lines at a time, and
//! has nothing but numbers in it. That takes less than a progress bar's library, and the packets pay nothing for it.

use std::cell::Cell;
use std::fs::File;
use std::io::{self, IsTerminal, Read, Write};
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use std::{env, fs};

use ratatui::crossterm::terminal;

use crate::cli::Verbosity;
use crate::report::units::{count, span};

/// Work that is done sooner needs no line.
const PATIENCE: Duration = Duration::from_secs(1);
/// Often enough for the eye.
const REDRAW_EVERY: Duration = Duration::from_millis(200);
/// To the line's first column, and nothing behind it.
const ERASE: &str = "\r\x1b[K";

/// Whether the line is on the terminal: there is one terminal, and one line.
static SHOWN: AtomicBool = AtomicBool::new(false);

/// The line; dropping it takes it away.
#[derive(Debug)]
pub struct Progress {
    began: Instant,
    next: Instant,
    /// Bytes of all files.
    total: u64,
    /// Bytes that were read of them.
    read: Rc<Cell<u64>>,
    looked_at: u64,
}

impl Progress {
    /// For these files, if there is a terminal to show it on, and how long they are is known.
    pub fn of(files: &[PathBuf], verbosity: Verbosity) -> Option<Progress> {
        let is_dumb = env::var_os("TERM").is_none_or(|term| term == "dumb");
        if verbosity == Verbosity::Quiet || is_dumb || !io::stderr().is_terminal() {
            return None;
        }
        let length =
            |file: &PathBuf| fs::metadata(file).ok().filter(fs::Metadata::is_file).map(|file| file.len());
        let total = files.iter().map(length).sum::<Option<u64>>()?;
        let began = Instant::now();
        Some(Progress { began, next: began + PATIENCE, total, read: Rc::default(), looked_at: 0 })
    }

    /// A file whose bytes are counted.
    pub fn counted(&self, file: File) -> impl Read + use<> {
        Counted { file, read: Rc::clone(&self.read) }
    }

    /// To be called now and then, with the packets until now. It looks at the clock only after more has been read.
    #[inline]
    pub fn update(&mut self, packets: u64) {
        if self.read.get() != self.looked_at {
            self.look(packets);
        }
    }

    #[cold]
    fn look(&mut self, packets: u64) {
        self.looked_at = self.read.get();
        let now = Instant::now();
        if now < self.next {
            return;
        }
        self.next = now + REDRAW_EVERY;
        let line = line(self.looked_at, self.total, packets, now - self.began);
        // One that is too long would be broken, and only its last part erased. A serial line says 0.
        let columns =
            terminal::size().ok().map(|(columns, _)| usize::from(columns)).filter(|columns| *columns > 0);
        let columns = columns.unwrap_or(80);
        let line: String = line.chars().take(columns.saturating_sub(1)).collect();
        // Standard error may be gone, as a terminal that was closed. Then nobody looks.
        let _ = io::stderr().write_all(format!("{ERASE}{line}").as_bytes());
        SHOWN.store(true, Ordering::Relaxed);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        erase();
    }
}

/// What there is to know.
fn line(read: u64, total: u64, packets: u64, elapsed: Duration) -> String {
    // A file may grow while it is read.
    let share = (read as f64 / total.max(1) as f64).min(1.0);
    let seconds = elapsed.as_secs_f64();
    let left = Duration::from_secs_f64(seconds * (1.0 / share.max(1e-9) - 1.0));
    let per_second = count((packets as f64 / seconds) as u64);
    format!(
        "hs-mon: {:.0} % read, {per_second} packets/s, {} left",
        share * 100.0,
        span(left.as_nanos() as u64)
    )
}

fn erase() {
    if SHOWN.swap(false, Ordering::Relaxed) {
        // As above.
        let _ = io::stderr().write_all(ERASE.as_bytes());
    }
}

/// A sink that may be the terminal with the line: the line is gone before anything else is written.
#[derive(Debug)]
pub struct InPlaceOfLine<W>(pub W);

impl<W: Write> Write for InPlaceOfLine<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        erase();
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

struct Counted {
    file: File,
    read: Rc<Cell<u64>>,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read(buffer)?;
        self.read.set(self.read.get() + count as u64);
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_says_how_far_how_fast_and_how_long() {
        let seconds = Duration::from_secs;
        for (read, total, packets, elapsed, expected) in [
            (25, 100, 8_000_000, 2, "hs-mon: 25 % read, 4,000,000 packets/s, 6.0 s left"),
            (100, 100, 9, 3, "hs-mon: 100 % read, 3 packets/s, 0.0 s left"),
            // It has grown.
            (200, 100, 9, 3, "hs-mon: 100 % read, 3 packets/s, 0.0 s left"),
        ] {
            assert_eq!(line(read, total, packets, seconds(elapsed)), expected);
        }
    }
}
