//! The installed package at work: the very command line of its unit, as a user with no power but the unit's
//! capabilities, and what it tells a service manager.
//!
//! `cargo xtask test` installs the package into a directory and names it here.

#[path = "../../xtask/src/documents.rs"]
mod documents;
#[path = "../../xtask/src/lab/mod.rs"]
mod lab;

use std::env;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use documents::{documents, link_targets};
use lab::Lab;

/// Where the package is installed.
const PLACE: &str = "HS_MON_PACKAGE";
const UNIT: &str = "usr/lib/systemd/system/hs-mon@.service";
/// For what happens at once, on a slow machine.
const SOON: Duration = Duration::from_secs(60);
/// The watchdog's time in this test; systemd gives the unit's.
const WATCHDOG_USEC: &str = "400000";

fn place() -> PathBuf {
    env::var_os(PLACE)
        .map(PathBuf::from)
        .unwrap_or_else(|| panic!("{PLACE} names no directory: cargo xtask test does"))
}

/// The value of a setting of the unit.
fn setting(name: &str) -> String {
    let unit = fs::read_to_string(place().join(UNIT)).expect("the package has its unit");
    let value = unit.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
    value.unwrap_or_else(|| panic!("the unit does not set {name}")).to_owned()
}

/// The program and its arguments, with the files of the package where it is installed.
fn exec_start(interface: &str) -> Vec<String> {
    let installed = |word: &str| match word {
        "%I" => interface.to_owned(),
        path if path.starts_with('/') => format!("{}{path}", place().display()),
        word => word.to_owned(),
    };
    setting("ExecStart").split_whitespace().map(installed).collect()
}

/// It, started in the laboratory as systemd would: another user, and the capabilities that are told.
fn start(lab: &Lab, socket: &Path) -> Child {
    let names = setting("AmbientCapabilities").to_lowercase();
    assert_eq!(names, setting("CapabilityBoundingSet").to_lowercase());
    let capabilities: String =
        names.split_whitespace().map(|name| format!(",+{}", name.trim_start_matches("cap_"))).collect();
    let mut command = lab.server.ns.command("setpriv");
    command.args(["--reuid=65534", "--regid=65534", "--clear-groups", "--no-new-privs"]);
    for set in ["--inh-caps", "--ambient-caps", "--bounding-set"] {
        command.arg(format!("{set}=-all{capabilities}"));
    }
    command.args(exec_start("hsm-server")).env("NOTIFY_SOCKET", socket).env("WATCHDOG_USEC", WATCHDOG_USEC);
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the service starts")
}

/// Waits until the service tells this; what it tells before is kept.
fn wait_for(socket: &UnixDatagram, said: &mut Vec<String>, wanted: &str) {
    let start = Instant::now();
    let mut buffer = [0; 4096];
    while !said.iter().any(|line| line == wanted) {
        assert!(start.elapsed() < SOON, "{wanted} has not come; it said {said:?}");
        if let Ok(length) = socket.recv(&mut buffer) {
            said.extend(String::from_utf8_lossy(&buffer[..length]).lines().map(str::to_owned));
        }
    }
}

#[test]
fn the_unit_s_command_line_is_ready_stays_alive_and_ends() {
    assert_eq!(setting("Type"), "notify");
    let lab = Lab::pair().expect("a laboratory (root is needed)");
    let path = env::temp_dir().join(format!("hs-mon-notify-{}", std::process::id()));
    fs::remove_file(&path).ok();
    let socket = UnixDatagram::bind(&path).expect("a socket");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o666)).expect("everybody may write to it");
    socket.set_read_timeout(Some(Duration::from_secs(1))).expect("a timeout");

    let mut service = start(&lab, &path);
    let mut said = Vec::new();
    let all = ["READY=1", "STATUS=watching hsm-server", "WATCHDOG=1"];
    let ready = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        all.iter().for_each(|wanted| wait_for(&socket, &mut said, wanted));
    }));
    if ready.is_err() {
        service.kill().ok();
        let output = service.wait_with_output().expect("it ends");
        panic!("not ready: {}", String::from_utf8_lossy(&output.stderr));
    }
    let status = fs::read_to_string(format!("/proc/{}/status", service.id())).expect("it runs");
    assert!(status.lines().any(|line| line.starts_with("Uid:\t65534")), "{status}");

    // The watchdog is fed again and again, by the loop that does the work.
    said.clear();
    wait_for(&socket, &mut said, "WATCHDOG=1");
    let ended = Command::new("kill").arg(service.id().to_string()).status().expect("kill runs");
    assert!(ended.success());
    wait_for(&socket, &mut said, "STOPPING=1");
    let output = service.wait_with_output().expect("it ends");
    fs::remove_file(&path).expect("the socket can be removed");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn the_configuration_is_right_and_the_manual_and_completions_are_there() {
    let program = place().join("usr/bin/hs-mon");
    let config = place().join("etc/hs-mon/hs-mon.toml");
    let output =
        Command::new(&program).args(["check-config", "--config"]).arg(&config).output().expect("it runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    for file in [
        "usr/share/man/man1/hs-mon.1.gz",
        "usr/share/man/man1/hs-mon-replay.1.gz",
        "usr/share/bash-completion/completions/hs-mon",
        "usr/share/zsh/vendor-completions/_hs-mon",
        "usr/share/fish/vendor_completions.d/hs-mon.fish",
        "usr/share/doc/hs-mon/LICENSE-MIT",
        "usr/share/doc/hs-mon/docs/handshake.pcap",
    ] {
        assert!(fs::metadata(place().join(file)).is_ok_and(|file| file.len() > 100), "{file} is not there");
    }
}

/// Links to the source lead nowhere where there is none.
const SOURCE: [&str; 1] = ["../fuzz/"];

#[test]
fn the_documents_are_there_and_so_is_what_they_link_to() {
    let installed = place().join("usr/share/doc/hs-mon");
    let documents = documents(&installed);
    assert!(documents.iter().any(|(document, _)| document == "docs/playbook.md"), "{documents:?}");
    let mut seen = 0;
    for (document, text) in &documents {
        let directory = installed.join(document).parent().expect("a directory").to_owned();
        for target in link_targets(text).filter(|target| !SOURCE.iter().any(|it| target.starts_with(it))) {
            seen += 1;
            let file = target.split('#').next().unwrap_or_default();
            assert!(directory.join(file).exists(), "{document}: {target} is not in the package");
        }
    }
    assert!(seen > 40, "{seen} links");
}

/// What one process watches is as confined as what one of each interface does.
#[test]
fn both_units_run_the_same_in_the_same_way() {
    let service = |name: &str| {
        let unit = fs::read_to_string(place().join("usr/lib/systemd/system").join(name)).expect(name);
        let (_, service) = unit.split_once("[Service]\n").expect(name);
        service.split("[Install]").next().unwrap_or_default().to_owned()
    };
    assert_eq!(service("hs-mon@.service").replace(" --iface %I", ""), service("hs-mon.service"));
}
