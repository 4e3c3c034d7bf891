//! `cargo xtask picture`: the dashboard of a real run, under a flood in the laboratory, as the picture of the README.

use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr};
use std::process::Command;
use std::sync::atomic::AtomicBool;
use std::thread;
use std::time::Duration;
use std::{fs, iter};

use anyhow::{Result, bail};

use crate::archive::output;
use crate::build::{self, Profile};
use crate::lab::Lab;
use crate::lab::clients::Clients;
use crate::lab::flood::Flood;
use crate::lab::frame::Prefix;
use crate::lab::server::{Manner, Server};
use crate::lab::wire::Wire;
use crate::{privilege, shell};

const WIDTH: usize = 100;
const HEIGHT: usize = 30;
const PORT: u16 = 443;
/// Long enough for graphs that say something.
const PEACE: Duration = Duration::from_secs(35);
const FLOOD: Duration = Duration::from_secs(15);
const RATE: u32 = 3000;

/// The command line.
pub fn command() -> Result<()> {
    if !privilege::is_root() {
        bail!("the laboratory needs root; run: {}", privilege::root_line("cargo xtask picture"));
    }
    let program = build::build(Profile::Release)?;
    let lab = Lab::pair()?;
    let addresses = [lab.server.plan.v4_at(PORT), lab.server.plan.v6_at(PORT)];
    let _server = Server::start(&lab.server.ns, &addresses, Manner::Close, None)?;
    let pane = Pane(lab.server.ns.name().to_owned());
    let (width, height) = (WIDTH.to_string(), HEIGHT.to_string());
    let run = format!("exec ip netns exec {} {} --iface hsm-server --tui", pane.0, program.display());
    pane.tmux(&["new-session", "-d", "-x", &width, "-y", &height, &run])?;
    let clients = Clients::start(&lab.client.ns, &addresses, 40.0)?;
    thread::sleep(PEACE);
    pane.tmux(&["send-keys", "c"])?;
    let sources = Prefix::new(IpAddr::V4(Ipv4Addr::new(198, 19, 0, 0)), 16);
    let count = u64::from(RATE) * FLOOD.as_secs();
    let flood = Flood { sources, victim: addresses[0], count, rate: RATE, seed: 1 };
    let wire = Wire::open(&lab.client)?;
    let stop = AtomicBool::new(false);
    let screen = thread::scope(|scope| {
        let sent = scope.spawn(|| flood.send(&wire, &stop));
        thread::sleep(FLOOD - Duration::from_secs(3));
        let screen = pane.tmux(&["capture-pane", "-p", "-e", "-N"]);
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
        let _ = sent.join();
        screen
    })?;
    clients.stop()?;
    let path = shell::workspace_root().join("docs/dashboard.svg");
    fs::write(&path, svg(&screen))?;
    shell::say(&format!("{} is drawn", path.display()));
    Ok(())
}

/// A terminal that nobody sees, by its socket.
struct Pane(String);

impl Pane {
    fn tmux(&self, args: &[&str]) -> Result<String> {
        let mut tmux = Command::new("tmux");
        tmux.args(["-u", "-L", &self.0, "-f", "/dev/null"]).args(args).env("LC_ALL", "C.UTF-8");
        output(&mut tmux)
    }
}

impl Drop for Pane {
    fn drop(&mut self) {
        // Without a server there is nothing to end.
        let _ = self.tmux(&["kill-server"]);
    }
}

/// How letters look: the codes of ECMA-48 SGR that the dashboard uses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Look {
    bold: bool,
    dim: bool,
    front: Option<u8>,
    back: Option<u8>,
}

impl Look {
    fn change(&mut self, codes: &str) {
        let mut codes = codes.split(';').map(|code| code.parse::<u8>().unwrap_or(0));
        while let Some(code) = codes.next() {
            match code {
                0 => *self = Look::default(),
                1 => self.bold = true,
                2 => self.dim = true,
                30..=37 => self.front = Some(code - 30),
                38 => self.front = codes.nth(1),
                39 => self.front = None,
                40..=47 => self.back = Some(code - 40),
                48 => self.back = codes.nth(1),
                49 => self.back = None,
                _ => {}
            }
        }
    }
}

/// The colours of the dashboard, on a dark ground.
fn colour(number: u8) -> &'static str {
    match number {
        1 => "#c4342b",
        2 => "#6cc36c",
        3 => "#e2b340",
        _ => "#e6e6e6",
    }
}

/// A line as letters that look alike.
fn runs(line: &str) -> Vec<(Look, String)> {
    let mut look = Look::default();
    let mut runs: Vec<(Look, String)> = Vec::new();
    let (first, rest) = line.split_once("\x1b[").map_or((line, None), |(first, rest)| (first, Some(rest)));
    let parts = rest.into_iter().flat_map(|rest| rest.split("\x1b["));
    for (codes, text) in iter::once(("", first)).chain(parts.filter_map(|part| part.split_once('m'))) {
        if !codes.is_empty() {
            look.change(codes);
        }
        match runs.last_mut() {
            Some((last, letters)) if *last == look => letters.push_str(text),
            _ => runs.push((look, text.to_owned())),
        }
    }
    runs.retain(|(_, letters)| !letters.is_empty());
    runs
}

/// The screen as a picture; every letter has its place, whatever the font.
fn svg(screen: &str) -> String {
    const CELL: (usize, usize) = (8, 17);
    let (width, height) = (WIDTH * CELL.0 + 16, HEIGHT * CELL.1 + 16);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" \
         font-family=\"ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, monospace\" font-size=\"13\">\n\
         <rect width=\"{width}\" height=\"{height}\" rx=\"6\" fill=\"#1b1d21\"/>\n"
    );
    for (row, line) in screen.lines().enumerate() {
        let mut column = 0;
        for (look, letters) in runs(line) {
            let (x, y) = (8 + column * CELL.0, 8 + row * CELL.1);
            let cells = letters.chars().count();
            let length = cells * CELL.0;
            column += cells;
            if let Some(back) = look.back {
                let (fill, height) = (colour(back), CELL.1);
                // Cannot fail: a string takes anything. The same below.
                let _ = writeln!(
                    svg,
                    "<rect x=\"{x}\" y=\"{y}\" width=\"{length}\" height=\"{height}\" fill=\"{fill}\"/>"
                );
            }
            if letters.trim().is_empty() {
                continue;
            }
            let fill = colour(look.front.unwrap_or(7));
            let bold = if look.bold { " font-weight=\"bold\"" } else { "" };
            let dim = if look.dim { " opacity=\"0.6\"" } else { "" };
            let letters = letters.replace('&', "&amp;").replace('<', "&lt;");
            let _ = writeln!(
                svg,
                "<text x=\"{x}\" y=\"{}\" textLength=\"{length}\" fill=\"{fill}\"{bold}{dim} xml:space=\"preserve\">{letters}</text>",
                y + 13
            );
        }
    }
    svg + "</svg>\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_keep_their_looks_and_places() {
        let alarm = Look { bold: true, front: Some(7), back: Some(1), ..Look::default() };
        let expected = vec![
            (Look::default(), "ab".to_owned()),
            (alarm, "FLOOD".to_owned()),
            (Look { front: Some(2), ..Look::default() }, " ok".to_owned()),
        ];
        assert_eq!(runs("ab\x1b[1m\x1b[38;5;7m\x1b[41mFLOOD\x1b[0m\x1b[32m ok\x1b[39m"), expected);
        let svg = svg("a<b\x1b[41m \x1b[0m");
        assert!(
            svg.contains(">a&lt;b</text>") && svg.contains("<rect x=\"32\" y=\"8\" width=\"8\""),
            "{svg}"
        );
    }
}
