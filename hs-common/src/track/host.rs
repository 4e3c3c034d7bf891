//! What the tracker stands on: the kernel's maps, clock and ring buffer, or the memory of `replay`.

use super::Versioned;
use crate::flow::FlowKey;
use crate::syn_cache::{FirstSyn, HashKey, State, Word};
use crate::victim::Tally;
use crate::{Config, Counter, Event, Segment, Slot, VictimKey};

/// What the tracker stands on. `#[inline(always)]` in the kernel.
pub trait Host {
    /// A line of the SYN cache.
    type Line: Copy;
    /// An entry of the flow table.
    type Entry: Copy;

    /// The settings.
    fn config(&self) -> &Config;

    /// The random numbers of the hash of flows.
    fn hash_key(&self) -> &HashKey;

    /// The clock of the events, in nanoseconds. Asked only when a handshake is concerned: in the
    /// kernel it costs more than all the rest of an established segment.
    fn now_ns(&self) -> u64;

    /// Adds one to a total that is known when the code is compiled.
    fn count(&mut self, counter: Counter);

    /// When the watch began: SYNs before that are not followed. 0 in replay.
    fn watch_began_ns(&self) -> u64;

    /// Changes a total by +1 or -1.
    fn count_at(&mut self, slot: Slot, change: i64);

    /// A line of the SYN cache.
    fn line(&mut self, number: u32) -> Option<Self::Line>;

    /// Asks for a line of the SYN cache that will be needed, without waiting for it: a matter of speed alone.
    #[inline(always)]
    fn fetch(&mut self, _number: u32) {}

    /// A word of a line; of `way` only the bits that name one count.
    fn word(&self, line: Self::Line, way: u32) -> Word;

    /// The tag of a word of a line: half of it, for a search that has eight to look at.
    fn tag(&self, line: Self::Line, way: u32) -> u32;

    /// The other half of it, which has its stamp and its state.
    fn low_half(&self, line: Self::Line, way: u32) -> u32;

    /// Puts `new` in the place of `old`, unless another CPU changed the word: then `false`.
    fn exchange(&mut self, line: Self::Line, way: u32, old: Word, new: Word) -> bool;

    /// Puts `new` there: what is busy belongs to one CPU.
    fn put(&mut self, line: Self::Line, way: u32, new: Word);

    /// Copies the first SYN out that lies beside a word. `false` if there is no such slot.
    fn read_first_syn(&mut self, slot: u32, into: &mut FirstSyn) -> bool;

    /// Writes a first SYN beside a word.
    fn write_first_syn(&mut self, slot: u32, first: &FirstSyn);

    /// Finds a flow of the flow table. Its slot is a hint.
    fn find(&mut self, key: &FlowKey, slot: u32) -> Option<Self::Entry>;

    /// What a flow's word should hold: [`State::Pending`], [`State::Open`] or [`State::Closed`].
    fn state(&self, entry: Self::Entry) -> State;

    /// Copies the flow of a slot out. `false` if another CPU is writing it, or the entry is another flow's by now.
    fn read(&mut self, entry: Self::Entry, slot: u32, into: &mut Versioned) -> bool;

    /// Writes a flow back, unless it changed since `flow` was read: then `false`.
    fn write(&mut self, entry: Self::Entry, flow: &Versioned) -> bool;

    /// Adds a flow whose word the caller keeps busy, at `now_ns` by [`Host::now_ns`]. `false` if there is no room.
    fn insert(&mut self, key: &FlowKey, slot: u32, flow: &mut Versioned, now_ns: u64) -> bool;

    /// Keeps other CPUs from writing a flow, unless it changed since `flow` was read: then `false`.
    fn claim(&mut self, entry: Self::Entry, flow: &Versioned) -> bool;

    /// Lets them again: nothing changed.
    fn disclaim(&mut self, entry: Self::Entry, flow: &Versioned);

    /// Removes a flow that was claimed.
    fn remove(&mut self, entry: Self::Entry, key: &FlowKey, slot: u32);

    /// Notes that a flow of this line was forgotten before its time.
    fn note_eviction(&mut self, line: u32, now_ns: u64);

    /// When a flow of this line was last forgotten before its time; 0 if never.
    fn last_eviction_ns(&self, line: u32) -> u64;

    /// Shows a SYN that began a handshake to whoever watches its responder.
    fn watch_syn(&mut self, segment: &Segment, now_ns: u64);

    /// Adds to a responder's totals.
    fn tally(&mut self, responder: &VictimKey, tally: Tally, now_ns: u64);

    /// Whether one more event about this responder, or about none, is within the budget.
    fn may_report(&mut self, responder: Option<&VictimKey>, now_ns: u64) -> bool;

    /// Hands an event on. `false` if there is no room for it.
    fn emit(&mut self, event: &Event) -> bool;

    /// The same value, of which the compiler can't know how it came about: it would make a branch of
    /// arithmetic that is there to avoid one.
    #[inline(always)]
    fn hide(value: u64) -> u64 {
        value
    }

    /// The greater of two numbers below 2^63: in the kernel without a branch, so that the verifier has one way to
    /// follow, and the processor nothing to foresee.
    #[inline(always)]
    fn greater(a: u64, b: u64) -> u64 {
        a.max(b)
    }

    /// Here ways meet that do the same from now on. In the kernel nothing is carried over in registers, which would make the
    /// verifier follow each of the ways to its end.
    #[inline(always)]
    fn meet() {}

    /// Lets other CPUs go on, for so many rounds of some ten nanoseconds.
    #[inline(always)]
    fn wait(&mut self, _rounds: u32) {}

    /// Calls `step` until it returns `false`, at most `times` times. See
    /// [`Packet::repeat`](crate::packet::Packet::repeat).
    #[inline(always)]
    fn repeat<F: FnMut() -> bool>(times: u32, mut step: F) {
        for _ in 0..times {
            if !step() {
                return;
            }
        }
    }
}
