//! What the tracker stands on in the kernel: clock, totals, budget and ring buffer here, the flow
//! store in [`store`], the responders in [`victims`].

use aya_ebpf::helpers::bpf_ktime_get_ns;
use hs_common::flow::FlowKey;
use hs_common::shared::{Cpu, Role};
use hs_common::track::{Aged, Host, Scratch, Versioned};
use hs_common::victim::{TOTAL_BUDGET, Tally, VICTIM_BUDGET};
use hs_common::{Config, Counter, Counters, Event, Segment, Slot, VictimKey};

use crate::maps::{self, CPUS, EVENTS, REPLAYING};
use crate::verifier::masked;
use crate::{log, store, victims};

/// The kernel under one program run.
pub struct Kernel {
    cpu: *mut Cpu<Scratch>,
    role: Role,
}

impl Kernel {
    /// For XDP and tc programs.
    #[inline(always)]
    pub fn for_packets() -> Option<(Kernel, &'static mut Scratch)> {
        Kernel::new(Role::Packets)
    }

    /// For the sweep.
    #[inline(always)]
    pub fn for_sweeps() -> Option<(Kernel, &'static mut Scratch)> {
        Kernel::new(Role::Sweeps)
    }

    #[inline(always)]
    fn new(role: Role) -> Option<(Kernel, &'static mut Scratch)> {
        let cpu = CPUS.get_ptr_mut(role as u32)?;
        // SAFETY: the memory is this CPU's, and of this role's runs only one is under way on it, see
        // `Role`. `Kernel` itself touches the other fields only.
        let scratch = unsafe { &mut (*cpu).scratch };
        Some((Kernel { cpu, role }, scratch))
    }
}

impl Host for Kernel {
    type Entry = *mut Versioned;

    #[inline(always)]
    fn config(&self) -> &Config {
        maps::config()
    }

    #[inline(always)]
    fn now_ns(&self) -> u64 {
        if REPLAYING.load() != 0 {
            return maps::replay().map_or(0, |replay| replay.now_ns);
        }
        // SAFETY: a helper without arguments.
        unsafe { bpf_ktime_get_ns() }
    }

    #[inline(always)]
    fn watch_began_ns(&self) -> u64 {
        store::watch_began_ns()
    }

    #[inline(always)]
    fn count(&mut self, counter: Counter) {
        // SAFETY: this CPU's memory, see `Role`.
        unsafe { (*self.cpu).counters.0[Slot::of(counter).index()] += 1 };
    }

    #[inline(always)]
    fn count_at(&mut self, slot: Slot, change: i64) {
        let index = masked::<{ Counters::LEN - 1 }>(slot.index());
        // SAFETY: this CPU's memory, see `Role`; the mask keeps the index below the array's length.
        unsafe {
            let total = (&raw mut (*self.cpu).counters.0).cast::<u64>().add(index);
            *total = (*total).wrapping_add_signed(change);
        }
    }

    #[inline(always)]
    fn find(&mut self, key: &FlowKey) -> Option<*mut Versioned> {
        store::find(key)
    }

    #[inline(always)]
    fn is_closed(&self, entry: *mut Versioned) -> bool {
        store::is_closed(entry)
    }

    #[inline(always)]
    fn read(&mut self, entry: *mut Versioned, into: &mut Versioned) -> bool {
        store::read(entry, into)
    }

    #[inline(always)]
    fn write(&mut self, entry: *mut Versioned, flow: &Versioned) -> bool {
        store::write(entry, flow)
    }

    #[inline(always)]
    fn insert(&mut self, key: &FlowKey, flow: &mut Versioned) -> bool {
        store::insert(key, flow)
    }

    #[inline(always)]
    fn remove(&mut self, entry: *mut Versioned, key: &FlowKey, flow: &Versioned) -> bool {
        store::remove(entry, key, flow)
    }

    #[inline(always)]
    fn enqueue(&mut self, key: &FlowKey, begun_ns: u64, oldest: &mut Aged) -> bool {
        store::enqueue(key, begun_ns, oldest)
    }

    #[inline(always)]
    fn note_eviction(&mut self, now_ns: u64) {
        store::note_eviction(now_ns);
    }

    #[inline(always)]
    fn last_eviction_ns(&self) -> u64 {
        store::last_eviction_ns()
    }

    #[inline(always)]
    fn watch_syn(&mut self, segment: &Segment, now_ns: u64) {
        victims::watch_syn(segment, now_ns);
    }

    #[inline(always)]
    fn tally(&mut self, responder: &VictimKey, tally: Tally, now_ns: u64) {
        match self.role {
            Role::Packets => victims::tally(responder, tally, now_ns),
            Role::Sweeps => victims::tally_from_sweep(responder, tally),
        }
    }

    #[inline(always)]
    fn may_report(&mut self, responder: Option<&VictimKey>, now_ns: u64) -> bool {
        if self.config().thin_events == 0 {
            return true;
        }
        if let Some(responder) = responder
            && !victims::may_report(responder, &VICTIM_BUDGET, now_ns)
        {
            return false;
        }
        // SAFETY: this CPU's memory.
        unsafe { TOTAL_BUDGET.take(&mut (*self.cpu).bucket_ns, &mut (*self.cpu).bucket_tokens, now_ns) }
    }

    #[inline(always)]
    fn emit(&mut self, event: &Event) -> bool {
        log::event(event);
        EVENTS.output(event, 0).is_ok()
    }
}
