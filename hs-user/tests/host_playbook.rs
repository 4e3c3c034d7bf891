//! What docs/playbook.md tells people to type in an emergency is right: each command is run, in the order in which it
//! stands there, on a host of the laboratory.

#[path = "../../xtask/src/lab/mod.rs"]
mod lab;

use std::fs;
use std::path::Path;

use lab::Lab;

/// What can be run in a network namespace and needs nobody else.
const RUN: [&str; 5] = ["nft", "sysctl", "ip", "ss", "nstat"];
/// Fewer would mean that the page is no longer understood here.
const AT_LEAST: usize = 25;

/// The commands in the page's blocks, without `sudo` and the comments behind them.
fn commands(page: &str) -> Vec<String> {
    let blocks = page.split("```sh\n").skip(1).filter_map(|block| block.split("```").next());
    let lines = blocks.flat_map(str::lines).map(|line| line.split("  #").next().unwrap_or(line).trim());
    let lines = lines.map(|line| line.strip_prefix("sudo ").unwrap_or(line));
    let wanted = |line: &&str| line.split(' ').next().is_some_and(|program| RUN.contains(&program));
    lines.filter(wanted).map(str::to_owned).collect()
}

#[test]
fn every_command_of_the_playbook_works() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/playbook.md");
    let commands = commands(&fs::read_to_string(path).expect("the page"));
    assert!(commands.len() >= AT_LEAST, "{commands:?}");
    let lab = Lab::pair().expect("a laboratory (root is needed)");
    for command in commands {
        let here = command.replace("eth0", "hsm-server");
        let output = lab.server.ns.command("sh").args(["-c", &here]).output().expect("a shell");
        assert!(output.status.success(), "{command}: {}", String::from_utf8_lossy(&output.stderr));
    }
}
