//! What is where: the SYN cache's words and the flow table, as the kernel's maps show them.

use aya::maps::{Array, HashMap, MapData};
use hs_common::syn_cache::{self, State, Word};
use hs_common::{Config, Counter};

use crate::bench::{Bench, Program};
use crate::frame::{A, ACK, B, Envelope, SYN, Tcp, i, r};

/// A word that another CPU keeps for good: the segment waits, is counted as contended, and changes nothing.
#[test]
fn a_flow_that_another_cpu_holds_is_counted_and_left_alone() {
    // One line of words, so that the flow's is in it.
    let mut bench = Bench::new(Config { max_flows: syn_cache::WAYS as u32, ..Config::DEFAULT }, false);
    let send = |bench: &mut Bench, tcp| {
        bench.send(Program::Xdp, &Envelope::V4.wrap(&tcp, 4000));
        (bench.totals(), bench.events().len())
    };
    send(&mut bench, i(SYN, A, 0));
    let free = words(&mut bench);
    set_words(&mut bench, free.map(|word| if word == Word::EMPTY { word } else { word.with(State::Busy) }));
    let (totals, events) = send(&mut bench, r(SYN | ACK, B, A + 1));
    assert_eq!((totals.get(Counter::FlowsContended), events), (1, 0), "{totals:?}");
    assert_eq!(totals.get(Counter::Packets), 1);
    set_words(&mut bench, free);
    for tcp in [r(SYN | ACK, B, A + 1), i(ACK, A + 1, B + 1)] {
        assert_eq!(send(&mut bench, tcp).0.get(Counter::FlowsContended), 0);
    }
    assert!(
        words(&mut bench).iter().any(|word| word.is(State::Completed)),
        "it completed when it was let go"
    );
}

/// Between the search for a flow and the look at it, its memory may have become another's, which the version tells.
#[test]
fn an_entry_that_is_another_flows_by_now_is_left_alone() {
    const OTHER_SLOT: u64 = 1 << 40;
    let mut bench = Bench::roomy(false);
    let send = |bench: &mut Bench, tcp| {
        bench.send(Program::Xdp, &Envelope::V4.wrap(&tcp, 4000));
        let totals = bench.totals();
        (totals.get(Counter::FlowsContended), totals.get(Counter::Completed))
    };
    let turn_over = |bench: &mut Bench| {
        let mut flows = flows(bench);
        let (key, mut flow) = flows.iter().next().expect("a flow").expect("it can be read");
        flow[0] ^= OTHER_SLOT;
        flows.insert(key, flow, 0).expect("it can be written");
    };
    send(&mut bench, i(SYN, A, 0));
    send(&mut bench, r(SYN | ACK, B, A + 1));
    turn_over(&mut bench);
    assert_eq!(send(&mut bench, i(ACK, A + 1, B + 1)), (1, 0));
    turn_over(&mut bench);
    assert_eq!(send(&mut bench, i(ACK, A + 1, B + 1)), (0, 1));
}

/// The flow table, by the words of its keys and of its flows with their versions.
fn flows(bench: &mut Bench) -> HashMap<&mut MapData, [u64; 5], [u64; 13]> {
    let map = bench.kernel.ebpf_mut().map_mut("FLOWS").expect("the flow table");
    HashMap::try_from(map).expect("a hash map of flows")
}

/// Its memory serves the next: only what goes on, or was out of the ordinary, is in the flow table.
#[test]
fn a_completed_handshake_leaves_the_flow_table() {
    let mut bench = Bench::roomy(false);
    let mut flows_after = |steps: &[Tcp]| {
        steps.iter().for_each(|tcp| bench.send(Program::Xdp, &Envelope::V4.wrap(tcp, 4000)));
        flows(&mut bench).keys().count()
    };
    let (syn, synack, ack) = (i(SYN, A, 0), r(SYN | ACK, B, A + 1), i(ACK, A + 1, B + 1));
    assert_eq!(flows_after(&[syn]), 0, "a first SYN has its slot");
    assert_eq!(flows_after(&[synack]), 1, "an answered one has an entry");
    assert_eq!(flows_after(&[ack]), 0, "a completed one no longer");
    assert_eq!(flows_after(&[ack, syn]), 0, "nor does a late copy bring it back");
    assert_eq!(flows_after(&[synack]), 1, "unless there is more to be remembered");
    let (syn, synack, ack) = (i(SYN, A + 9, 0), r(SYN | ACK, B + 9, A + 10), i(ACK, A + 10, B + 10));
    assert_eq!(flows_after(&[syn, synack, ack]), 1, "the next handshake of the two has that entry");
    assert_eq!(bench.totals().get(Counter::Completed), 2);
    assert_eq!(bench.events().len(), 2, "and nothing is out of order");
}

type Words = [Word; syn_cache::WAYS];

fn lines(bench: &mut Bench) -> Array<&mut MapData, [u64; syn_cache::WAYS]> {
    let map = bench.kernel.ebpf_mut().map_mut("LINES").expect("the SYN cache");
    Array::try_from(map).expect("an array of lines")
}

fn words(bench: &mut Bench) -> Words {
    lines(bench).get(&0, 0).expect("the line can be read").map(Word)
}

fn set_words(bench: &mut Bench, words: Words) {
    lines(bench).set(0, words.map(|word| word.0), 0).expect("the line can be written");
}
