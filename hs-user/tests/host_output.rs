//! Whoever reads standard output may be slow, stop, or have a full disk: the watch goes on, and all of it is counted.

#[path = "kernel_support/guest.rs"]
mod guest;
#[path = "../../xtask/src/lab/mod.rs"]
mod lab;
#[path = "kernel_support/objects.rs"]
mod objects;
#[path = "kernel_support/passing.rs"]
mod passing;
#[path = "kernel_support/scene.rs"]
mod scene;
#[path = "kernel_support/small_disk.rs"]
mod small_disk;
#[path = "kernel_support/watch.rs"]
mod watch;

use std::io::{BufRead as _, BufReader, PipeReader, Read as _};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::{fs, io};

use lab::Lab;
use lab::http::{get, sample};
use objects::Objects;
use passing::pass_through;
use scene::{is_over, lab, room_for_events, wait_until};
use serde_json::Value;
use small_disk::SmallDisk;
use watch::{json, program};

const METRICS: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 9435);
/// More than pipe, waiting lines and ring buffers hold: 40,329 events at the most in these, a few thousand lines before them.
const TOO_MANY: u32 = 60_000;
/// More than a pipe holds.
const MANY: u32 = 2_000;

fn command(lab: &Lab, stdout: impl Into<Stdio>) -> Command {
    let mut command = lab.server.ns.command(program());
    command.args(["--iface", "hsm-server", "--format", "json", "--metrics", "9435"]);
    command.stdout(stdout).stderr(Stdio::piped());
    command
}

/// hs-mon whose standard output the test has in its hands.
struct Patient {
    child: Child,
    said: Arc<Mutex<Vec<String>>>,
}

impl Patient {
    /// Starts it, and waits until it watches. Standard error is read.
    fn start(lab: &Lab, stdout: impl Into<Stdio>) -> Patient {
        Patient::spawn(&mut command(lab, stdout))
    }

    fn spawn(command: &mut Command) -> Patient {
        let mut child = command.spawn().expect("hs-mon starts");
        let said = Arc::new(Mutex::new(Vec::new()));
        let stderr = BufReader::new(child.stderr.take().expect("a pipe"));
        thread::spawn({
            let said = Arc::clone(&said);
            move || {
                for line in stderr.lines().map_while(Result::ok) {
                    said.lock().expect("nobody panicked").push(line);
                }
            }
        });
        let patient = Patient { child, said };
        patient.wait_until_it_says("watching");
        patient
    }

    fn wait_until_it_says(&self, part: &str) {
        wait_until(part, || self.says(part));
    }

    fn says(&self, part: &str) -> bool {
        self.said.lock().expect("nobody panicked").iter().any(|line| line.contains(part))
    }

    fn signal(&self, signal: i32) {
        // SAFETY: no pointers; the process is our child and not yet waited for.
        assert_eq!(unsafe { libc::kill(self.child.id() as i32, signal) }, 0);
    }

    /// Its status, once it has ended by itself.
    fn status(&mut self) -> Option<i32> {
        wait_until("hs-mon ends", || is_over(self.child.id()));
        self.child.wait().expect("hs-mon ended").code()
    }
}

impl Drop for Patient {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Waits until that many handshakes are counted as completed: totals are served, whoever reads the events or not.
fn wait_until_completed(lab: &Lab, number: u32) {
    let name = "hsmon_handshakes_total{outcome=\"completed\"}";
    wait_until(&format!("{number} are completed"), || {
        let text = get(&lab.server.ns, METRICS, "/metrics");
        text.is_ok_and(|text| sample(&text, name) as u32 == number)
    });
}

fn read_on(mut reader: PipeReader) -> thread::JoinHandle<String> {
    thread::spawn(move || {
        let mut text = String::new();
        reader.read_to_string(&mut text).expect("text");
        text
    })
}

/// The events and the totals that end them; each event is told, lost, or left out, and all three add up.
fn account(text: &str) -> (Vec<Value>, Value) {
    let mut lines: Vec<Value> = text.lines().map(json).collect();
    let totals = lines.pop().expect("totals")["stats"].clone();
    let events = lines.iter().filter(|line| line["event_type"] != "alert").count() as u64;
    let total = |name: &str| totals[name].as_u64().expect("a number");
    let accounted = events + total("events_lost") + total("events_suppressed");
    assert_eq!(total("events_produced"), accounted, "{totals}");
    (lines, totals)
}

#[test]
fn a_reader_that_stops_and_goes_on_misses_what_is_counted_as_lost() {
    let (lab, _server) = lab();
    let (reader, writer) = io::pipe().expect("a pipe");
    let mut hs_mon = Patient::start(&lab, writer);
    pass_through(&lab.client, 0, TOO_MANY);
    wait_until_completed(&lab, TOO_MANY);
    hs_mon.wait_until_it_says(
        "warning: standard output takes nothing more: whoever reads it is too slow; the watch goes on",
    );
    let reading = read_on(reader);
    pass_through(&lab.client, TOO_MANY, 1_000);
    wait_until_completed(&lab, TOO_MANY + 1_000);
    hs_mon.signal(libc::SIGINT);
    assert_eq!(hs_mon.status(), Some(0));
    let (events, totals) = account(&reading.join().expect("it is read"));
    assert_eq!((&totals["begun"], &totals["completed"]), (&61_000.into(), &61_000.into()), "{totals}");
    let lost = totals["events_lost"].as_u64().expect("a number");
    // All may have come by one CPU, and only its ring buffer was filled.
    assert!((1..=u64::from(TOO_MANY) - room_for_events()).contains(&lost), "{totals}");
    assert_eq!(events.len() as u64, 61_000 - lost);
}

/// With standard error at the same pipe, too: what it has to say must not hold it up either.
#[test]
fn a_reader_that_never_reads_keeps_nobody_from_ending_it() {
    let (lab, _server) = lab();
    for signal in [libc::SIGTERM, libc::SIGINT] {
        let (reader, writer) = io::pipe().expect("a pipe");
        let mut hs_mon = Patient::start(&lab, writer);
        pass_through(&lab.client, 0, MANY);
        wait_until_completed(&lab, MANY);
        let objects = Objects::of(hs_mon.child.id());
        hs_mon.signal(signal);
        assert_eq!(hs_mon.status(), Some(1));
        hs_mon.wait_until_it_says("lines could not be written to standard output: nobody reads it");
        wait_until("all programs, maps and links are gone", || objects.left().is_empty());
        drop(reader);
    }
}

#[test]
fn both_streams_may_go_to_one_pipe_that_nobody_reads() {
    let (lab, _server) = lab();
    let (mut reader, writer) = io::pipe().expect("a pipe");
    let mut command = lab.server.ns.command(program());
    command.args(["--iface", "hsm-server", "--metrics", "9435"]).stdout(writer.try_clone().expect("a pipe"));
    let child = command.stderr(writer).spawn().expect("hs-mon starts");
    drop(command);
    let mut hs_mon = Patient { child, said: Arc::default() };
    let mut first = [0; 16];
    reader.read_exact(&mut first).expect("it says that it watches");
    pass_through(&lab.client, 0, TOO_MANY);
    wait_until_completed(&lab, TOO_MANY);
    // It would warn of its standard output, and of an interface that goes.
    lab.server.ns.ip("link delete hsm-server").expect("it goes away");
    wait_until_completed(&lab, TOO_MANY);
    hs_mon.signal(libc::SIGTERM);
    assert_eq!(hs_mon.status(), Some(1));
}

/// Lines that had no space are written when there is some again, each once and whole.
#[test]
fn a_disk_that_is_full_for_a_while_costs_nothing() {
    let (lab, _server) = lab();
    let disk = SmallDisk::mount(4 << 20);
    let ballast = disk.fill_but(64 << 10);
    let mut hs_mon = Patient::start(&lab, disk.output.try_clone().expect("a file"));
    pass_through(&lab.client, 0, MANY);
    hs_mon.wait_until_it_says("warning: standard output takes nothing more: No space left on device");
    wait_until_completed(&lab, MANY);
    ballast.set_len(0).expect("there is space again");
    hs_mon.signal(libc::SIGTERM);
    assert_eq!(hs_mon.status(), Some(0));
    let (events, totals) = account(&disk.written());
    assert_eq!((events.len() as u32, &totals["events_lost"]), (MANY, &0.into()), "{totals}");
}

/// `ulimit -f`, or a file system that has no larger ones: the same as a full disk.
#[test]
fn a_file_that_may_not_grow_ends_no_watch() {
    let (lab, _server) = lab();
    let disk = SmallDisk::mount(4 << 20);
    let mut command = command(&lab, disk.output.try_clone().expect("a file"));
    let limit = libc::rlimit { rlim_cur: 64 << 10, rlim_max: 64 << 10 };
    // SAFETY: between fork and exec only a system call is made, with a pointer that is valid for it.
    unsafe {
        command.pre_exec(move || match libc::setrlimit(libc::RLIMIT_FSIZE, &raw const limit) {
            0 => Ok(()),
            _ => Err(io::Error::last_os_error()),
        });
    }
    let mut hs_mon = Patient::spawn(&mut command);
    pass_through(&lab.client, 0, MANY);
    hs_mon.wait_until_it_says("warning: standard output takes nothing more: File too large");
    pass_through(&lab.client, MANY, MANY);
    wait_until_completed(&lab, 2 * MANY);
    hs_mon.signal(libc::SIGTERM);
    assert_eq!(hs_mon.status(), Some(1));
    hs_mon.wait_until_it_says("lines could not be written to standard output: File too large");
    assert_eq!(disk.output.metadata().expect("it is open").len(), 64 << 10);
}

#[test]
fn a_disk_that_stays_full_is_an_error_at_the_end() {
    let (lab, _server) = lab();
    let full = fs::File::options().write(true).open("/dev/full").expect("/dev/full is there");
    let mut hs_mon = Patient::start(&lab, full);
    pass_through(&lab.client, 0, MANY);
    wait_until_completed(&lab, MANY);
    let objects = Objects::of(hs_mon.child.id());
    hs_mon.signal(libc::SIGTERM);
    assert_eq!(hs_mon.status(), Some(1));
    // The handshakes and the totals.
    let told = format!("hs-mon: error: {} lines could not be written to standard output: No space", MANY + 1);
    hs_mon.wait_until_it_says(&told);
    wait_until("all programs, maps and links are gone", || objects.left().is_empty());
}
