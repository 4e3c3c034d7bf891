//! The examples of the libraries work, and print what the documents show.

#[allow(dead_code, reason = "it does more than is needed here")]
mod cli_support;
#[allow(dead_code, reason = "the program around it")]
#[path = "../examples/numbers.rs"]
mod numbers;
#[allow(dead_code, reason = "the program around it")]
#[path = "../examples/servers.rs"]
mod servers;
#[allow(dead_code, reason = "the program around it")]
#[path = "../../hs-common/examples/three_packets.rs"]
mod three_packets;

use std::error::Error;
use std::path::{Path, PathBuf};

use cli_support::hs_mon;

const PAGE: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/handshake.md"));

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// What an example writes about the page's capture.
fn written(show: impl Fn(&Path, &mut Vec<u8>) -> Result<(), Box<dyn Error>>) -> String {
    let mut out = Vec::new();
    show(&root().join("docs/handshake.pcap"), &mut out).expect("the example works");
    String::from_utf8(out).expect("UTF-8")
}

/// All of it is a block of the page.
fn is_shown(text: &str) {
    assert!(!text.is_empty());
    assert!(PAGE.contains(&format!("```text\n{text}```\n")), "docs/handshake.md does not show:\n{text}");
}

#[test]
fn three_packets_tells_good_numbers_from_wrong_ones() {
    let mut out = Vec::new();
    three_packets::show(&mut out).expect("it writes to memory");
    let expected = "\
198.18.0.7:50000 → 198.18.0.1:443  completed, normal: A 4294967295, B 5000, SYN to SYN-ACK 20000 µs
198.18.0.7:50001 → 198.18.0.1:443  ack_wrong_ack: expected 5001, got 5002
198.18.0.7:50001 → 198.18.0.1:443  malformed, ack_wrong_ack: A 4294967295, B 5000, SYN to SYN-ACK 20000 µs
";
    assert_eq!(String::from_utf8(out).expect("UTF-8"), expected);
}

#[test]
fn the_page_on_the_handshake_shows_what_numbers_prints() {
    is_shown(&written(numbers::show));
}

#[test]
fn the_page_on_the_handshake_shows_what_servers_prints() {
    is_shown(&written(servers::show));
}

#[test]
fn the_page_on_the_handshake_shows_what_replay_says() {
    let output = hs_mon(&root(), "replay docs/handshake.pcap").output().expect("hs-mon runs");
    let said = String::from_utf8(output.stdout).expect("UTF-8");
    let (events, _) = said.split_once("\n\n").expect("the totals come after the events");
    is_shown(&format!("{events}\n"));
}

#[test]
fn a_file_that_is_no_capture_is_an_error() {
    let readme = root().join("README.md");
    assert!(servers::show(&readme, &mut Vec::new()).is_err());
    assert!(numbers::show(&readme, &mut Vec::new()).is_err());
}
