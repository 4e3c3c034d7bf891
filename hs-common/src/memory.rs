//! The tracker in ordinary memory: what `replay`, the tests and the fuzzers stand on.

use std::collections::HashMap;

use crate::flow::{Flow, FlowKey};
use crate::handshake::Expiry;
use crate::packet::Packet;
use crate::parse::{Link, parse};
use crate::track::{self, Aged, Host, Place, Scratch, Versioned};
use crate::victim::Tally;
use crate::{Config, Counter, Counters, Event, Segment, Slot, VictimKey};

mod victims;

pub use victims::{SEED, Victims};

/// Tracks the packets of a capture. Memory is bounded by [`Config::max_flows`].
#[derive(Debug)]
pub struct Tracker {
    host: Memory,
    scratch: Box<Scratch>,
}

impl Tracker {
    /// A tracker that has seen nothing.
    pub fn new(config: Config) -> Tracker {
        Tracker { host: Memory::new(config), scratch: Box::new(Scratch::EMPTY) }
    }

    /// One packet, seen at `now_ns`. A clock that runs back makes timeouts late and nothing worse.
    pub fn track(&mut self, packet: &impl Packet, link: Link, place: Place, now_ns: u64) {
        self.host.now_ns = now_ns;
        let parsed = parse(packet, link, None, &mut self.scratch.segment);
        track::track(&mut self.host, &mut self.scratch, parsed, place);
    }

    /// One segment that needs no parsing.
    pub fn track_segment(&mut self, segment: Segment, place: Place, now_ns: u64) {
        self.host.now_ns = now_ns;
        self.scratch.segment = segment;
        track::track(&mut self.host, &mut self.scratch, Ok(()), place);
    }

    /// Ends the handshakes whose timeout has passed.
    pub fn sweep(&mut self, now_ns: u64) {
        while let Some(aged) = self.host.next_aged() {
            if !self.is_due(&aged, now_ns) {
                break;
            }
            self.give_up(&aged, Expiry::Timeout, now_ns);
        }
    }

    /// Ends every handshake: the capture is over.
    pub fn finish(&mut self, now_ns: u64) {
        while let Some(aged) = self.host.next_aged() {
            let why = if self.is_due(&aged, now_ns) { Expiry::Timeout } else { Expiry::Shutdown };
            self.give_up(&aged, why, now_ns);
        }
    }

    /// When the next timeout is due; `None` if nothing is waited for.
    pub fn next_due_ns(&self) -> Option<u64> {
        self.host.next_aged().map(|aged| aged.begun_ns.saturating_add(self.host.config.half_open_ns))
    }

    fn is_due(&self, aged: &Aged, now_ns: u64) -> bool {
        aged.begun_ns.saturating_add(self.host.config.half_open_ns) <= now_ns
    }

    fn give_up(&mut self, aged: &Aged, why: Expiry, now_ns: u64) {
        self.host.swept += 1;
        track::give_up_aged(&mut self.host, &mut self.scratch, aged, why, now_ns);
    }

    /// Takes the events since the last call.
    pub fn drain(&mut self) -> std::vec::Drain<'_, Event> {
        self.host.events.drain(..)
    }

    /// Flows that are remembered: [`Config::max_flows`] at the most.
    pub fn remembered(&self) -> usize {
        self.host.index.len()
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
    index: HashMap<FlowKey, u32>,
    flows: Vec<Flow>,
    free: Vec<u32>,
    ages: Vec<Aged>,
    head: u64,
    swept: u64,
    last_eviction_ns: u64,
    victims: Victims,
    events: Vec<Event>,
}

impl Memory {
    fn new(config: Config) -> Memory {
        Memory {
            config,
            now_ns: 0,
            counters: Counters::ZERO,
            index: HashMap::new(),
            flows: Vec::new(),
            free: Vec::new(),
            ages: Vec::new(),
            head: 0,
            swept: 0,
            last_eviction_ns: 0,
            victims: Victims::default(),
            events: Vec::new(),
        }
    }

    /// The oldest handshake whose timeout was not seen to yet.
    fn next_aged(&self) -> Option<Aged> {
        if self.swept == self.head {
            return None;
        }
        self.ages.get(self.place(self.swept)).copied()
    }

    fn place(&self, position: u64) -> usize {
        (position % u64::from(self.config.max_flows)) as usize
    }
}

impl Host for Memory {
    type Entry = u32;

    fn config(&self) -> &Config {
        &self.config
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

    fn find(&mut self, key: &FlowKey) -> Option<u32> {
        self.index.get(key).copied()
    }

    fn is_closed(&self, entry: u32) -> bool {
        self.flows.get(entry as usize).is_some_and(Flow::is_closed)
    }

    fn read(&mut self, entry: u32, into: &mut Versioned) -> bool {
        self.flows.get(entry as usize).map(|flow| into.flow = *flow).is_some()
    }

    fn write(&mut self, entry: u32, flow: &Versioned) -> bool {
        self.flows.get_mut(entry as usize).map(|place| *place = flow.flow).is_some()
    }

    fn insert(&mut self, key: &FlowKey, flow: &mut Versioned) -> bool {
        let entry = match self.free.pop() {
            Some(entry) => entry,
            None => {
                self.flows.push(Flow::EMPTY);
                (self.flows.len() - 1) as u32
            }
        };
        self.index.insert(*key, entry);
        self.write(entry, flow)
    }

    fn remove(&mut self, entry: u32, key: &FlowKey, _flow: &Versioned) -> bool {
        self.index.remove(key);
        self.free.push(entry);
        true
    }

    fn enqueue(&mut self, key: &FlowKey, begun_ns: u64, oldest: &mut Aged) -> bool {
        let place = self.place(self.head);
        let aged = Aged { key: *key, begun_ns };
        self.head += 1;
        match self.ages.get_mut(place) {
            Some(slot) => {
                *oldest = *slot;
                *slot = aged;
                self.swept = self.swept.max(self.head - u64::from(self.config.max_flows));
                true
            }
            None => {
                self.ages.push(aged);
                false
            }
        }
    }

    fn note_eviction(&mut self, now_ns: u64) {
        self.last_eviction_ns = now_ns;
    }

    fn last_eviction_ns(&self) -> u64 {
        self.last_eviction_ns
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
