//! The BPF programs, packet by packet through `BPF_PROG_TEST_RUN`: what they report, count and let pass.

#[path = "kernel_support/anomalies.rs"]
mod anomalies;
#[path = "kernel_support/bench.rs"]
mod bench;
#[allow(dead_code, reason = "it builds more than is needed here")]
#[path = "capture/build.rs"]
mod build;
#[path = "kernel_support/case.rs"]
mod case;
#[path = "kernel_test_run/flow_table.rs"]
mod flow_table;
#[path = "kernel_support/frame.rs"]
mod frame;
#[path = "kernel_support/guest.rs"]
mod guest;
#[path = "kernel_support/handshakes.rs"]
mod handshakes;
#[path = "kernel_support/processor.rs"]
mod processor;
#[path = "kernel_test_run/processors.rs"]
mod processors;
#[path = "kernel_support/random.rs"]
mod random;
#[path = "kernel_support/shared.rs"]
mod shared;
#[path = "kernel_support/twins.rs"]
mod twins;
#[path = "kernel_support/unparsed.rs"]
mod unparsed;
#[path = "kernel_support/verifier.rs"]
mod verifier;

use std::cell::Cell;
use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};
use std::time::{Duration, Instant};

use aya_log::EbpfLogger;
use bench::{Bench, Program, TC_EGRESS, TC_EGRESS_L3, TC_INGRESS, TC_INGRESS_L3, Way};
use build::LITTLE;
use case::Case;
use frame::{A, ACK, B, Envelope, SYN, i, r};
use hs_common::parse::Link;
use hs_common::victim::Total;
use hs_common::{Anomaly, Config, Counter, Unparsed, VictimSet};
use hs_mon::kernel::{Kernel, Options};
use hs_mon::responders::Responders as _;
use proptest::test_runner::{Config as Cases, TestRunner};
use twins::Twins;

/// Who asks many responders.
const CLIENT: IpAddr = IpAddr::V4(Ipv4Addr::new(198, 19, 255, 1));

/// Every program, alone and in the pairs that a live watch attaches.
const WAYS: &[Way] = &[
    Way::new("hs_xdp", Program::Xdp, Program::Xdp),
    Way::new("hs_tc_ingress", TC_INGRESS, TC_INGRESS),
    Way::new("hs_tc_egress", TC_EGRESS, TC_EGRESS),
    Way::new("hs_tc_ingress_l3", TC_INGRESS_L3, TC_INGRESS_L3),
    Way::new("hs_tc_egress_l3", TC_EGRESS_L3, TC_EGRESS_L3),
    Way::new("inbound, XDP and tc", Program::Xdp, TC_EGRESS),
    Way::new("outbound, tc and XDP", TC_EGRESS, Program::Xdp),
    Way::new("inbound, tc", TC_INGRESS, TC_EGRESS),
    Way::new("outbound, L3", TC_EGRESS_L3, TC_INGRESS_L3),
    Way::new("hs_replay, Ethernet", Program::Replay(Link::Ethernet), Program::Replay(Link::Ethernet)),
    Way::new("hs_replay, raw IP", Program::Replay(Link::RawIp), Program::Replay(Link::RawIp)),
    Way::new("hs_replay, cooked", Program::Replay(Link::LinuxCooked), Program::Replay(Link::LinuxCooked)),
    Way::new("hs_replay, cooked 2", Program::Replay(Link::LinuxCooked2), Program::Replay(Link::LinuxCooked2)),
    Way::new("hs_replay, BSD", Program::Replay(Link::BsdLoopback), Program::Replay(Link::BsdLoopback)),
];

/// Plays a table in every way that can take its rows; how many rows each way took.
fn play(table: &[Case]) -> Vec<usize> {
    shared::with(|benches| play_on(benches, WAYS, table, Bench::play))
}

/// All ways of a kind share one bench: no two cases share a flow.
fn play_on(
    benches: &mut [Bench; 2],
    ways: &[Way],
    table: &[Case],
    play: fn(&mut Bench, &Way, &Case),
) -> Vec<usize> {
    let mut rows_of = |way: &Way| {
        let rows: Vec<&Case> = table.iter().filter(|case| way.takes(case)).collect();
        rows.iter().for_each(|case| play(&mut benches[usize::from(way.is_replay())], way, case));
        rows.len()
    };
    ways.iter().map(&mut rows_of).collect()
}

#[test]
fn handshakes_complete_in_every_envelope() {
    let table = handshakes::completing();
    let played = play(&table);
    assert_eq!(played.iter().max(), Some(&table.len()), "{played:?}");
    assert!(played.iter().all(|rows| *rows * 2 > table.len()), "{played:?}");
}

#[test]
fn handshakes_fail_as_they_should() {
    play(&handshakes::failing());
    play(&anomalies::judged());
}

/// Among them the acknowledgment that is off by one, which must not complete a handshake.
#[test]
fn anomalies_are_reported_and_complete_nothing() {
    play(&anomalies::all());
}

#[test]
fn packets_without_a_segment_are_counted_by_reason() {
    play(&unparsed::all());
}

#[test]
fn a_packet_cut_inside_the_ip_header_is_counted() {
    let table = unparsed::cut_inside_ip();
    shared::with(|benches| {
        for way in WAYS.iter().filter(|way| !matches!(way.up, Program::Tc(..)) && way.up == way.down) {
            table.iter().for_each(|case| benches[usize::from(way.is_replay())].play(way, case));
        }
    });
}

/// The tables above show every anomaly and every reason that there is.
#[test]
fn the_tables_leave_nothing_out() {
    let tables = [handshakes::failing(), anomalies::all(), unparsed::all()].concat();
    let mut shown: BTreeSet<usize> = BTreeSet::new();
    for case in &tables {
        let totals = case.expected_totals();
        shown.extend(totals.0.iter().enumerate().filter(|(_, total)| **total > 0).map(|(index, _)| index));
    }
    let missing: Vec<&str> = Anomaly::ALL
        .iter()
        .map(|anomaly| (hs_common::Slot::anomaly(*anomaly), anomaly.name()))
        .chain(Unparsed::ALL.iter().map(|why| (hs_common::Slot::unparsed(*why), why.name())))
        .filter(|(slot, _)| !shown.contains(&slot.index()))
        .map(|(_, name)| name)
        .collect();
    assert_eq!(missing, ["not_linear"], "no test run has a packet with headers outside the linear part");
}

/// One nanosecond of patience: what the sweep finds is due.
#[test]
fn a_timeout_ends_what_is_pending() {
    let config = Config { max_flows: 1024, half_open_ns: 1, ..Config::DEFAULT };
    let mut benches = [false, true].map(|replaying| Bench::new(config, replaying));
    let names: Vec<&str> = WAYS.iter().map(|way| way.name).collect();
    let few = ["inbound, XDP and tc", "hs_replay, Ethernet"];
    let names = guest::some_unless_guest("ways to time out", &names, &few);
    let ways: Vec<Way> = WAYS.iter().filter(|way| names.contains(&way.name)).copied().collect();
    play_on(&mut benches, &ways, &handshakes::timing_out(), Bench::play_until_swept);
}

/// A frame that takes several buffers: the headers are in the first one.
#[test]
fn a_jumbo_frame_completes_a_handshake() {
    let way = Way::new("hs_xdp", Program::Xdp, Program::Xdp);
    let case = Case::new("9,000 bytes with the ACK", Envelope::V4)
        .answered()
        .send(&[i(ACK, A + 1, B + 1).data(9_000)])
        .says(case::completed(hs_common::Reason::Normal));
    shared::with(|[hooks, _]| hooks.play(&way, &case));
}

const PROGRAMS: [&str; 11] = [
    "hs_xdp",
    "hs_tc_ingress",
    "hs_tc_egress",
    "hs_tc_ingress_l3",
    "hs_tc_egress_l3",
    "hs_replay",
    "hs_follow_xdp",
    "hs_follow_tc",
    "hs_hold_xdp",
    "hs_hold_tc",
    "hs_sweep",
];

/// What the verifier had to do, for the eye and for `cargo xtask vm`, which has limits for it.
#[test]
fn the_verifier_takes_every_program() {
    let mut bench = Bench::new(Config::DEFAULT, false);
    for program in PROGRAMS {
        let cost = verifier::cost(&mut bench.kernel, program);
        println!("verifier {program} {cost}");
        assert!((1..1_000_000).contains(&cost.instructions), "{program}: {cost}");
        // What holds a place has nothing to keep.
        let least = u32::from(!program.starts_with("hs_hold"));
        assert!((least..=512).contains(&cost.largest_frame()), "{program}: {cost}");
    }
}

/// Logging is code that the verifier sees only when it is on, and every filter is.
#[test]
fn the_verifier_takes_every_program_with_logging_and_all_options() {
    let config = Config { vlan_aware: 1, thin_events: 1, ports_used: 8, ports: [1; 8], ..Config::DEFAULT };
    let options = Options { config, replaying: false, log_level: log::Level::Debug as u8 };
    let mut kernel = Kernel::load(&options).expect("the kernel takes the object (root is needed)");
    // Before the programs load: they refer to its map.
    let _log = EbpfLogger::init_with_logger(kernel.ebpf_mut(), log::logger()).expect("there is a log");
    let few = ["hs_xdp", "hs_tc_egress", "hs_tc_egress_l3", "hs_replay", "hs_follow_tc"];
    for program in guest::some_unless_guest("programs with logging", &PROGRAMS, &few) {
        kernel.verify(program).unwrap_or_else(|error| panic!("{program}: {error:#}"));
    }
}

/// The hooks share one table: a SYN at one and its answer at another are one handshake.
#[test]
fn a_handshake_may_be_split_over_all_hooks() {
    let case = Case::new("three hooks", Envelope::V6);
    let steps = [
        (Program::Xdp, i(SYN, A, 0)),
        (TC_EGRESS_L3, r(SYN | ACK, B, A + 1)),
        (TC_INGRESS, i(ACK, A + 1, B + 1)),
    ];
    let events = shared::with(|[hooks, _]| {
        for (program, tcp) in steps {
            hooks.send(program, &case.envelope.wrap(&tcp, 4000));
        }
        hooks.totals();
        hooks.events()
    });
    assert_eq!(events.len(), 1, "{events:#?}");
    assert_eq!(events[0].outcome(), Some(hs_common::Outcome::Completed));
    assert_eq!(events[0].path(), Some(hs_common::Path::Inbound));
    assert!(events[0].rtt_synack_us < 60_000_000 && events[0].rtt_ack_us < 60_000_000, "{events:#?}");
}

/// The tables above, packet by packet through the library and through the kernel: every field is equal,
/// times too.
#[test]
fn the_library_and_the_kernel_say_the_same_of_the_tables() {
    let tables = [
        handshakes::completing(),
        handshakes::failing(),
        anomalies::all(),
        anomalies::judged(),
        unparsed::all(),
        unparsed::cut_inside_ip(),
    ];
    let mut twins = Twins::new(Config { max_flows: 1024, ..Config::DEFAULT });
    let mut now_ns = 1_700_000_000_000_000_000;
    for (number, case) in tables.iter().flatten().enumerate() {
        for packet in &case.packets {
            let frame = packet.frame(case.envelope, 20_000 + number as u16).ethernet();
            twins.packet(Link::Ethernet, &frame, frame.len(), now_ns);
            now_ns += 1_234_567;
        }
        twins.sweep(now_ns, number % 2 == 0);
    }
    twins.sweep(now_ns, true);
    twins.compare_totals();
}

/// Random traffic, as much as there is time for; a failure is shrunk to the shortest that shows it.
#[test]
fn the_library_and_the_kernel_say_the_same_of_random_traffic() {
    // To think a sequence up takes an emulated machine longer than to play it.
    let at_most = guest::unless_guest("random sequences at the most", 64, 6);
    let enough = Duration::from_secs(guest::unless_guest("seconds of random traffic", 8, 2));
    let at_least = guest::unless_guest("random sequences at the least", 8, 2);
    let cases = Cases {
        cases: at_most,
        failure_persistence: None,
        max_shrink_iters: 60,
        max_shrink_time: 20_000,
        ..Cases::default()
    };
    let (start, played, packets) = (Instant::now(), Cell::new(0), Cell::new(0));
    let result = TestRunner::new(cases).run(&(random::config(), random::acts()), |(config, acts)| {
        if start.elapsed() < enough || played.get() < at_least {
            packets.set(packets.get() + random::play(config, &acts));
            played.set(played.get() + 1);
        }
        Ok(())
    });
    result.unwrap_or_else(|error| panic!("{error}"));
    println!("{} packets in {} random sequences, through both engines", packets.get(), played.get());
}

/// Each CPU tells as much as it may at once, and nobody reads meanwhile: completed handshakes, which are always told, find
/// room all the same.
#[test]
fn what_is_thinned_never_fills_the_ring_buffer() {
    // In full, more on each of two CPUs than its ring buffer has room for.
    let on_each = guest::unless_guest("SYNs that give way on each processor", 34_000, 500);
    let config = Config { max_flows: 64, thin_events: 1, watch_began_ns: 1, ..Config::DEFAULT };
    let mut bench = Bench::new(config, false);
    for number in 0..2 {
        processor::on_processor(number, || {
            for client in 0..on_each {
                let client = Ipv4Addr::from(0xc612_0000 + number as u32 * on_each + client).into();
                let frame = Envelope::V4.between(client, CLIENT, &i(SYN, A, 0).bytes(443));
                bench.send(Program::Xdp, &frame);
            }
        });
    }
    for tcp in [i(SYN, A, 0), r(SYN | ACK, B, A + 1), i(ACK, A + 1, B + 1)] {
        bench.send(Program::Xdp, &Envelope::V4.wrap(&tcp, 4000));
    }
    let totals = bench.totals();
    assert_eq!((totals.get(Counter::Completed), totals.get(Counter::EventsLost)), (1, 0));
    assert!(bench.events().iter().any(|event| event.outcome() == Some(hs_common::Outcome::Completed)));
}

/// More responders than there is room for: they are counted together, and no SYN is left out.
#[test]
fn of_more_responders_than_there_is_room_for_no_total_is_lost() {
    let number = guest::unless_guest("responders", 20_000, 6_000);
    let mut bench = Bench::new(Config { max_flows: 1024, ..Config::DEFAULT }, true);
    for number in 0..number {
        let responder = Ipv4Addr::from(0xc612_0000 + number * 7).into();
        let frame = Envelope::V4.between(CLIENT, responder, &i(SYN, A, 0).bytes(443));
        bench.send(Program::Replay(Link::Ethernet), &frame);
        bench.events();
    }
    let (mut syns, mut entries) = (0, 0);
    // The rest of all has no key.
    let each = &mut |set: &VictimSet| {
        syns += set.0.iter().map(|victim| victim.totals.get(Total::Syn)).sum::<u64>();
        entries += set.0.iter().filter(|victim| victim.totals.get(Total::Syn) > 0).count();
    };
    bench.kernel.for_each_set(each).expect("the responders can be read");
    assert_eq!(syns, u64::from(number));
    assert!(entries < number as usize, "{entries} entries");
}

/// The same as a program: both engines on a capture give the same lines.
#[test]
fn replay_by_both_engines_gives_the_same_lines() {
    let mut capture = LITTLE.pcap_header(0xa1b2_c3d4, 1);
    let tables = [handshakes::completing(), handshakes::failing(), anomalies::all(), unparsed::all()];
    for (number, case) in tables.iter().flatten().enumerate() {
        for packet in &case.packets {
            let frame = packet.frame(case.envelope, 20_000 + number as u16).ethernet();
            capture.extend(LITTLE.pcap_packet(1_700_000_000 + number as u32, 0, &frame, frame.len() as u32));
        }
    }
    let file = std::env::temp_dir().join(format!("hs-mon-{}.pcap", std::process::id()));
    std::fs::write(&file, &capture).expect("a capture");
    let program = std::env::var_os("HS_MON_BIN").unwrap_or_else(|| env!("CARGO_BIN_EXE_hs-mon").into());
    let [native, kernel] = ["native", "kernel"].map(|engine| {
        let mut command = std::process::Command::new(&program);
        command.args(["replay", "--format", "json", "--engine", engine]).arg(&file);
        let output = command.output().expect("hs-mon runs");
        assert_eq!(String::from_utf8_lossy(&output.stderr), "", "--engine {engine}");
        assert_eq!(output.status.code(), Some(0), "--engine {engine}");
        String::from_utf8(output.stdout).expect("UTF-8")
    });
    std::fs::remove_file(&file).expect("the capture can be removed");
    assert!(native.lines().count() > 100, "{native}");
    for (number, (native, kernel)) in native.lines().zip(kernel.lines()).enumerate() {
        assert_eq!(kernel, native, "line {number}");
    }
    assert_eq!(native.lines().count(), kernel.lines().count());
}
