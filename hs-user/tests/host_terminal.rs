//! The dashboard in a real terminal: what is to be seen there, and that it is given back however hs-mon ends.

#[path = "kernel_support/guest.rs"]
mod guest;
#[path = "../../xtask/src/lab/mod.rs"]
mod lab;
#[path = "kernel_support/scene.rs"]
mod scene;
#[path = "kernel_support/tmux.rs"]
mod tmux;
#[path = "kernel_support/watch.rs"]
mod watch;

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::os::fd::AsRawFd as _;
use std::process::Child;
use std::sync::atomic::AtomicBool;
use std::sync::mpsc::{self, Receiver};
use std::thread;

use hs_mon::dashboard::{About, Dashboard, Screen};
use hs_mon::live::Output;
use hs_mon::report::Filter;
use lab::Lab;
use lab::flood::Flood;
use lab::frame::Prefix;
use lab::http::{get, sample};
use lab::wire::Wire;
use scene::{PORT, connect, is_over, lab, wait_until};
use tmux::Pane;
use watch::{SOON, program};

fn dashboard() -> String {
    format!("{} --iface hsm-server --tui --half-open-after 1s", program().display())
}

#[test]
fn a_flood_is_seen_and_q_gives_the_terminal_back() {
    let (lab, _server) = lab();
    let pane = Pane::open(&lab.server.ns);
    pane.run(&dashboard());
    pane.wait_for("no attack");
    assert!(pane.is_taken());
    connect(&lab, 20);
    pane.wait_for("completed   198.18.0.2:");

    let victim = lab.server.plan.v4_at(PORT);
    let sources = Prefix::new(IpAddr::V4(Ipv4Addr::new(198, 19, 0, 0)), 16);
    let flood = Flood { sources, victim, count: 6_000, rate: 2_000, seed: 1 };
    let wire = Wire::open(&lab.client).expect("a wire");
    let sent = flood.send(&wire, &AtomicBool::new(false)).expect("the flood is sent");
    pane.wait_for(&format!("▲ SYN FLOOD on {victim}"));
    pane.wait_for("FLOOD ");

    pane.wait_for(" – ns/packet");
    pane.keys(&["c"]);
    connect(&lab, 1);
    let is_measured = |text: &str| {
        let cost = text.split(" ns/packet").next().and_then(|before| before.split_whitespace().last());
        cost.is_some_and(|cost| cost.parse().is_ok_and(|nanoseconds: u32| nanoseconds > 0))
    };
    pane.wait_until("what a packet costs", is_measured);

    for (width, height) in [(120, 40), (60, 18)] {
        pane.resize(width, height);
        let keys_are_last = |text: &str| {
            let lines: Vec<&str> = text.lines().collect();
            lines.len() == usize::from(height) && lines.last().is_some_and(|line| line.contains("q quit"))
        };
        pane.wait_until(&format!("{width}×{height}"), keys_are_last);
    }
    pane.resize(40, 10);
    pane.wait_for("too small: 40×10");
    pane.resize(80, 24);
    pane.wait_for("no attack");

    pane.keys(&["/"]);
    pane.wait_for("only lines with: ▏");
    pane.keys(&["completed", "\n"]);
    pane.wait_for("only with “completed”");
    pane.resize(100, 60);
    pane.keys(&["q"]);
    pane.is_given_back(0);
    let text = pane.text();
    // Above them tmux may show what it kept of the dashboard when it changed its size.
    let (_, text) = text.split_once("Totals until ").unwrap_or_else(|| panic!("no totals in\n{text}"));
    let lost = text.lines().find(|line| line.starts_with("  lost, buffer full"));
    assert!(lost.is_some_and(|line| line.ends_with(" 0")), "{text}");
    for (name, number) in [("completed", 21), ("half-open", sent), ("alerts", 1)] {
        let of_name = |line: &str| {
            let mut words = line.split_whitespace();
            (words.next() == Some(name)).then(|| words.next().unwrap_or_default().replace(',', ""))
        };
        let told: Vec<String> = text.lines().filter_map(of_name).collect();
        assert_eq!(told, [number.to_string()], "{name} in\n{text}");
    }
}

#[test]
fn sigterm_gives_the_terminal_back() {
    let (lab, _server) = lab();
    let pane = Pane::open(&lab.server.ns);
    pane.run(&dashboard());
    pane.wait_for("no attack");
    // SAFETY: no pointers; the process runs in our pane.
    assert_eq!(unsafe { libc::kill(pane.pid(), libc::SIGTERM) }, 0);
    pane.is_given_back(0);
}

/// As a connection that breaks: nobody is left to look on, and nothing may go on for nobody.
#[test]
fn a_terminal_that_goes_away_ends_it() {
    let (lab, _server) = lab();
    let pane = Pane::open(&lab.server.ns);
    pane.run(&dashboard());
    pane.wait_for("no attack");
    let pid = pane.pid();
    drop(pane);
    // It may wait for somebody to ask for its status, as a zombie without memory.
    let has_ended = || {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status"));
        status.map_or(true, |status| !status.contains("VmRSS"))
    };
    wait_until("hs-mon has ended", has_ended);
}

/// hs-mon on a terminal of 80 by 24.
fn at_a_terminal(lab: &Lab, args: &str) -> (Child, File) {
    let (master, slave) = lab::terminal::open_terminal().expect("a terminal");
    let (stdin, stdout) =
        (slave.try_clone().expect("the terminal"), slave.try_clone().expect("the terminal"));
    let mut command = lab.server.ns.command(program());
    command.args(args.split(' ')).env("TERM", "xterm").stdin(stdin).stdout(stdout).stderr(slave);
    let terminal = File::from(master);
    resize(&terminal, 80, 24);
    (command.spawn().expect("hs-mon starts"), terminal)
}

fn resize(terminal: &File, width: u16, height: u16) {
    let size = libc::winsize { ws_row: height, ws_col: width, ws_xpixel: 0, ws_ypixel: 0 };
    // SAFETY: the terminal is open, and the size outlives the call.
    assert_eq!(unsafe { libc::ioctl(terminal.as_raw_fd(), libc::TIOCSWINSZ, &raw const size) }, 0);
}

/// A window that is dragged tells of each new size by a signal, which is waited for together with keys: some come at once.
#[test]
fn a_key_that_comes_with_a_new_size_is_not_left_unread() {
    let (lab, _server) = lab();
    for _ in 0..8 {
        let (mut child, mut terminal) = at_a_terminal(&lab, "--iface hsm-server --tui");
        let drawn = read_on(terminal.try_clone().expect("the terminal"));
        let mut shown = Vec::new();
        while !String::from_utf8_lossy(&shown).contains("quit") {
            shown.extend(drawn.recv_timeout(SOON).expect("the keys are told"));
        }
        for signal in 0..200 {
            // SAFETY: no pointers; the process is our child and not yet waited for.
            assert_eq!(unsafe { libc::kill(child.id() as i32, libc::SIGWINCH) }, 0);
            if signal == 100 {
                terminal.write_all(b"q").expect("a key is typed");
            }
        }
        wait_until("the key is read", || is_over(child.id()));
        assert_eq!(child.wait().expect("it has ended").code(), Some(0));
    }
}

/// What is drawn, which is read all the time, so that nothing waits for it.
fn read_on(mut terminal: File) -> Receiver<Vec<u8>> {
    let (sender, drawn) = mpsc::channel();
    thread::spawn(move || {
        let mut bytes = [0; 4096];
        while let Ok(read @ 1..) = terminal.read(&mut bytes) {
            // Nobody asks any more for what is drawn in the end.
            sender.send(bytes[..read].to_vec()).ok();
        }
    });
    drawn
}

/// As a connection that stands still: the watch goes on, serves its metrics, and can be ended.
#[test]
fn a_terminal_that_nobody_reads_holds_up_nobody() {
    let (lab, _server) = lab();
    let (mut child, terminal) = at_a_terminal(&lab, "--iface hsm-server --tui --metrics 9435");
    let metrics = SocketAddr::from((Ipv4Addr::LOCALHOST, 9435));
    wait_until("metrics are served", || get(&lab.server.ns, metrics, "/metrics").is_ok());
    // Each is another picture, some of ten thousand bytes; a terminal holds a few of them.
    for round in 0..60 {
        resize(&terminal, 200 + round % 2, 60 + round % 2);
        connect(&lab, 1);
        let text = get(&lab.server.ns, metrics, "/metrics").expect("the metrics are served all the same");
        assert!(sample(&text, "hsmon_handshakes_begun_total") >= f64::from(round), "{text}");
    }
    // SAFETY: no pointers; the process is our child and not yet waited for.
    assert_eq!(unsafe { libc::kill(child.id() as i32, libc::SIGTERM) }, 0);
    wait_until("hs-mon ends", || is_over(child.id()));
    assert_eq!(child.wait().expect("it has ended").code(), Some(1), "its totals could not be written");
}

/// What goes to standard error otherwise is in the list, and on standard error in the end.
#[test]
fn notices_are_shown_in_their_place() {
    let (lab, _server) = lab();
    let pane = Pane::open(&lab.server.ns);
    // The totals at the end are 32 lines, and the notices stand before them.
    pane.resize(120, 50);
    pane.run(&dashboard());
    pane.wait_for("no attack");
    // SAFETY: no pointers; the process runs in our pane.
    assert_eq!(unsafe { libc::kill(pane.pid(), libc::SIGHUP) }, 0);
    pane.wait_for("hs-mon: SIGHUP: there is no configuration file to read again");
    assert!(pane.is_taken());
    pane.wait_for("q quit");
    pane.keys(&["q"]);
    pane.is_given_back(0);
    pane.wait_for("hs-mon: SIGHUP: there is no configuration file to read again");
}

/// In the pane it runs itself, and there it panics, and ends at once: what is done about the terminal is done before.
#[test]
fn a_panic_gives_the_terminal_back_and_is_told() {
    const PANICS: &str = "HS_MON_TEST_PANICS";
    if std::env::var_os(PANICS).is_some() {
        panic_on_the_screen();
    }
    let (lab, _server) = lab();
    let pane = Pane::open(&lab.server.ns);
    pane.resize(120, 50);
    let own = std::env::current_exe().expect("this program has a path");
    let name = "a_panic_gives_the_terminal_back_and_is_told";
    pane.run(&format!("env {PANICS}=1 {} --exact {name} --nocapture --test-threads=1", own.display()));
    pane.is_given_back(101);
    pane.wait_for("it happens on the screen");
}

fn panic_on_the_screen() -> ! {
    let tell = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        tell(panic);
        std::process::exit(101);
    }));
    Screen::check().expect("a terminal");
    let about = About { show_interface: false, colour: true, filter: Filter::ALL, began_ns: 0 };
    let output = Output::stdout().expect("standard output");
    output.start().expect("a thread");
    let mut screen = Screen::enter(output).expect("a terminal");
    screen.refresh(&mut Dashboard::new(about)).expect("it is drawn");
    panic!("it happens on the screen");
}

#[test]
fn without_colour_none_is_sent() {
    let (lab, _server) = lab();
    let pane = Pane::open(&lab.server.ns);
    let coloured = |text: &str| text.contains("38;5;") || text.contains("48;5;");
    for (environment, expected) in [("", true), ("NO_COLOR=1 ", false)] {
        pane.run(&format!("env {environment}{}", dashboard()));
        pane.wait_for("no attack");
        assert_eq!(coloured(&pane.coloured()), expected, "{environment:?}: {:?}", pane.coloured());
        pane.keys(&["q"]);
        pane.is_given_back(0);
    }
}

#[test]
fn what_is_no_terminal_is_refused() {
    let (lab, _server) = lab();
    let pane = Pane::open(&lab.server.ns);
    pane.resize(160, 24);
    for (environment, why) in [
        ("TERM=dumb", "--tui needs a terminal that can place text, and TERM is `dumb`"),
        ("-u TERM", "--tui needs to know the terminal, and TERM is not set"),
    ] {
        pane.run(&format!("env {environment} {}", dashboard()));
        pane.is_given_back(1);
        pane.wait_for(&format!("hs-mon: error: {why}"));
    }
    let why = "--tui needs a terminal as standard input and output; without one, leave --tui out";
    scene::failed(&scene::run_in(&lab, "--iface hsm-server --tui"), &[why]);
}
