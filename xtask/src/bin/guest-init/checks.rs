//! Checks of the guest itself: what the kernel tests rely on is there and works. Printed like libtest's.

use std::fs;
use std::io::ErrorKind;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, ExitCode};
use std::thread;
use std::time::{Duration, Instant};

use crate::machine::MOUNTS;

type Check = fn() -> Result<(), String>;

const CHECKS: [(&str, Check); 9] = [
    ("file_systems_are_mounted", mounts),
    ("the_kernels_types_are_hidden", hidden_types),
    ("loopback_connects", loopback),
    ("veth_reaches_into_a_namespace", veth),
    ("vlans_can_be_added", vlan),
    ("tc_has_clsact", clsact),
    ("nft_drops", nft),
    ("delays_can_be_added", netem),
    ("the_network_cards_are_wired_to_each_other", cards),
];

/// Runs all of them.
pub fn run() -> ExitCode {
    println!("running {} tests", CHECKS.len());
    let mut failed = 0;
    for (name, check) in CHECKS {
        match check() {
            Ok(()) => println!("test {name} ... ok"),
            Err(why) => {
                failed += 1;
                println!("test {name} ... FAILED\n    {why}");
            }
        }
    }
    let (verdict, passed) = (if failed == 0 { "ok" } else { "FAILED" }, CHECKS.len() - failed);
    println!(
        "\ntest result: {verdict}. {passed} passed; {failed} failed; 0 ignored; 0 measured; 0 filtered out"
    );
    ExitCode::from(if failed == 0 { 0 } else { 101 })
}

fn mounts() -> Result<(), String> {
    let mounted = read("/proc/mounts")?;
    let missing = MOUNTS.iter().find(|(kind, place)| !mounted.contains(&format!(" {place} {kind} ")));
    missing.map_or(Ok(()), |(kind, place)| Err(format!("no {kind} on {place}")))
}

fn hidden_types() -> Result<(), String> {
    let there = Path::new("/sys/kernel/btf/vmlinux").exists();
    if there { Err("the kernel's types are not hidden".to_owned()) } else { Ok(()) }
}

fn loopback() -> Result<(), String> {
    for address in ["127.0.0.1:0", "[::1]:0"] {
        let listener = TcpListener::bind(address).map_err(|error| format!("{address}: {error}"))?;
        let address = listener.local_addr().map_err(|error| error.to_string())?;
        connect(&address, Duration::from_secs(10)).map_err(|error| format!("{address}: {error}"))?;
    }
    Ok(())
}

fn veth() -> Result<(), String> {
    all("ip", &["netns add check", "link add check0 type veth peer name check1 netns check"])?;
    all("ip", &["-n check link set check1 up", "link delete check0", "netns delete check"])
}

fn vlan() -> Result<(), String> {
    all("ip", &["link add link eth0 name check.5 type vlan id 5", "link delete check.5"])
}

fn clsact() -> Result<(), String> {
    all("tc", &["qdisc add dev eth0 clsact", "qdisc delete dev eth0 clsact"])
}

fn netem() -> Result<(), String> {
    all("tc", &["qdisc add dev eth0 root netem delay 5ms loss 1%", "qdisc delete dev eth0 root"])
}

/// A port that nobody listens on refuses at once; one that is filtered says nothing.
fn nft() -> Result<(), String> {
    let closed = SocketAddr::from(([127, 0, 0, 1], 9));
    let outcome = || connect(&closed, Duration::from_secs(1)).map_err(|error| error.kind());
    let before = outcome();
    let rules = ["add table inet check", "add chain inet check in { type filter hook input priority 0 ; }"];
    all("nft", &rules)?;
    all("nft", &["add rule inet check in tcp dport 9 drop"])?;
    let filtered = outcome();
    all("nft", &["delete table inet check"])?;
    match (before, filtered) {
        (Err(ErrorKind::ConnectionRefused), Err(ErrorKind::TimedOut)) => Ok(()),
        other => Err(format!("refused and timed out were expected, not {other:?}")),
    }
}

/// With one card in a namespace of its own, its port that nobody listens on is reached and refuses.
fn cards() -> Result<(), String> {
    for card in ["eth0", "eth1"] {
        let driver = fs::read_link(format!("/sys/class/net/{card}/device/driver"));
        let driver = driver.map_err(|error| format!("{card}: {error}"))?;
        if !driver.ends_with("virtio_net") {
            return Err(format!("{card} is driven by {}", driver.display()));
        }
    }
    let near = ["addr add 192.0.2.1/24 dev eth0", "link set eth0 up"];
    let far = ["-n far addr add 192.0.2.2/24 dev eth1", "-n far link set eth1 up"];
    all("ip", &["netns add far", "link set eth1 netns far"])?;
    all("ip", &far).and(all("ip", &near))?;
    let outcome = connect(&SocketAddr::from(([192, 0, 2, 2], 9)), Duration::from_secs(10));
    // A card comes back by itself when its namespace goes.
    all("ip", &["addr flush dev eth0", "link set eth0 down", "netns delete far"])?;
    match outcome {
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => {}
        other => return Err(format!("eth1 was to refuse what eth0 sends, not {other:?}")),
    }
    let back = || Path::new("/sys/class/net/eth1").exists();
    if until(Duration::from_secs(10), back) { Ok(()) } else { Err("eth1 does not come back".to_owned()) }
}

fn connect(address: &SocketAddr, patience: Duration) -> Result<(), std::io::Error> {
    TcpStream::connect_timeout(address, patience).map(drop)
}

fn all(program: &str, lines: &[&str]) -> Result<(), String> {
    lines.iter().try_for_each(|line| {
        let output = Command::new(program).args(line.split(' ')).output();
        let output = output.map_err(|error| format!("can't start {program}: {error}"))?;
        let why = || format!("{program} {line}: {}", String::from_utf8_lossy(&output.stderr).trim());
        if output.status.success() { Ok(()) } else { Err(why()) }
    })
}

fn read(path: &str) -> Result<String, String> {
    fs::read_to_string(path).map_err(|error| format!("{path}: {error}"))
}

fn until(limit: Duration, condition: impl Fn() -> bool) -> bool {
    let start = Instant::now();
    while !condition() {
        if start.elapsed() > limit {
            return false;
        }
        thread::sleep(Duration::from_millis(20));
    }
    true
}
