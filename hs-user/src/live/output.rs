//! Standard output, as a watch needs it: whoever reads it may be slow, stop reading, or have no room left (a full disk),
//! and the watch goes on all the same. A thread does the writing and the waiting.
//!
//! What is not yet written is bounded. While there is [no room](Output::has_room) for more, the watch leaves events
//! where they are, in the ring buffer, and the kernel counts those that find no place there.

use std::fs::File;
use std::io::{self, ErrorKind, Write};
use std::os::fd::{AsFd, AsRawFd as _};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use tokio::sync::Notify;

/// So many bytes wait before there is no room for events.
const ENOUGH: usize = 1 << 20;
/// So many wait at the most, for alerts are taken without room too. What comes then is counted, and lost.
const MOST: usize = 4 * ENOUGH;
/// Room for those, and for the block with which they are exceeded. Each of the two buffers asks for it once, lest it moves
/// as it grows; the system gives as much of it as is used.
const BUFFER: usize = ENOUGH + ENOUGH / 8;
/// How long a full disk is left alone.
const TRY_AGAIN_AFTER: Duration = Duration::from_secs(1);

/// Takes whole lines at once; one thread writes them. Clones are of the same output.
#[derive(Clone)]
pub struct Output(Arc<Shared>);

struct Shared {
    file: File,
    state: Mutex<State>,
    /// There is something to write, or to end.
    work: Condvar,
    /// Something was written, or can't be.
    progress: Condvar,
    /// There is room again.
    room: Notify,
}

#[derive(Default)]
struct State {
    waiting: Vec<u8>,
    /// Bytes that the thread has taken and not yet written.
    taken_bytes: usize,
    /// Lines among them.
    taken_lines: u64,
    /// Lines that found no place.
    lost_lines: u64,
    /// Why it takes nothing for now.
    obstacle: Option<io::Error>,
    /// Why nothing will be written any more.
    failure: Option<io::Error>,
}

impl State {
    fn unwritten_lines(&self) -> u64 {
        lines(&self.waiting) + self.taken_lines + self.lost_lines
    }

    fn is_done(&self) -> bool {
        self.failure.is_some() || (self.waiting.is_empty() && self.taken_bytes == 0)
    }
}

impl Output {
    /// Standard output. Nothing is written before [`start`](Output::start).
    ///
    /// # Errors
    /// There is none.
    pub fn stdout() -> io::Result<Output> {
        Ok(Output::to(File::from(io::stdout().as_fd().try_clone_to_owned()?)))
    }

    fn to(file: File) -> Output {
        let (work, progress) = (Condvar::new(), Condvar::new());
        let state = Mutex::new(State { waiting: Vec::with_capacity(BUFFER), ..State::default() });
        Output(Arc::new(Shared { file, state, work, progress, room: Notify::new() }))
    }

    /// Starts the thread, which has the privileges of the calling one, and ends with the process.
    ///
    /// # Errors
    /// The kernel gives no thread.
    pub fn start(&self) -> io::Result<()> {
        let shared = Arc::clone(&self.0);
        thread::Builder::new().name("output".to_owned()).spawn(move || shared.write_on()).map(drop)
    }

    /// Whether there is room for more events.
    pub fn has_room(&self) -> bool {
        self.0.lock().waiting.len() < ENOUGH
    }

    /// Whether all of it is written, or nothing will be any more.
    pub fn is_done(&self) -> bool {
        self.0.lock().is_done()
    }

    /// Waits until there is room again.
    pub async fn room(&self) {
        while !self.has_room() {
            self.0.room.notified().await;
        }
    }

    /// Why it takes nothing for now, if that is known: no space, for example.
    pub fn obstacle(&self) -> Option<String> {
        self.0.lock().obstacle.as_ref().map(io::Error::to_string)
    }

    /// Waits until there is room, for whoever has nothing else to do. Returns whether there is.
    pub fn wait_for_room(&self, until: Instant) -> bool {
        let state = self.0.wait(until, |state| state.waiting.len() < ENOUGH || state.failure.is_some());
        state.waiting.len() < ENOUGH
    }

    /// Waits until all is written, and counts the lines that are not.
    ///
    /// # Errors
    /// Not all is written; or that of the file.
    pub fn finish(&self, until: Instant) -> Result<()> {
        let state = self.0.wait(until, State::is_done);
        if let Some(error) = &state.failure {
            return Err(copy(error).into());
        }
        let lines = state.unwritten_lines();
        if lines == 0 {
            return Ok(());
        }
        let why = state.obstacle.as_ref().map_or_else(|| "nobody reads it".to_owned(), io::Error::to_string);
        bail!("{lines} lines could not be written to standard output: {why}");
    }
}

/// Whole lines, as the reporter has them.
impl Write for Output {
    fn write(&mut self, block: &[u8]) -> io::Result<usize> {
        let mut state = self.0.lock();
        if let Some(error) = &state.failure {
            return Err(copy(error));
        }
        if state.waiting.len() < MOST {
            state.waiting.extend_from_slice(block);
            self.0.work.notify_one();
        } else {
            state.lost_lines += lines(block);
        }
        Ok(block.len())
    }

    /// Waits for nothing, and tells whether something went wrong.
    fn flush(&mut self) -> io::Result<()> {
        self.0.lock().failure.as_ref().map_or(Ok(()), |error| Err(copy(error)))
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait(&self, until: Instant, is_so: impl Fn(&State) -> bool) -> MutexGuard<'_, State> {
        let left = until.saturating_duration_since(Instant::now());
        let waited = self.progress.wait_timeout_while(self.lock(), left, |state| !is_so(state));
        waited.unwrap_or_else(PoisonError::into_inner).0
    }

    /// The thread.
    fn write_on(&self) {
        let mut block = Vec::with_capacity(BUFFER);
        loop {
            let state = self.work.wait_while(self.lock(), |state| state.waiting.is_empty());
            let mut state = state.unwrap_or_else(PoisonError::into_inner);
            // Two buffers that take turns: neither is allocated anew.
            std::mem::swap(&mut state.waiting, &mut block);
            (state.taken_bytes, state.taken_lines) = (block.len(), lines(&block));
            drop(state);
            self.room.notify_one();
            self.progress.notify_all();
            let written = self.write_all(&block);
            block.clear();
            let mut state = self.lock();
            (state.taken_bytes, state.taken_lines) = (0, 0);
            let failed = written.is_err();
            state.failure = written.err();
            drop(state);
            self.progress.notify_all();
            if failed {
                return self.room.notify_one();
            }
        }
    }

    /// Goes on where it stopped, so that lines stay whole when there is space again.
    fn write_all(&self, mut rest: &[u8]) -> io::Result<()> {
        while !rest.is_empty() {
            match (&self.file).write(rest) {
                Ok(written) => {
                    let mut state = self.lock();
                    state.taken_bytes -= written;
                    state.taken_lines -= lines(&rest[..written]);
                    state.obstacle = None;
                    rest = &rest[written..];
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                // Somebody who has the same terminal or pipe made it so.
                Err(error) if error.kind() == ErrorKind::WouldBlock => self.wait_until_writable(),
                // Space is made elsewhere: by who rotates logs, or by who has seen the alarm of the disk.
                Err(error) if is_lack_of_space(&error) => {
                    self.lock().obstacle = Some(error);
                    self.progress.notify_all();
                    thread::sleep(TRY_AGAIN_AFTER);
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn wait_until_writable(&self) {
        let mut file = libc::pollfd { fd: self.file.as_raw_fd(), events: libc::POLLOUT, revents: 0 };
        // SAFETY: one valid entry. Whatever comes of it, writing is tried again.
        unsafe { libc::poll(&raw mut file, 1, -1) };
    }
}

/// On the disk, of the user's share of it, or in a file that may be no larger.
fn is_lack_of_space(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge)
}

fn lines(block: &[u8]) -> u64 {
    block.iter().filter(|byte| **byte == b'\n').count() as u64
}

/// An error may have to be told more than once.
fn copy(error: &io::Error) -> io::Error {
    error.raw_os_error().map_or_else(|| error.kind().into(), io::Error::from_raw_os_error)
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;

    const SOON: Duration = Duration::from_secs(20);

    fn piped() -> (io::PipeReader, Output) {
        let (reader, writer) = io::pipe().expect("a pipe");
        let output = Output::to(File::from(std::os::fd::OwnedFd::from(writer)));
        output.start().expect("a thread");
        (reader, output)
    }

    #[test]
    fn all_of_it_is_written_in_order() {
        let (mut reader, mut output) = piped();
        let read = thread::spawn(move || {
            let mut first = [0; 6];
            reader.read_exact(&mut first).expect("six bytes");
            first
        });
        output.write_all(b"ab\n").expect("taken");
        output.write_all(b"cd\n").expect("taken");
        assert_eq!(&read.join().expect("it reads"), b"ab\ncd\n");
        output.finish(Instant::now() + SOON).expect("all is written");
    }

    /// Nobody reads: it takes what it has room for, waits for nobody, and counts every line at the end.
    #[test]
    fn a_reader_that_stops_holds_up_nobody() {
        let (reader, mut output) = piped();
        let line = [vec![b'x'; 1023], vec![b'\n']].concat();
        let mut handed_over = 0;
        while handed_over < 2 * MOST as u64 / 1024 {
            output.write_all(&line).expect("taken");
            handed_over += 1;
        }
        assert!(!output.has_room());
        assert!(!output.wait_for_room(Instant::now()), "and none comes");
        assert!(output.0.lock().waiting.len() <= MOST, "it is bounded");
        let error = output.finish(Instant::now()).expect_err("most is not written").to_string();
        let told = error.split(' ').next().and_then(|number| number.parse::<u64>().ok()).expect("a number");
        // A pipe has room for 64 KiB.
        assert!((handed_over - 64..=handed_over).contains(&told), "{error}");
        assert!(error.ends_with("could not be written to standard output: nobody reads it"), "{error}");
        drop(reader);
        let state = output.0.wait(Instant::now() + SOON, State::is_done);
        assert_eq!(state.failure.as_ref().map(io::Error::kind), Some(ErrorKind::BrokenPipe));
        drop(state);
        assert_eq!(output.flush().map_err(|error| error.kind()), Err(ErrorKind::BrokenPipe));
    }

    #[test]
    fn a_full_device_is_tried_again() {
        let full = File::options().write(true).open("/dev/full").expect("/dev/full is there");
        let mut output = Output::to(full);
        output.start().expect("a thread");
        output.write_all(b"a\nb\n").expect("taken");
        drop(output.0.wait(Instant::now() + SOON, |state| state.obstacle.is_some()));
        output.flush().expect("this may pass");
        let error = output.finish(Instant::now()).expect_err("nothing is written").to_string();
        assert!(error.starts_with("2 lines ") && error.contains("No space left on device"), "{error}");
    }

    /// What is shared with others may be set so by them.
    #[test]
    fn a_pipe_that_does_not_block_is_waited_for() {
        let (mut reader, writer) = io::pipe().expect("a pipe");
        // SAFETY: the descriptor is open.
        unsafe { libc::fcntl(writer.as_raw_fd(), libc::F_SETFL, libc::O_NONBLOCK) };
        let mut output = Output::to(File::from(std::os::fd::OwnedFd::from(writer)));
        output.start().expect("a thread");
        let text = b"line\n".repeat(100_000);
        output.write_all(&text).expect("taken");
        let mut read = vec![0; text.len()];
        reader.read_exact(&mut read).expect("all of it comes");
        assert!(read == text, "and in order");
        output.finish(Instant::now() + SOON).expect("all is written");
    }
}
