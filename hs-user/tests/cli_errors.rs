//! What the user did wrong, or the file is: one clear error, what to do about it, and the right status.

#[allow(dead_code, reason = "it builds more than is needed here")]
#[path = "capture/build.rs"]
mod build;
mod cli_support;
#[allow(dead_code, reason = "it builds more than is needed here")]
#[path = "kernel_support/frame.rs"]
mod frame;

use std::fs::File;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use build::LITTLE;
use cli_support::{directory, hs_mon};
use frame::{A, ACK, B, Envelope, SYN, i, r};

/// A capture of one completed handshake.
fn capture(link: u32) -> Vec<u8> {
    let mut capture = LITTLE.pcap_header(0xa1b2_c3d4, link);
    for (number, tcp) in [i(SYN, A, 0), r(SYN | ACK, B, A + 1), i(ACK, A + 1, B + 1)].iter().enumerate() {
        let frame = Envelope::V4.wrap(tcp, 50_000).ethernet();
        capture.extend(LITTLE.pcap_packet(1_700_000_000, number as u32, &frame, frame.len() as u32));
    }
    capture
}

fn run(dir: &Path, args: &str) -> Output {
    hs_mon(dir, args).output().expect("hs-mon runs")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("UTF-8")
}

/// A file, and what the error says of it: all that was read comes first.
#[test]
fn what_is_wrong_with_a_capture_is_told() {
    let whole = capture(1);
    let corrupt = [&whole[..], &[0xff; 16]].concat();
    let table: [(&str, &[u8], &[&str], u32); 8] = [
        ("cut.pcap", &whole[..whole.len() - 1], &["cut short after 2 whole packets"], 2),
        ("cut-header.pcap", &whole[..20], &["cut short after 0 whole packets"], 0),
        ("cut.pcap.gz", &build::gzip(&whole)[..60], &["cut short after "], 0),
        ("corrupt.pcap", &corrupt, &["corrupt after 3 packets"], 3),
        ("empty.pcap", &[], &["the capture is empty (0 bytes)"], 0),
        (
            "text.pcap",
            b"no capture at all",
            &["not a capture: it begins with 6e 6f 20 63; hs-mon reads pcap and pcapng"],
            0,
        ),
        (
            "some.pcap.xz",
            &[0xfd, b'7', b'z', b'X', b'Z', 0],
            &["it is compressed with xz: xz -dc FILE | hs-mon replay -"],
            0,
        ),
        (
            "wifi.pcap",
            &capture(127),
            &["packet 1 of wifi.pcap", "link type 127 is not known", "Ethernet (1)"],
            0,
        ),
    ];
    let files: Vec<(&str, &[u8])> = table.iter().map(|(name, bytes, ..)| (*name, *bytes)).collect();
    let dir = directory("wrong", &files);
    for (name, _, parts, packets) in table {
        let output = run(&dir, &format!("replay --format json {name}"));
        let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
        assert_eq!(output.status.code(), Some(1), "{name}: {stderr}");
        assert!(stderr.starts_with("hs-mon: error: "), "{name}: {stderr}");
        assert_eq!(stderr.lines().count(), 1, "{name}: {stderr}");
        for part in parts {
            assert!(stderr.contains(part), "{name}: {part:?} is not in {stderr:?}");
            assert_eq!(stderr.matches(part).count(), 1, "{name}: told once: {stderr}");
        }
        if packets == 0 {
            assert_eq!(stdout, "", "{name}: nothing was read, so there is nothing to tell");
            continue;
        }
        let totals = stdout.lines().last().expect("totals come all the same");
        let totals: serde_json::Value = serde_json::from_str(totals).expect("JSON");
        assert_eq!(totals["stats"]["packets"], packets, "{name}: {stdout}");
    }
    let output = text(&run(&dir, "replay corrupt.pcap").stdout);
    assert!(output.contains("completed   198.51.100.7:50000"), "{output}");
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let dir = directory("missing", &[("good.pcap", &capture(1))]);
    for (args, name, why) in [
        ("replay nowhere.pcap", "nowhere.pcap", "No such file or directory"),
        ("replay good.pcap nowhere.pcap", "nowhere.pcap", "No such file or directory"),
        ("replay .", ".", "Is a directory"),
    ] {
        let output = run(&dir, args);
        let stderr = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{args}: {stderr}");
        assert!(stderr.starts_with(&format!("hs-mon: error: can't read {name}: ")), "{args}: {stderr}");
        assert_eq!(stderr.matches(why).count(), 1, "{args}: {stderr}");
        let completed = text(&output.stdout).contains("completed   198.51.100.7:50000");
        assert_eq!(completed, args.contains("good"), "{args}: what was read before is reported");
    }
}

/// Status 2, nothing on standard output, and what was wrong on standard error.
#[test]
fn wrong_usage_is_told() {
    let table = [
        ("", "Usage: "),
        ("--no-such-option", "--no-such-option"),
        ("--mode native", "which interface? name one with --iface"),
        ("--iface", "--iface"),
        ("--iface eth0:1", "no interface can have that name"),
        ("--iface an_interface_name_too_long", "15 bytes at the most"),
        ("--iface lo --mode fast", "fast"),
        ("--iface lo --format xml", "xml"),
        ("--iface lo --max-flows 10", "1024"),
        ("--iface lo --duration 5", "a whole number with its unit"),
        ("--iface lo --duration 0s", "more than 0"),
        ("--iface lo --half-open-after 2h", "1h at the most"),
        ("--iface lo --port 70000", "70000"),
        ("--iface lo --port 1,2,3,4,5,6,7,8,9", "9 ports given, 8 are possible"),
        ("--iface lo --only completed,open", "no such kind of event; known: completed"),
        ("--iface lo -q -v", "--quiet"),
        ("--iface lo --config nowhere.toml", "configuration file nowhere.toml"),
        ("--iface lo --config bad.toml", "configuration file bad.toml"),
        ("--iface lo replay good.pcap", "only for watching interfaces"),
        ("replay", "<FILE>"),
        ("replay - -", "can be read once only"),
        ("replay good.pcap --mode native", "--mode"),
        ("replay good.pcap --engine fast", "fast"),
        ("explain no_such_thing", "no such anomaly; the nearest: "),
        ("completions perl", "perl"),
        ("man perl", "no such command: perl"),
        ("watch", "watch"),
    ];
    let dir = directory("usage", &[("good.pcap", &capture(1)), ("bad.toml", b"no-such-option = 1\n")]);
    for (args, part) in table {
        let output = run(&dir, args);
        let stderr = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{args:?}: {stderr}");
        assert_eq!(text(&output.stdout), "", "{args:?}");
        assert!(stderr.contains(part), "{args:?}: {part:?} is not in {stderr:?}");
    }
}

/// What only tells something: status 0, all on standard output.
#[test]
fn what_only_tells_something_works() {
    let table = [
        ("--help", "Usage: hs-mon --iface <NAME>"),
        ("-h", "Exit status: 0 done, 1 failed, 2 usage."),
        ("--version", concat!("hs-mon ", env!("CARGO_PKG_VERSION"))),
        ("replay --help", "standard input"),
        ("explain", "synack_wrong_ack "),
        ("explain synack-wrong-ack", "Source   RFC 9293"),
        ("completions bash", "complete -F _hs__mon"),
        ("completions zsh", "#compdef hs-mon"),
        ("completions fish", "complete -c hs-mon"),
        ("man", ".TH hs-mon 1"),
        ("man replay", ".TH hs-mon-replay 1"),
    ];
    let dir = directory("tells", &[]);
    for (args, part) in table {
        let output = run(&dir, args);
        assert_eq!(output.status.code(), Some(0), "{args}");
        assert_eq!(text(&output.stderr), "", "{args}");
        let stdout = text(&output.stdout);
        assert!(stdout.contains(part), "{args}: {part:?} is not in {stdout:?}");
    }
}

/// The commands that a manual page refers to have pages of their own.
#[test]
fn no_manual_page_refers_to_one_that_is_not_there() {
    let dir = directory("manuals", &[]);
    let page = text(&run(&dir, "man").stdout);
    let commands = page.lines().filter_map(|line| line.strip_prefix("hs\\-mon\\-")?.strip_suffix("(1)"));
    let commands: Vec<String> = commands.map(|command| command.replace('\\', "")).collect();
    assert!(commands.len() > 3, "{page}");
    for command in commands {
        let page = text(&run(&dir, &format!("man {command}")).stdout);
        assert!(page.contains(&format!(".TH hs-mon-{command} 1")), "{command}: {page}");
    }
}

/// As `~/.bashrc` has them.
#[test]
fn bash_completes_by_what_it_is_given() {
    const ASK: &str = "eval \"$(\"$0\" completions bash)\"
        COMP_WORDS=(hs-mon replay --for) COMP_CWORD=2
        _hs__mon hs-mon --for replay
        echo \"${COMPREPLY[@]}\"";
    let asked =
        Command::new("bash").args(["-c", ASK, env!("CARGO_BIN_EXE_hs-mon")]).output().expect("bash runs");
    assert_eq!((text(&asked.stdout).trim(), text(&asked.stderr).as_str()), ("--format", ""));
}

/// A device that is full is an error, a pipe that nobody reads is none.
#[test]
fn a_sink_that_takes_nothing_is_told_from_one_that_has_enough() {
    let mut many = LITTLE.pcap_header(0xa1b2_c3d4, 1);
    for port in 1..5_000 {
        let frame = Envelope::V4.wrap(&i(SYN, A, 0), port).ethernet();
        many.extend(LITTLE.pcap_packet(1_700_000_000, 0, &frame, frame.len() as u32));
    }
    let dir = directory("sinks", &[("many.pcap", &many)]);
    for args in
        ["replay many.pcap", "replay --format json many.pcap", "explain", "man", "completions bash", "--help"]
    {
        let full = File::options().write(true).open("/dev/full").expect("/dev/full is there");
        let output = hs_mon(&dir, args).stdout(full).output().expect("hs-mon runs");
        let stderr = text(&output.stderr);
        if args != "--help" {
            assert_eq!(output.status.code(), Some(1), "{args}: {stderr}");
            assert!(stderr.starts_with("hs-mon: error: "), "{args}: {stderr}");
            assert_eq!(stderr.matches("No space left on device").count(), 1, "{args}: {stderr}");
        }

        let mut child = hs_mon(&dir, args);
        let mut child = child.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("hs-mon starts");
        drop(child.stdout.take());
        let output = child.wait_with_output().expect("hs-mon ends");
        assert_eq!((output.status.code(), text(&output.stderr)), (Some(0), String::new()), "{args}");
    }
}
