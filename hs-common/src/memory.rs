//! The tracker in ordinary memory: what `replay`, the tests and the fuzzers stand on.

use crate::flow::FlowKey;
use crate::packet::Packet;
use crate::parse::{Link, parse};
use crate::syn_cache::{FirstSyn, HashKey, Line, Spot, State, WAYS, Word};
use crate::track::{self, Host, Passed, Place, Scratch, Sweep, Versioned, state_of};
use crate::victim::Tally;
use crate::{Config, Counter, Counters, Event, Segment, Slot, VictimKey};

mod ahead;
#[cfg(test)]
mod contended;
mod records;
mod victims;
mod waiting;

pub use victims::{SEED, Victims};

use records::{FirstSyns, Flows};

/// Tracks the packets of a capture. Memory is bounded by [`Config::max_flows`].
#[derive(Debug)]
pub struct Tracker {
    host: Memory,
    scratch: Box<Scratch>,
    /// Working memory of [`Tracker::look_ahead`].
    spots: Vec<Spot>,
}

impl Tracker {
    /// A tracker that has seen nothing.
    pub fn new(config: Config) -> Tracker {
        Tracker { host: Memory::new(config), scratch: Box::new(Scratch::EMPTY), spots: Vec::new() }
    }

    /// Tells of Ethernet frames that come next, a few dozen of them: a matter of speed and of nothing else.
    pub fn look_ahead<'a>(&mut self, frames: impl Iterator<Item = &'a [u8]>) {
        ahead::look(&self.host, frames, &mut self.spots);
    }

    /// One packet, seen at `now_ns`. A clock that runs back makes timeouts late and nothing worse.
    pub fn track(&mut self, packet: &impl Packet, link: Link, place: Place, now_ns: u64) {
        self.host.now_ns = now_ns;
        let passed = match link {
            Link::Ethernet => track::pass(&mut self.host, packet, &mut self.scratch),
            _ => Passed::NotAtAll,
        };
        let concerned = if passed == Passed::NotAtAll {
            let parsed = parse(packet, link, &mut self.scratch.segment);
            track::track(&mut self.host, &mut self.scratch, parsed)
        } else {
            passed == Passed::Concerned
        };
        if concerned {
            self.follow(place);
        }
    }

    /// One segment that needs no parsing.
    pub fn track_segment(&mut self, segment: Segment, place: Place, now_ns: u64) {
        self.host.now_ns = now_ns;
        self.scratch.segment = segment;
        if track::track(&mut self.host, &mut self.scratch, Ok(())) {
            self.follow(place);
        }
    }

    fn follow(&mut self, place: Place) {
        self.scratch.see(place);
        while track::follow(&mut self.host, &mut self.scratch) {}
    }

    /// Ends the handshakes whose timeout has passed.
    pub fn sweep(&mut self, now_ns: u64) {
        if now_ns >= self.host.earliest_ns.saturating_add(self.host.config.half_open_ns) {
            self.pass(now_ns, false);
        }
    }

    /// Ends every handshake: the capture is over.
    pub fn finish(&mut self, now_ns: u64) {
        self.pass(now_ns, true);
    }

    fn pass(&mut self, now_ns: u64, all: bool) {
        let host = &mut self.host;
        let patience_ns = if all { 0 } else { host.config.half_open_ns };
        let mut pass = Sweep::default();
        let mut due = waiting::next(&host.lines, &mut pass, 0, patience_ns, now_ns);
        while let Some(slot) = due {
            due = waiting::next(&host.lines, &mut pass, slot + 1, patience_ns, now_ns);
            due.and_then(|slot| host.first_syns.get(slot)).map(ahead::fetch);
            pass.position = slot;
            track::sweep(host, &mut self.scratch, &mut pass, all, now_ns);
        }
        host.earliest_ns = pass.nothing_before_ns(now_ns);
    }

    /// Takes the events since the last call.
    pub fn drain(&mut self) -> std::vec::Drain<'_, Event> {
        self.host.events.drain(..)
    }

    /// Flows that are remembered: [`Config::max_flows`] at the most.
    pub fn remembered(&self) -> usize {
        self.host.lines.iter().flat_map(|line| line.0).filter(|word| *word != 0).count()
    }

    /// The totals.
    pub fn counters(&self) -> &Counters {
        &self.host.counters
    }

    /// The responders' totals.
    pub fn victims(&self) -> &Victims {
        &self.host.victims
    }

    /// The responders' totals, to watch some of them more closely.
    pub fn victims_mut(&mut self) -> &mut Victims {
        &mut self.host.victims
    }
}

#[derive(Debug)]
struct Memory {
    config: Config,
    now_ns: u64,
    counters: Counters,
    lines: Vec<Line>,
    first_syns: FirstSyns,
    flows: Flows,
    /// Of each line.
    evictions_ns: Vec<u64>,
    /// No handshake that is waited for began before.
    earliest_ns: u64,
    victims: Victims,
    events: Vec<Event>,
    /// What other CPUs would do meanwhile.
    #[cfg(test)]
    others: contended::Others,
}

impl Memory {
    fn new(config: Config) -> Memory {
        let config = config.rounded();
        let slots = config.max_flows as usize;
        Memory {
            config,
            now_ns: 0,
            counters: Counters::ZERO,
            lines: vec![Line([0; WAYS]); slots / WAYS],
            first_syns: FirstSyns::new(slots),
            flows: Flows::new(slots),
            evictions_ns: vec![0; slots / WAYS],
            earliest_ns: u64::MAX,
            victims: Victims::default(),
            events: Vec::new(),
            #[cfg(test)]
            others: contended::Others::default(),
        }
    }
}

impl Host for Memory {
    type Line = u32;
    type Entry = u32;

    fn config(&self) -> &Config {
        &self.config
    }

    fn hash_key(&self) -> &HashKey {
        &HashKey::FIXED
    }

    fn now_ns(&self) -> u64 {
        self.now_ns
    }

    fn watch_began_ns(&self) -> u64 {
        self.config.watch_began_ns
    }

    fn count(&mut self, counter: Counter) {
        self.counters.add(Slot::of(counter), 1);
    }

    fn count_at(&mut self, slot: Slot, change: i64) {
        self.counters.add(slot, change);
    }

    fn line(&mut self, number: u32) -> Option<u32> {
        ((number as usize) < self.lines.len()).then_some(number)
    }

    fn word(&self, line: u32, way: u32) -> Word {
        let word =
            self.lines.get(line as usize).map_or(Word::EMPTY, |line| Word(line.0[way as usize % WAYS]));
        #[cfg(test)]
        let word = self.others.at_work_on(word);
        word
    }

    fn tag(&self, line: u32, way: u32) -> u32 {
        self.word(line, way).tag()
    }

    fn low_half(&self, line: u32, way: u32) -> u32 {
        self.word(line, way).low_half()
    }

    fn exchange(&mut self, line: u32, way: u32, old: Word, new: Word) -> bool {
        let same = self.word(line, way) == old;
        if same {
            self.put(line, way, new);
        }
        same
    }

    fn put(&mut self, line: u32, way: u32, new: Word) {
        if let Some(line) = self.lines.get_mut(line as usize) {
            line.0[way as usize % WAYS] = new.0;
        }
    }

    fn read_first_syn(&mut self, slot: u32, into: &mut FirstSyn) -> bool {
        self.first_syns.get(slot).map(|first| *into = *first).is_some()
    }

    fn write_first_syn(&mut self, slot: u32, first: &FirstSyn) {
        self.earliest_ns = self.earliest_ns.min(first.brief.seen_ns);
        self.first_syns.put(slot, first);
    }

    fn find(&mut self, key: &FlowKey, slot: u32) -> Option<u32> {
        self.flows.find(key, slot)
    }

    fn state(&self, entry: u32) -> State {
        self.flows.get(entry).map_or(State::Closed, state_of)
    }

    fn read(&mut self, entry: u32, _slot: u32, into: &mut Versioned) -> bool {
        #[cfg(test)]
        if self.others.are_writing() {
            return false;
        }
        self.flows.get(entry).map(|flow| into.flow = *flow).is_some()
    }

    fn write(&mut self, entry: u32, flow: &Versioned) -> bool {
        self.earliest_ns = self.earliest_ns.min(flow.flow.begun_ns);
        self.flows.get_mut(entry).map(|known| *known = flow.flow).is_some()
    }

    fn insert(&mut self, key: &FlowKey, slot: u32, flow: &mut Versioned, _now_ns: u64) -> bool {
        #[cfg(test)]
        if self.others.leave_no_room() {
            return false;
        }
        self.earliest_ns = self.earliest_ns.min(flow.flow.begun_ns);
        self.flows.insert(key, slot, &flow.flow)
    }

    fn claim(&mut self, _entry: u32, _flow: &Versioned) -> bool {
        true
    }

    fn disclaim(&mut self, _entry: u32, _flow: &Versioned) {}

    fn remove(&mut self, entry: u32, _key: &FlowKey, slot: u32) {
        self.flows.remove(entry, slot);
    }

    fn note_eviction(&mut self, line: u32, now_ns: u64) {
        if let Some(last) = self.evictions_ns.get_mut(line as usize) {
            *last = now_ns;
        }
    }

    fn last_eviction_ns(&self, line: u32) -> u64 {
        self.evictions_ns.get(line as usize).copied().unwrap_or(0)
    }

    fn watch_syn(&mut self, segment: &Segment, now_ns: u64) {
        self.victims.watch_syn(segment, now_ns);
    }

    fn tally(&mut self, responder: &VictimKey, tally: Tally, now_ns: u64) {
        self.victims.tally(responder, tally, now_ns);
    }

    fn may_report(&mut self, _responder: Option<&VictimKey>, _now_ns: u64) -> bool {
        // A capture is told in full.
        true
    }

    fn emit(&mut self, event: &Event) -> bool {
        self.events.push(*event);
        true
    }
}
