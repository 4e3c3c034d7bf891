//! Two processors at once, and what each of them tells.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicU16, AtomicUsize, Ordering};

use aya::TestRun as _;
use aya::programs::TestRunOptions;
use hs_common::{Counter, Outcome};

use crate::bench::{Bench, Program};
use crate::frame::{A, ACK, B, Envelope, Frame, SYN, Tcp, i, r};
use crate::guest;
use crate::processor::on_processor;

/// Two CPUs at one flow, in each step at the same time: whoever comes first, a handshake begins once and completes once,
/// and nothing that is legal is told to be otherwise.
#[test]
fn two_processors_at_one_handshake_complete_it_once() {
    let [syn, synack, ack] = handshake();
    // What each of the two sends: in turn, so that each step meets each other.
    let races = [
        [[Some(&syn), None], [Some(&synack), None], [Some(&ack), Some(&ack)]],
        [[Some(&syn), None], [Some(&synack), Some(&synack)], [Some(&ack), Some(&ack)]],
        [[Some(&syn), None], [Some(&synack), None], [Some(&ack), Some(&synack)]],
        [[Some(&syn), None], [Some(&synack), None], [Some(&ack), Some(&syn)]],
        [[Some(&syn), Some(&syn)], [Some(&synack), None], [Some(&synack), Some(&ack)]],
        [[Some(&syn), None], [Some(&synack), Some(&ack)], [Some(&ack), Some(&synack)]],
    ];
    let (handshakes, arrived) = (raced_handshakes(), AtomicUsize::new(0));
    race(handshakes, |number, send| {
        let mut due = 0;
        for handshake in 0..handshakes {
            for step in &races[usize::from(handshake) % races.len()] {
                arrived.fetch_add(1, Ordering::AcqRel);
                due += 2;
                while arrived.load(Ordering::Acquire) < due {
                    std::hint::spin_loop();
                }
                step[number].into_iter().for_each(|tcp| send(tcp, handshake));
            }
        }
    });
}

/// One CPU has handshake after handshake, so that the memory of one is the next one's at once; the other has copies of the
/// ACK of whichever is under way, before it is due and after it: none is taken for an ACK of another.
#[test]
fn a_copy_on_another_processor_never_meets_another_flow() {
    let [syn, synack, ack] = handshake();
    let (under_way, is_over) = (AtomicU16::new(0), AtomicBool::new(false));
    let handshakes = raced_handshakes();
    race(handshakes, |number, send| {
        if number == 0 {
            for handshake in 0..handshakes {
                under_way.store(handshake, Ordering::Release);
                [&syn, &synack, &ack].into_iter().for_each(|tcp| send(tcp, handshake));
            }
            is_over.store(true, Ordering::Release);
        }
        let (mut copied, mut copies) = (0, 0);
        while !is_over.load(Ordering::Acquire) {
            let handshake = under_way.load(Ordering::Acquire);
            copies = if handshake == copied { copies + 1 } else { 1 };
            copied = handshake;
            if copies <= COPIES {
                send(&ack, handshake);
            } else {
                std::hint::spin_loop();
            }
        }
    });
}

/// Twice as many as there is time for. With no end to them, all copies of one handshake whose processor is taken away would
/// wait in vain, thousands of them.
const COPIES: u32 = 8;

fn handshake() -> [Tcp; 3] {
    [i(SYN, A, 0), r(SYN | ACK, B, A + 1), i(ACK, A + 1, B + 1)]
}

fn raced_handshakes() -> u16 {
    guest::unless_guest("handshakes of two processors at once", 10_000, 3_000)
}

const FIRST_PORT: u16 = 5000;

fn frame(tcp: &Tcp, handshake: u16) -> Frame {
    Envelope::V4.wrap(tcp, FIRST_PORT + handshake)
}

/// What two processors do at once: each handshake begins once and completes once, and nothing else is told. Whoever holds a
/// flow may lose its processor to a hypervisor for longer than the other waits. What is lost so is rare, and counted; and
/// what has not completed is sent once more, as TCP does: then all have.
fn race(handshakes: u16, racer: impl Fn(usize, &dyn Fn(&Tcp, u16)) + Sync) {
    let mut bench = Bench::roomy(false);
    bench.kernel.program_fd("hs_xdp").expect("the kernel takes it");
    let Some(aya::programs::Program::Xdp(program)) = bench.kernel.ebpf_mut().program("hs_xdp") else {
        panic!("an XDP program")
    };
    let send = |tcp: &Tcp, handshake| {
        let frame = frame(tcp, handshake).ethernet();
        let options = TestRunOptions { data_in: Some(&frame), ..TestRunOptions::new() };
        program.test_run(options).expect("it runs");
    };
    std::thread::scope(|scope| {
        for number in 0..2 {
            let (racer, send) = (&racer, &send);
            scope.spawn(move || on_processor(number, || racer(number, send)));
        }
    });
    let mut events = bench.events();
    let completed: BTreeSet<u16> = events.iter().map(|event| event.src_port - FIRST_PORT).collect();
    for number in (0..handshakes).filter(|number| !completed.contains(number)) {
        handshake().iter().for_each(|tcp| bench.send(Program::Xdp, &frame(tcp, number)));
    }
    events.extend(bench.events());
    let totals = bench.totals();
    let (begun, completed) = (totals.get(Counter::Begun), totals.get(Counter::Completed));
    assert_eq!((begun, completed), (handshakes.into(), handshakes.into()), "{totals:?}");
    let other = events.iter().find(|event| event.outcome() != Some(Outcome::Completed));
    assert_eq!((events.len() as u64, other), (completed, None));
    assert_eq!(totals.get(Counter::EventsLost), 0);
    let waited = totals.get(Counter::FlowsContended);
    assert!(
        waited <= may_wait_in_vain(handshakes.into()),
        "{waited} segments of {handshakes} handshakes waited in vain"
    );
}

/// A guest's processors take turns at one of the host's: who holds a flow at the end of a turn holds it for the whole of
/// the other's. The busier the host, the more turns there are: some in a thousand handshakes on one that is not.
fn may_wait_in_vain(handshakes: u64) -> u64 {
    guest::unless_guest(
        "segments that may wait in vain, of two processors at once",
        handshakes / 100,
        handshakes / 10,
    )
}

/// Each CPU has a ring buffer of its own, and what comes out of them comes in the order in which it happened.
#[test]
fn events_of_all_cpus_come_in_order() {
    const HANDSHAKES: usize = 20;
    let mut bench = Bench::roomy(false);
    for number in 0..HANDSHAKES {
        on_processor(number % 2, || {
            for tcp in handshake() {
                bench.send(Program::Xdp, &Envelope::V4.wrap(&tcp, 4000 + number as u16));
            }
        });
    }
    let ports: Vec<u16> = bench.events().iter().map(|event| event.src_port).collect();
    assert_eq!(ports, (4000..4000 + HANDSHAKES as u16).collect::<Vec<_>>());
}
