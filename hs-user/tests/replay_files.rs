//! `hs-mon replay` as a program: captures in, lines out, whatever the capture comes in.

#[allow(dead_code, reason = "it builds more than is needed here")]
#[path = "capture/build.rs"]
mod build;
mod cli_support;
#[path = "capture/flood.rs"]
mod flood;
#[allow(dead_code, reason = "it builds more than is needed here")]
#[path = "kernel_support/frame.rs"]
mod frame;

use std::io::Write as _;
use std::path::Path;
use std::process::{Child, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use build::LITTLE;
use cli_support::{directory, hs_mon};
use flood::flood;
use frame::{A, ACK, B, Envelope, Frame, RST, SYN, i, r};
use serde_json::{Value, json};

const SCHEMA: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/events.schema.json"));
/// 2023-11-14 22:13:20 UTC.
const START: u32 = 1_700_000_000;
/// For what takes a moment, on a machine under load.
const SOON: Duration = Duration::from_secs(60);

/// One completed, one refused, one with a wrong number, and an ARP: microseconds, and the frame.
fn packets() -> Vec<(u32, Vec<u8>)> {
    let tagged = Envelope::V4.tags(&[(0x88a8, 100), (0x8100, 10)]);
    let arp = Frame { link: vec![0x08, 0x06], packet: vec![0; 28] };
    let segments = [
        (0, Envelope::V4, i(SYN, A, 0), 50_001),
        (1_000, Envelope::V4, r(SYN | ACK, B, A + 1), 50_001),
        (3_000, Envelope::V4, i(ACK, A + 1, B + 1), 50_001),
        (4_000, tagged, i(SYN, A, 0), 50_002),
        (4_500, tagged, r(RST | ACK, 0, A + 1), 50_002),
        (5_000, Envelope::V6, i(SYN, A, 0), 50_003),
        (6_000, Envelope::V6, r(SYN | ACK, B, A + 2), 50_003),
    ];
    let frames = segments.map(|(time, envelope, tcp, port)| (time, envelope.wrap(&tcp, port).ethernet()));
    frames.into_iter().chain([(7_000, arp.ethernet())]).collect()
}

fn pcap() -> Vec<u8> {
    let mut capture = LITTLE.pcap_header(0xa1b2_c3d4, 1);
    for (micros, frame) in packets() {
        capture.extend(LITTLE.pcap_packet(START, micros, &frame, frame.len() as u32));
    }
    capture
}

fn pcapng() -> Vec<u8> {
    let mut capture = [LITTLE.section(), LITTLE.interface(1, 0, &[])].concat();
    for (micros, frame) in packets() {
        let ticks = u64::from(START) * 1_000_000 + u64::from(micros);
        capture.extend(LITTLE.enhanced(0, ticks, &frame, frame.len() as u32));
    }
    capture
}

fn lines(output: &Output) -> Vec<Value> {
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    let text = String::from_utf8(output.stdout.clone()).expect("UTF-8");
    text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

fn replay(dir: &Path, args: &str) -> Vec<Value> {
    lines(&hs_mon(dir, &format!("replay --format json {args}")).output().expect("hs-mon runs"))
}

/// What the small capture gives, by hand. `flow_id` is compared with itself only.
fn expected() -> Value {
    json!([
        {
            "timestamp": "2023-11-14T22:13:20.003000+00:00",
            "pcap_filename": "small.pcap", "pcap_cnt": 3, "event_type": "handshake",
            "src_ip": "198.51.100.7", "src_port": 50_001, "dest_ip": "198.51.100.1", "dest_port": 443,
            "proto": "TCP", "community_id": "1:bvPRq4GDzFrYdlbU8vubblEjOK4=",
            "handshake": {
                "outcome": "completed", "reason": "normal", "flags": [], "direction": "transit",
                "syn_seq": 1000, "synack_seq": 5000, "syn_retransmits": 0, "synack_retransmits": 0,
                "rtt_us": { "synack": 1000, "ack": 2000 }, "anomalies": []
            }
        },
        {
            "timestamp": "2023-11-14T22:13:20.004500+00:00",
            "pcap_filename": "small.pcap", "pcap_cnt": 5, "event_type": "handshake", "vlan": [100, 10],
            "src_ip": "198.51.100.7", "src_port": 50_002, "dest_ip": "198.51.100.1", "dest_port": 443,
            "proto": "TCP", "community_id": "1:d5ZQoJsGrdL4XvHtzM3gHbUvVD4=",
            "handshake": {
                "outcome": "refused", "reason": "rst", "flags": [], "direction": "transit",
                "syn_seq": 1000, "syn_retransmits": 0, "synack_retransmits": 0,
                "rtt_us": {}, "anomalies": []
            }
        },
        {
            "timestamp": "2023-11-14T22:13:20.006000+00:00",
            "pcap_filename": "small.pcap", "pcap_cnt": 7, "event_type": "anomaly",
            "src_ip": "2001:db8::1", "src_port": 443, "dest_ip": "2001:db8::7", "dest_port": 50_003,
            "proto": "TCP", "community_id": "1:+Ovk9or4WRsgy8yuLH31oxl6h4c=",
            "anomaly": {
                "type": "handshake", "event": "synack_wrong_ack", "tcp_flags": "12",
                "expected": 1001, "actual": 1002
            }
        },
        {
            "timestamp": "2023-11-14T22:13:20.007000+00:00",
            "pcap_filename": "small.pcap", "pcap_cnt": 8, "event_type": "handshake",
            "src_ip": "2001:db8::7", "src_port": 50_003, "dest_ip": "2001:db8::1", "dest_port": 443,
            "proto": "TCP", "community_id": "1:+Ovk9or4WRsgy8yuLH31oxl6h4c=",
            "handshake": {
                "outcome": "malformed", "reason": "synack_wrong_ack", "flags": [], "direction": "transit",
                "syn_seq": 1000, "syn_retransmits": 0, "synack_retransmits": 0,
                "rtt_us": {}, "anomalies": ["synack_wrong_ack"]
            }
        },
        {
            "timestamp": "2023-11-14T22:13:20.007000+00:00",
            "pcap_filename": "small.pcap", "pcap_cnt": 8, "event_type": "stats",
            "stats": {
                "packets": 8, "tcp_segments": 7, "syn": 3, "synack": 2, "begun": 3,
                "completed": 1, "completed_late": 0, "unverified": 0, "half_open": 0, "refused": 1,
                "aborted": 0, "malformed": 1, "flows_evicted": 0, "flows_contended": 0,
                "events_produced": 4, "events_lost": 0, "events_suppressed": 0, "synack_unmatched": 0,
                "filtered": 0, "syn_before_watch": 0, "seen_again": 0, "events_delivered": 4, "in_progress": 0,
                "anomalies": { "synack_wrong_ack": 1 },
                "parse_errors": {
                    "short_frame": 0, "vlan_too_deep": 0, "bad_ip_header": 0, "ip_truncated": 0,
                    "too_many_extension_headers": 0, "not_linear": 0
                },
                "not_parsed": { "not_ip": 1, "not_tcp": 0, "later_fragment": 0, "tunnel": 0 },
                "alerts": 0, "ledger": { "balanced": true, "differences": [] }
            }
        }
    ])
}

#[test]
fn the_json_of_a_small_capture_is_this() {
    let dir = directory("small", &[("small.pcap", &pcap())]);
    let mut lines = replay(&dir, "small.pcap");
    let ids: Vec<Value> =
        lines.iter_mut().filter_map(|line| line.as_object_mut()?.remove("flow_id")).collect();
    assert_eq!(ids.len(), 4, "all but the totals are of a flow");
    assert_eq!(ids[2], ids[3], "an anomaly is of the same flow as its handshake");
    assert!(ids[0] != ids[1] && ids[1] != ids[2], "{ids:?}");
    let expected = expected();
    for (line, expected) in lines.iter().zip(expected.as_array().expect("an array")) {
        assert_eq!(line, expected);
    }
    assert_eq!(lines.len(), 5);
}

#[test]
fn every_line_is_valid_under_the_schema() {
    let schema = serde_json::from_str(SCHEMA).expect("the schema is JSON");
    let schema = jsonschema::draft202012::new(&schema).expect("a schema");
    let dir = directory("schema", &[("small.pcap", &pcap())]);
    for line in replay(&dir, "small.pcap small.pcap --half-open-after 1ms") {
        let errors: Vec<String> = schema.iter_errors(&line).map(|error| error.to_string()).collect();
        assert!(errors.is_empty(), "{errors:?}: {line}");
    }
}

/// The same packets in any wrapping give the same lines, but for the name.
#[test]
fn wrappings_make_no_difference() {
    let (pcap, pcapng) = (pcap(), pcapng());
    let files: [(&str, &[u8]); 6] = [
        ("small.pcap", &pcap),
        ("small.pcapng", &pcapng),
        ("small.pcap.gz", &build::gzip(&pcap)),
        ("small.pcapng.gz", &build::gzip(&pcapng)),
        ("small.pcap.zst", &build::zstd(&pcap)),
        // What is in it counts, not what it is called.
        ("small.txt", &pcap),
    ];
    let dir = directory("wrappings", &files);
    let nameless = |mut lines: Vec<Value>, name: &str| {
        for line in &mut lines {
            assert_eq!(line["pcap_filename"], name);
            line["pcap_filename"] = Value::Null;
        }
        lines
    };
    let plain = nameless(replay(&dir, "small.pcap"), "small.pcap");
    assert_eq!(plain.len(), 5);
    for (name, bytes) in files {
        assert_eq!(nameless(replay(&dir, name), name), plain, "{name}");

        let mut command = hs_mon(&dir, "replay --format json -");
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("hs-mon starts");
        let mut stdin = child.stdin.take().expect("a pipe");
        stdin.write_all(bytes).expect("hs-mon reads");
        drop(stdin);
        let output = child.wait_with_output().expect("hs-mon ends");
        assert_eq!(nameless(lines(&output), "-"), plain, "{name} by standard input");
    }
}

/// Each file is a capture of its own: what is open in one does not go on in the next. Totals are of all.
#[test]
fn several_files_are_read_one_after_the_other() {
    let files: [(&str, &[u8]); 2] = [("a.pcap", &pcap()), ("b.pcapng", &pcapng())];
    let dir = directory("several", &files);
    let lines = replay(&dir, "a.pcap b.pcapng a.pcap");
    let names: Vec<&Value> = lines.iter().map(|line| &line["pcap_filename"]).collect();
    let of = |name| vec![Value::from(name); 4];
    let expected = [of("a.pcap"), of("b.pcapng"), of("a.pcap"), vec![Value::Null]].concat();
    assert_eq!(names, expected.iter().collect::<Vec<_>>());
    let stats = &lines[12]["stats"];
    assert_eq!(json!([stats["packets"], stats["completed"], stats["malformed"]]), json!([24, 3, 3]));
}

/// In any order, a flood in each is found, and each alert has its own number.
#[test]
fn floods_are_found_in_captures_of_any_order() {
    let (early, late) = (flood(START - 86_400), flood(START + 86_400));
    let dir = directory("floods", &[("early.pcap", &early), ("late.pcap", &late), ("small.pcap", &pcap())]);
    for files in
        ["early.pcap small.pcap late.pcap", "late.pcap small.pcap early.pcap", "early.pcap early.pcap"]
    {
        let lines = replay(&dir, &format!("{files} --only alert"));
        let told = lines.iter().filter(|line| line["synflood"]["phase"] == "start");
        let ids: Vec<&Value> = told.map(|line| &line["synflood"]["id"]).collect();
        assert_eq!(ids, [1, 2], "{files}");
    }
}

/// Times are the writer's choice. The last ones that there are lead neither around nor into a loop without an end.
#[test]
fn a_capture_from_the_end_of_time_ends() {
    let frames = packets();
    for (resolution, last) in [(9, u64::MAX), (9, u64::MAX - 1_000_000_000), (0, u64::MAX)] {
        let mut capture = [LITTLE.section(), LITTLE.clock(resolution, 0)].concat();
        for (index, (_, frame)) in frames.iter().enumerate() {
            let ticks = if index < 4 { 0 } else { last - (frames.len() - index) as u64 };
            capture.extend(LITTLE.enhanced(0, ticks, frame, frame.len() as u32));
        }
        let dir = directory("end-of-time", &[("late.pcapng", &capture)]);
        let mut command = hs_mon(&dir, "replay --format json --half-open-after 1h late.pcapng");
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("hs-mon starts");
        let lines = lines(&output_soon(child));
        let totals = &lines.last().expect("totals")["stats"];
        assert_eq!((&totals["packets"], &totals["begun"]), (&8.into(), &3.into()), "{totals}");
    }
}

/// What it wrote, which is little; it must end by itself.
fn output_soon(mut child: Child) -> Output {
    let start = Instant::now();
    while child.try_wait().expect("it can be waited for").is_none() {
        if start.elapsed() > SOON {
            let _ = child.kill();
            panic!("it does not end");
        }
        thread::sleep(Duration::from_millis(10));
    }
    child.wait_with_output().expect("it has ended")
}

/// Arguments, then the types and outcomes of the lines.
#[test]
fn lines_are_chosen_by_kind_and_port() {
    let table = [
        ("--only completed", json!(["completed", "stats"])),
        ("--only refused,malformed", json!(["refused", "malformed", "stats"])),
        ("--only anomaly", json!(["anomaly", "stats"])),
        ("--only half-open", json!(["stats"])),
        ("--only stats", json!(["stats"])),
        ("--port 443", json!(["completed", "refused", "anomaly", "malformed", "stats"])),
        ("--port 1,50002", json!(["refused", "stats"])),
        ("--port 50003 --only malformed", json!(["malformed", "stats"])),
        ("--port 80", json!(["stats"])),
    ];
    let dir = directory("chosen", &[("small.pcap", &pcap())]);
    for (args, expected) in table {
        let kind = |line: &Value| match &line["handshake"]["outcome"] {
            Value::Null => line["event_type"].clone(),
            outcome => outcome.clone(),
        };
        let kinds: Vec<Value> = replay(&dir, &format!("small.pcap {args}")).iter().map(kind).collect();
        assert_eq!(Value::from(kinds), expected, "{args}");
    }
    let filtered = replay(&dir, "small.pcap --port 50002").pop().expect("totals");
    assert_eq!(json!([filtered["stats"]["filtered"], filtered["stats"]["begun"]]), json!([5, 1]));
}

/// The file gives options under their names; flags win over it.
#[test]
fn what_is_wrong_is_told_without_obeying_names() {
    let dir = directory(
        "speaking",
        &[("\x1b[2J.pcap", b"nothing of the sort"), ("speaking.toml", b"port = \x1b[2J")],
    );
    for args in [
        "replay \x1b[2J.pcap",
        "replay --config speaking.toml small.pcap",
        "check-config --config \x1b[2J.pcap",
    ] {
        let output = hs_mon(&dir, args).output().expect("hs-mon runs");
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && stderr.contains("\\u{1b}[2J"), "{stderr:?}");
        assert!(!stderr.contains('\x1b'), "{stderr:?}");
    }
    std::fs::write(dir.join("\x1b[2J.toml"), "").expect("a file");
    let output = hs_mon(&dir, "check-config --config \x1b[2J.toml").output().expect("hs-mon runs");
    let stdout = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && stdout.starts_with("\\u{1b}[2J.toml: right"), "{stdout:?}");
    assert!(!stdout.contains('\x1b'), "{stdout:?}");
}

#[test]
fn a_configuration_file_gives_options() {
    let toml = "format = \"json\"\nonly = [\"refused\"]\nport = [443]\n";
    let files: [(&str, &[u8]); 2] = [("small.pcap", &pcap()), ("hs-mon.toml", toml.as_bytes())];
    let dir = directory("configured", &files);
    let told = |args: &str| {
        let output = hs_mon(&dir, &format!("replay --config hs-mon.toml small.pcap {args}")).output();
        let lines = lines(&output.expect("hs-mon runs"));
        (lines.len(), lines[0]["handshake"]["outcome"].clone())
    };
    assert_eq!(told(""), (2, "refused".into()));
    assert_eq!(told("--only completed"), (2, "completed".into()));
    assert_eq!(told("--port 80"), (1, Value::Null));
}

/// For people: a line each, and a table at the end. No colour, for it is no terminal.
#[test]
fn the_text_of_a_small_capture_tells_the_same() {
    let dir = directory("text", &[("small.pcap", &pcap())]);
    let output = hs_mon(&dir, "replay small.pcap").output().expect("hs-mon runs");
    assert_eq!(output.status.code(), Some(0));
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    assert!(!text.contains('\x1b'), "{text}");
    let told: Vec<&str> = text.lines().take_while(|line| !line.is_empty()).collect();
    let expected = [
        "2023-11-14",
        "completed   198.51.100.7:50001",
        "refused     198.51.100.7:50002",
        "ANOMALY     [2001:db8::1]:443",
        "MALFORMED   [2001:db8::7]:50003",
    ];
    assert_eq!(told.len(), expected.len(), "{text}");
    for (line, part) in told.iter().zip(expected) {
        assert!(line.contains(part), "{part:?} is not in {line:?}");
    }
    assert!(text.contains("handshakes begun                             3\n"), "{text}");
}
