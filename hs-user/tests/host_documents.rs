//! What the documents tell people to type is right: each command in a block of `sh` is run on a host of the
//! laboratory, in the order in which it stands there, or is named below with the reason why not.

#[path = "capture/build.rs"]
#[allow(dead_code, reason = "it builds more than is needed here")]
mod build;
mod cli_support;
#[path = "../../xtask/src/documents.rs"]
mod documents;
#[path = "capture/flood.rs"]
mod flood;
#[allow(dead_code, reason = "it builds more than is needed here")]
#[path = "kernel_support/frame.rs"]
mod frame;
#[path = "kernel_support/guest.rs"]
mod guest;
#[path = "../../xtask/src/lab/mod.rs"]
mod lab;
#[path = "kernel_support/scene.rs"]
mod scene;
#[path = "kernel_support/watch.rs"]
mod watch;

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

use build::LITTLE;
use cli_support::directory;
use documents::{Command, all_commands, blocks_of};
use flood::flood;
use frame::{A, ACK, B, Envelope, SYN, i, r};
use lab::Lab;
use lab::monitor::{Finished, Monitor, Setup};
use scene::{connect, lab};
use watch::{SOON, program};

/// What is not run here, why, and what tries it.
struct Elsewhere {
    start: &'static str,
    why: &'static str,
    tried_by: &'static str,
}

const fn elsewhere(start: &'static str, why: &'static str, tried_by: &'static str) -> Elsewhere {
    Elsewhere { start, why, tried_by }
}

/// The arguments of all `cargo xtask` are tried by `xtask/src/main.rs` too.
const ELSEWHERE: [Elsewhere; 27] = [
    elsewhere("cargo xtask run", "builds hs-mon and becomes it: a stage", "xtask/src/first_steps.rs"),
    elsewhere("cargo xtask install", "a stage of `cargo xtask test`", "xtask/src/first_steps.rs"),
    elsewhere("cargo xtask demo", "a stage of `cargo xtask test`", "xtask/src/first_steps.rs"),
    elsewhere("cargo xtask setup", "what `cargo xtask test` begins with", "xtask/src/test.rs"),
    elsewhere("cargo xtask fuzz", "a stage of `cargo xtask test`", "xtask/src/fuzz.rs"),
    elsewhere("cargo build", "what is tried here was built so", "hs-user/build.rs"),
    elsewhere("cargo test", "part of `cargo xtask test`", "xtask/src/test.rs"),
    elsewhere("llvm-objdump-22", "reads what cargo built, wherever that is", "hs-user/build.rs"),
    elsewhere("cargo run --bin hs-mon", "builds hs-mon and runs it, which is tried here", "hs-user/build.rs"),
    elsewhere("cargo run --example", "is compiled into a test", "hs-user/tests/examples.rs"),
    elsewhere("cargo run --package hs-common --example", "the same", "hs-user/tests/examples.rs"),
    elsewhere("cargo xtask test", "it is what runs this", "xtask/src/test.rs"),
    elsewhere("cargo xtask vm", "a stage of `cargo xtask test`", "xtask/src/vm/suites.rs"),
    elsewhere(
        "cargo xtask bench",
        "takes minutes; a stage does less of the same",
        "xtask/src/bench/guard.rs",
    ),
    elsewhere("cargo xtask dist", "the stage of the package makes it", "xtask/src/package.rs"),
    elsewhere("sudo apt install ./dist/", "the stage of the package installs it", "xtask/src/package.rs"),
    elsewhere("sudo systemctl", "no systemd has to run here", "hs-user/tests/package.rs"),
    elsewhere("systemctl status", "no systemd has to run here", "hs-user/tests/package.rs"),
    elsewhere(
        "sudo hs-mon --netns \"$(docker",
        "needs Docker; namespaces by path are run here",
        "hs-user/tests/kernel_interfaces.rs",
    ),
    elsewhere(
        "ssh router",
        "there is no other machine; packets on standard input are",
        "hs-user/tests/replay_files.rs",
    ),
    elsewhere(
        "docker run",
        "needs Docker; so few capabilities are tried",
        "hs-user/tests/kernel_privilege.rs",
    ),
    elsewhere("eval \"$(hs-mon completions", "is for bash", "hs-user/tests/cli_errors.rs"),
    elsewhere("hs-mon completions fish", "needs fish", "hs-user/tests/cli_errors.rs"),
    elsewhere("hs-mon man | man", "needs man", "hs-user/tests/cli_errors.rs"),
    elsewhere("docker build", "needs Docker", "packaging/docker/Dockerfile"),
    elsewhere("kubectl apply", "needs a cluster", "packaging/kubernetes/hs-mon.yaml"),
    elsewhere("journalctl", "no systemd has to run here", "hs-user/tests/package.rs"),
];
/// The dashboard wants a terminal.
const DASHBOARD: Elsewhere = elsewhere(" --tui", "it needs a terminal", "hs-user/tests/host_terminal.rs");

/// Commands that succeed without a word.
const SILENT: [&str; 2] = ["sudo nft add ", "hs-mon man replay > "];
/// Fewer would mean that the documents are no longer understood here.
const AT_LEAST: usize = 40;
/// Pages of help.
const HELP: [&str; 7] = [
    "--help",
    "replay --help",
    "explain --help",
    "check-config --help",
    "doctor --help",
    "completions --help",
    "man --help",
];
/// Connections that each watch sees.
const CONNECTIONS: u64 = 3;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The command, as the laboratory calls things: its interface and its network namespace have other names.
fn as_here(command: &str, lab: &Lab) -> String {
    let namespace = lab.server.ns.name();
    command
        .replace("eth0", lab.server.plan.interface)
        .replace("veth*", "hsm-s*")
        .replace("--netns blue", &format!("--netns {namespace}"))
        .replace("/proc/4242/ns/net", &format!("/run/netns/{namespace}"))
}

/// The examples in the pages of `--help`. They leave out the `sudo`.
fn examples_of_help() -> Vec<Command> {
    let dir = directory("documents-help", &[]);
    let of_page = |args: &str| {
        let output = cli_support::hs_mon(&dir, args).output().expect("hs-mon runs");
        let page = String::from_utf8(output.stdout).expect("UTF-8");
        // What they do stands below them, further in.
        let lines = page.lines().skip_while(|line| *line != "Examples:").skip(1);
        let examples = lines.take_while(|line| !line.is_empty()).filter_map(|line| line.strip_prefix("  "));
        let examples = examples.filter(|example| !example.starts_with(' ')).map(str::to_owned);
        examples.map(|text| Command { place: format!("hs-mon {args}"), text }).collect::<Vec<_>>()
    };
    let examples: Vec<Command> = HELP.into_iter().flat_map(of_page).collect();
    assert!(!examples.is_empty());
    examples
}

fn why_elsewhere(command: &str) -> Option<&'static Elsewhere> {
    // Stands somewhere behind what all watches have in common.
    if command.contains(DASHBOARD.start) {
        return Some(&DASHBOARD);
    }
    ELSEWHERE.iter().find(|elsewhere| command.starts_with(elsewhere.start))
}

/// A capture with one completed handshake, in milliseconds.
fn capture() -> Vec<u8> {
    let mut capture = [LITTLE.section(), LITTLE.interface(1, 0, &[])].concat();
    for (ms, tcp) in [i(SYN, A, 0), r(SYN | ACK, B, A + 1), i(ACK, A + 1, B + 1)].iter().enumerate() {
        let frame = Envelope::V4.wrap(tcp, 50_000).ethernet();
        let micros = 1_700_000_000_000_000 + ms as u64 * 1_000;
        capture.extend(LITTLE.enhanced(0, micros, &frame, frame.len() as u32));
    }
    capture
}

/// Where the commands are run: the files that they read, hs-mon and a sudo for who is root already.
fn desk() -> PathBuf {
    let config = fs::read(root().join("packaging/hs-mon.toml")).expect("the configuration as it is shipped");
    let sudo: &[u8] = b"#!/bin/sh\nexec \"$@\"\n";
    let dir = directory(
        "documents",
        &[
            ("trace.pcapng", &capture()),
            ("flood.pcap", &flood(1_700_000_000)),
            ("hs-mon.toml", &config),
            ("sudo", sudo),
        ],
    );
    fs::set_permissions(dir.join("sudo"), fs::Permissions::from_mode(0o755)).expect("it is ours");
    for (name, target) in [("hs-mon", program()), ("docs", root().join("docs"))] {
        fs::remove_file(dir.join(name)).ok();
        symlink(target, dir.join(name)).expect("a link");
    }
    let all = "replay --format json flood.pcap trace.pcapng docs/handshake.pcap";
    let events = cli_support::hs_mon(&dir, all).output().expect("hs-mon runs");
    fs::write(dir.join("events.json"), events.stdout).expect("a file of ours");
    dir
}

/// What the commands expect of the host besides its cable.
fn furnish(lab: &Lab) {
    lab.server
        .ns
        .ip_all(&[
            "link add eth1 type veth peer name wg0".to_owned(),
            "link set eth1 up".to_owned(),
            "link set wg0 up".to_owned(),
            "address add 192.0.2.1/32 dev lo".to_owned(),
        ])
        .expect("ip");
}

/// Whether it is hs-mon that watches until it is told to end.
fn watches(command: &str) -> bool {
    let arguments = command.trim_start_matches("sudo ").strip_prefix("hs-mon ");
    arguments.is_some_and(|arguments| arguments.starts_with("--") && arguments != "--help")
}

/// Runs it to its end, which comes by Ctrl-C if it watches.
fn run(lab: &Lab, dir: &Path, command: &Command) -> Finished {
    let here = as_here(&command.text, lab);
    // The shell becomes the watch, so that the signal reaches it.
    let become_it = if watches(&command.text) { "exec " } else { "" };
    let script = format!("cd {0} && PATH={0}:$PATH\n{become_it}{here}", dir.display());
    let shell = Monitor::launch(&lab.server.ns, Path::new("sh"), &["-c", &script], Setup::default());
    let shell = shell.expect("a shell");
    let finished = if watches(&command.text) {
        shell.wait_until_watching().unwrap_or_else(|why| panic!("{}: {here}: {why:#}", command.place));
        connect(lab, CONNECTIONS);
        shell.stop(libc::SIGINT)
    } else {
        shell.wait(SOON)
    };
    finished.unwrap_or_else(|why| panic!("{}: {here}: {why:#}", command.place))
}

/// What a watch must tell at its end, whatever it was asked to tell before.
fn tells_completed(lines: &[String], format_json: bool) -> bool {
    if format_json {
        let totals = lines.last().map(|line| watch::json(line));
        return totals.is_some_and(|totals| totals["stats"]["completed"] == CONNECTIONS);
    }
    lines.iter().any(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        words.get(..2) == Some(&["completed", &CONNECTIONS.to_string()])
    })
}

#[test]
fn every_command_of_the_documents_works() {
    let commands = all_commands(&root()).into_iter().chain(examples_of_help());
    let (there, here): (Vec<_>, Vec<_>) =
        commands.partition(|command| why_elsewhere(&command.text).is_some());
    assert!(here.len() >= AT_LEAST, "{here:#?}");
    let (lab, _server) = lab();
    furnish(&lab);
    let dir = desk();
    let mut messages = Vec::new();
    for command in &here {
        let finished = run(&lab, &dir, command);
        let what = format!("{}: {}\n{finished:#?}", command.place, command.text);
        assert!(finished.status.success(), "{what}\nif it can't be run here, ELSEWHERE has to tell why");
        if watches(&command.text) {
            assert!(tells_completed(&finished.stdout, command.text.contains("json")), "{what}");
        } else if !SILENT.iter().any(|start| command.text.starts_with(start)) {
            assert!(!finished.stdout.is_empty(), "says nothing: {what}");
        }
        messages.extend(finished.stderr);
    }
    // The interface has that name in the demo too.
    let readme = fs::read_to_string(root().join("README.md")).expect("the README");
    let watching =
        readme.lines().find(|line| line.starts_with("hs-mon: watching ")).expect("the demo's first line");
    assert!(
        messages.iter().any(|message| message == watching),
        "README.md shows {watching:?}, not of {messages:?}"
    );
    println!("{} commands were run, {} are tried elsewhere", here.len(), there.len());
}

#[test]
fn what_is_tried_elsewhere_is_in_the_documents_and_is_tried() {
    let commands: Vec<Command> = all_commands(&root()).into_iter().chain(examples_of_help()).collect();
    for Elsewhere { start, why, tried_by } in ELSEWHERE.iter().chain([&DASHBOARD]) {
        let told = commands
            .iter()
            .any(|command| why_elsewhere(&command.text).is_some_and(|elsewhere| elsewhere.start == *start));
        assert!(told, "no document says `{start}` any more ({why})");
        assert!(root().join(tried_by).is_file(), "{tried_by}, which tries `{start}`, is not there");
    }
}

/// Files of the project that a command names are there.
#[test]
fn every_file_that_a_command_names_is_there() {
    for command in all_commands(&root()) {
        let words = command.text.split_whitespace();
        for file in words.filter(|word| word.starts_with("packaging/") || word.starts_with("docs/")) {
            assert!(root().join(file).is_file(), "{}: {}", command.place, command.text);
        }
    }
}

/// hs-mon takes every configuration that a document shows.
#[test]
fn every_configuration_in_the_documents_is_right() {
    let blocks = blocks_of(&root(), "toml");
    assert!(!blocks.is_empty());
    for block in blocks {
        let dir = directory("documents-toml", &[("shown.toml", block.text.as_bytes())]);
        let output =
            cli_support::hs_mon(&dir, "check-config --config shown.toml").output().expect("hs-mon runs");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{}:{}: {said}", block.document, block.line);
    }
}
