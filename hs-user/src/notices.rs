//! What the user should know besides events: to standard error, or, while the dashboard has the terminal, kept
//! for it and told on standard error afterwards.

use std::collections::VecDeque;
use std::fmt::Display;
use std::io::{self, Write};
use std::os::fd::{AsFd, AsRawFd as _};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::journal;
use crate::report::units::{escaped, escaped_lines};

/// Kept at the most; the oldest go.
const MOST: usize = 200;

static HELD: Mutex<Option<Held>> = Mutex::new(None);

#[derive(Default)]
struct Held {
    lines: VecDeque<String>,
    /// How many of them, the last ones, nobody has taken yet.
    new: usize,
}

/// Tells the user something; `hs-mon: ` is set before it.
pub fn say(text: impl Display) {
    match &mut *held() {
        None => {
            let text = text.to_string();
            let level = if journal::is_stderr() { journal::level(&text) } else { "" };
            write(&format!("{level}{}", line(&text)));
        }
        Some(held) => {
            held.lines.push_back(text.to_string());
            held.new = (held.new + 1).min(MOST);
            if held.lines.len() > MOST {
                held.lines.pop_front();
            }
        }
    }
}

/// Tells why the program ends.
pub fn fail(error: &anyhow::Error) {
    write(&format!("hs-mon: error: {}", escaped_lines(&format!("{error:#}"))));
}

/// Standard error may be gone, as a terminal that was closed, or a pipe that nobody empties, as `2>&1 | …`. Then nobody
/// is left to tell, and nothing may wait for them.
fn write(line: &str) {
    write_what_finds_room(&io::stderr(), &format!("{line}\n"));
}

/// Piece by piece: a pipe that takes anything at all takes so much at once (pipe(7), PIPE_BUF).
fn write_what_finds_room<F: AsFd>(mut to: &F, text: &str)
where
    for<'a> &'a F: Write,
{
    for piece in text.as_bytes().chunks(libc::PIPE_BUF) {
        let mut file = libc::pollfd { fd: to.as_fd().as_raw_fd(), events: libc::POLLOUT, revents: 0 };
        // SAFETY: one valid entry, for the time of the call.
        if unsafe { libc::poll(&raw mut file, 1, 0) } <= 0 || to.write_all(piece).is_err() {
            return;
        }
    }
}

/// The names of interfaces and files are others' choice: nothing in them may speak to the terminal.
fn line(text: &str) -> String {
    format!("hs-mon: {}", escaped(text))
}

/// Keeps what is told from standard error until it is dropped.
#[derive(Debug)]
pub struct Hold(());

impl Hold {
    /// From now on.
    pub fn start() -> Hold {
        held().get_or_insert_default();
        Hold(())
    }

    /// What was told since this was last asked.
    pub fn news(&self) -> Vec<String> {
        let mut held = held();
        let Some(held) = &mut *held else { return Vec::new() };
        let old = held.lines.len() - held.new;
        held.new = 0;
        held.lines.iter().skip(old).cloned().collect()
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        let held = held().take().unwrap_or_default();
        held.lines.into_iter().for_each(say);
    }
}

/// A panic while somebody tells something leaves nothing broken.
fn held() -> MutexGuard<'static, Option<Held>> {
    HELD.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_speaks_to_the_terminal() {
        assert_eq!(line("watching a\x1b[2J: tc"), "hs-mon: watching a\\u{1b}[2J: tc");
    }

    /// As the line of a configuration file that is quoted.
    #[test]
    fn what_is_too_long_for_a_pipe_that_nobody_reads_is_cut() {
        let (mut reader, writer) = io::pipe().expect("a pipe");
        write_what_finds_room(&writer, &"long ".repeat(100_000));
        write_what_finds_room(&writer, "more");
        drop(writer);
        let mut text = String::new();
        io::Read::read_to_string(&mut reader, &mut text).expect("text");
        assert!((4096..500_000).contains(&text.len()) && text.ends_with("long l"), "{} bytes", text.len());
    }

    #[test]
    fn what_is_held_is_news_once_and_bounded() {
        let hold = Hold::start();
        say("one");
        say("two");
        assert_eq!(hold.news(), ["one", "two"]);
        assert!(hold.news().is_empty());
        (0..1000).for_each(say);
        let news = hold.news();
        assert_eq!((news.len(), news[0].as_str(), news[MOST - 1].as_str()), (MOST, "800", "999"));
        // Or all of it would be told.
        held().take();
    }
}
