//! hs-mon on a terminal: colours, unless they are not wanted, and how far a replay is. That is told on a terminal and
//! nowhere else, never in the way of events, and gone at the end; the replay takes long because its reader does.

#[allow(dead_code, reason = "it builds more than is needed here")]
#[path = "capture/build.rs"]
mod build;
mod cli_support;
#[allow(dead_code, reason = "it builds more than is needed here")]
#[path = "kernel_support/frame.rs"]
mod frame;
#[path = "../../xtask/src/lab/terminal.rs"]
mod terminal;

use std::fs::File;
use std::io::Read;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use build::LITTLE;
use cli_support::{directory, hs_mon};
use frame::{A, ACK, Envelope, RST, SYN, i, r};

/// To the first column, and nothing behind it.
const ERASE: &str = "\r\x1b[K";
/// Handshakes of the capture: more output than a second's slow reading takes.
const HANDSHAKES: u16 = 30_000;
/// Longer than the replay waits before it tells how far it is, and than it takes to tell it.
const SLOW: Duration = Duration::from_millis(1_500);

/// A capture of refused handshakes.
fn place(test: &str) -> PathBuf {
    let mut capture = LITTLE.pcap_header(0xa1b2_c3d4, 1);
    for port in 1..=HANDSHAKES {
        for tcp in [i(SYN, A, 0), r(RST | ACK, 0, A + 1)] {
            let frame = Envelope::V4.wrap(&tcp, port).ethernet();
            let time = u32::from(port);
            capture.extend(LITTLE.pcap_packet(1_700_000_000, time, &frame, frame.len() as u32));
        }
    }
    directory(test, &[("long.pcap", &capture)])
}

fn replay(test: &str, args: &str) -> Command {
    let mut command = hs_mon(&place(test), &format!("replay --format json long.pcap {args}"));
    command.env("TERM", "xterm").stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// All of a terminal whose last writer is gone: it ends with an error (EIO).
fn rest_of(master: impl Into<File>) -> String {
    let mut all = Vec::new();
    let _ = master.into().read_to_end(&mut all);
    String::from_utf8(all).expect("UTF-8")
}

#[test]
fn colours_are_for_terminals_that_want_them() {
    let packet = Envelope::V4.wrap(&i(SYN, A, 0), 1).ethernet();
    let packet = LITTLE.pcap_packet(1_700_000_000, 0, &packet, packet.len() as u32);
    let capture = [LITTLE.pcap_header(0xa1b2_c3d4, 1), packet].concat();
    let dir = directory("colours", &[("one.pcap", &capture)]);
    for (no_color, coloured) in [(None, true), (Some(""), true), (Some("1"), false)] {
        let (master, slave) = terminal::open_terminal().expect("a terminal");
        let mut command = hs_mon(&dir, "replay one.pcap");
        command.env_remove("NO_COLOR").envs(no_color.map(|value| ("NO_COLOR", value)));
        let child = command.stdout(slave).spawn().expect("hs-mon starts");
        drop(command);
        let shown = rest_of(master);
        ends_well(child);
        assert!(shown.contains("half-open"), "{shown:?}");
        assert_eq!(shown.contains("\x1b["), coloured, "{no_color:?}: {shown:?}");
    }
}

/// What a pattern of the shell may make of the names of files is quoted, and not obeyed.
#[test]
fn a_wrong_argument_does_not_speak_to_the_terminal() {
    let dir = directory("speaking-arguments", &[]);
    for args in ["replay -\x1b]0;title\x07.pcap", "explain \x1b]0;title\x07", "\u{9b}2J", "replay --\x1b[2J"]
    {
        let (master, slave) = terminal::open_terminal().expect("a terminal");
        let mut command = hs_mon(&dir, args);
        let mut child = command.stderr(slave).spawn().expect("hs-mon starts");
        drop(command);
        let shown = rest_of(master);
        assert_eq!(child.wait().expect("it ends").code(), Some(2));
        assert!(shown.starts_with("error: "), "{args:?}: {shown:?}");
        let obeyed = |letter: char| letter.is_control() && !"\r\n".contains(letter);
        assert!(!shown.contains(obeyed), "{args:?}: {shown:?}");
    }
}

/// Reads to the end, and for the time of [`SLOW`] so slowly that the writer has to wait.
fn read_slowly(mut from: impl Read) -> String {
    let (start, mut all, mut block) = (Instant::now(), Vec::new(), vec![0; 16 << 10]);
    // The end of a terminal is an error, as above.
    while let Ok(count @ 1..) = from.read(&mut block) {
        all.extend_from_slice(&block[..count]);
        if start.elapsed() < SLOW {
            std::thread::sleep(Duration::from_millis(5));
        }
    }
    assert!(start.elapsed() >= SLOW, "it was over too soon to tell anything");
    String::from_utf8(all).expect("UTF-8")
}

fn ends_well(mut child: Child) {
    assert_eq!(child.wait().expect("it ends").code(), Some(0));
}

/// What is between the places where the line is taken away: the line itself, or events.
fn is_progress(piece: &str) -> bool {
    piece.starts_with("hs-mon: ")
}

fn well_formed(line: &str) -> bool {
    line.contains(" % read, ") && line.contains(" packets/s, ") && line.ends_with(" left")
}

#[test]
fn on_a_terminal_it_is_told_and_taken_away() {
    let (master, slave) = terminal::open_terminal().expect("a terminal");
    let mut command = replay("progress-stderr", "");
    let mut child = command.stderr(slave).spawn().expect("hs-mon starts");
    // The last other end of the terminal that is ours.
    drop(command);
    let events = read_slowly(child.stdout.take().expect("a pipe"));
    ends_well(child);
    let told = rest_of(master);
    let lines: Vec<&str> = told.split(ERASE).filter(|piece| !piece.is_empty()).collect();
    assert!(!lines.is_empty() && lines.iter().all(|line| is_progress(line) && well_formed(line)), "{told:?}");
    assert!(told.ends_with(ERASE), "{told:?}");
    assert_eq!(events.lines().count(), usize::from(HANDSHAKES) + 1);
    assert!(!events.contains("% read"));
}

#[test]
fn on_the_terminal_of_the_events_it_is_never_in_their_way() {
    let (master, slave) = terminal::open_terminal().expect("a terminal");
    let mut command = replay("progress-both", "");
    command.stdout(slave.try_clone().expect("the terminal")).stderr(slave);
    let child = command.spawn().expect("hs-mon starts");
    drop(command);
    let all = read_slowly(File::from(master));
    ends_well(child);
    let (lines, events): (Vec<&str>, Vec<&str>) = all.split(ERASE).partition(|piece| is_progress(piece));
    assert!(!lines.is_empty());
    assert!(lines.iter().all(|line| well_formed(line)), "{lines:?}");
    let events = events.concat();
    assert_eq!(events.lines().count(), usize::from(HANDSHAKES) + 1);
    for event in events.lines() {
        serde_json::from_str::<serde_json::Value>(event).unwrap_or_else(|why| panic!("{why}: {event:?}"));
    }
}

#[test]
fn elsewhere_it_is_not_told() {
    let mut pipe = replay("progress-pipe", "").spawn().expect("hs-mon starts");
    let (stdout, mut stderr) = (pipe.stdout.take().expect("a pipe"), pipe.stderr.take().expect("a pipe"));
    read_slowly(stdout);
    ends_well(pipe);
    let mut told = String::new();
    stderr.read_to_string(&mut told).expect("UTF-8");
    assert_eq!(told, "");

    for (args, term) in [("-q", "xterm"), ("", "dumb")] {
        let (master, slave) = terminal::open_terminal().expect("a terminal");
        let mut command = replay("progress-quiet", args);
        let mut child = command.env("TERM", term).stderr(slave).spawn().expect("hs-mon starts");
        drop(command);
        read_slowly(child.stdout.take().expect("a pipe"));
        ends_well(child);
        assert_eq!(rest_of(master), "", "{args:?} {term}");
    }
}
