//! The first SYNs, and the flow table, in ordinary memory: both by slot of the SYN cache.

use super::ahead::fetch;
use crate::flow::{Flow, FlowKey};
use crate::syn_cache::FirstSyn;

/// Records of one page: 16 KiB.
const PAGE: usize = 256;

/// Each record is one line of the CPU's cache.
#[derive(Clone, Debug)]
#[repr(align(64))]
struct Page([FirstSyn; PAGE]);

/// The first SYNs, in pages that are made when they are first needed: a short capture needs few.
#[derive(Debug)]
pub(super) struct FirstSyns(Vec<Option<Box<Page>>>);

impl FirstSyns {
    pub(super) fn new(slots: usize) -> FirstSyns {
        FirstSyns(vec![None; slots.div_ceil(PAGE)])
    }

    pub(super) fn get(&self, slot: u32) -> Option<&FirstSyn> {
        let page = self.0.get(slot as usize / PAGE)?.as_deref()?;
        Some(&page.0[slot as usize % PAGE])
    }

    pub(super) fn put(&mut self, slot: u32, first: &FirstSyn) {
        if let Some(page) = self.0.get_mut(slot as usize / PAGE) {
            let page = page.get_or_insert_with(|| Box::new(Page([FirstSyn::EMPTY; PAGE])));
            page.0[slot as usize % PAGE] = *first;
        }
    }
}

/// No flow.
const NONE: u32 = 0;

/// The flow table. As long as it has flows, and no longer: few captures have as many as there are slots.
#[derive(Debug)]
pub(super) struct Flows {
    /// For each slot the flow's place in `entries` plus one, or [`NONE`].
    places: Vec<u32>,
    entries: Vec<(FlowKey, Flow)>,
    /// Places that were left; the last one first, for it is in the CPU's cache.
    free: Vec<u32>,
}

impl Flows {
    pub(super) fn new(slots: usize) -> Flows {
        Flows { places: vec![NONE; slots], entries: Vec::new(), free: Vec::new() }
    }

    /// Where it stands which flow a slot has.
    pub(super) fn place_of(&self, slot: u32) -> Option<&u32> {
        self.places.get(slot as usize)
    }

    /// Asks for a slot's flow, without waiting for it.
    pub(super) fn fetch(&self, slot: u32) {
        let entry = self.place_of(slot).and_then(|place| self.entries.get(place.checked_sub(1)? as usize));
        if let Some((key, flow)) = entry {
            fetch(key);
            fetch(flow);
            fetch(&flow.outcome);
        }
    }

    pub(super) fn find(&self, key: &FlowKey, slot: u32) -> Option<u32> {
        let place = self.place_of(slot)?.checked_sub(1)?;
        self.entries.get(place as usize).filter(|(known, _)| is_same(known, key)).map(|_| place)
    }

    pub(super) fn get(&self, place: u32) -> Option<&Flow> {
        self.entries.get(place as usize).map(|(_, flow)| flow)
    }

    pub(super) fn get_mut(&mut self, place: u32) -> Option<&mut Flow> {
        self.entries.get_mut(place as usize).map(|(_, flow)| flow)
    }

    pub(super) fn insert(&mut self, key: &FlowKey, slot: u32, flow: &Flow) -> bool {
        let Some(known) = self.places.get_mut(slot as usize) else { return false };
        let place = self.free.pop().unwrap_or(self.entries.len() as u32);
        match self.entries.get_mut(place as usize) {
            Some(entry) => *entry = (*key, *flow),
            None => self.entries.push((*key, *flow)),
        }
        *known = place + 1;
        true
    }

    pub(super) fn remove(&mut self, place: u32, slot: u32) {
        self.free.push(place);
        if let Some(known) = self.places.get_mut(slot as usize) {
            *known = NONE;
        }
    }
}

/// Word by word: the derived comparison of 40 bytes is a call.
#[inline(always)]
fn is_same(one: &FlowKey, other: &FlowKey) -> bool {
    one.low.low == other.low.low
        && one.high.low == other.high.low
        && one.low_port == other.low_port
        && one.high_port == other.high_port
        && one.low.high == other.low.high
        && one.high.high == other.high.high
        && one.vlan == other.vlan
}
