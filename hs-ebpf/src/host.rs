//! What the tracker stands on in the kernel: clock, totals, budget and ring buffer here, the flow
//! store in [`store`], the responders in [`victims`].

use aya_ebpf::EbpfContext;
use aya_ebpf::btf_maps::ProgramArray;
use aya_ebpf::helpers::{bpf_get_smp_processor_id, bpf_ktime_get_ns};
use hs_common::flow::FlowKey;
use hs_common::shared::{Cpu, Role};
use hs_common::syn_cache::{FirstSyn, HashKey, Line, State, Word};
use hs_common::track::{Host, Scratch, Versioned};
use hs_common::victim::{Tally, VICTIM_BUDGET};
use hs_common::{Config, Counter, Counters, Event, Segment, Slot, VictimKey};

use crate::maps::{self, CPUS, EVENTS, REPLAYING};
use crate::verifier::{greater, hidden, masked, repeat};
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

impl Kernel {
    /// Goes on in the program behind the jump. Comes back only if there is none, or after more jumps than the kernel allows
    /// (33, MAX_TAIL_CALL_CNT): then the segment was lost, which is counted.
    #[inline(always)]
    pub fn jump<C: EbpfContext>(&mut self, to: &ProgramArray<1>, ctx: &C) {
        // SAFETY: nothing is left to be dropped.
        unsafe { to.tail_call(ctx, 0) };
        self.count(Counter::FlowsContended);
    }

    /// [`Host::now_ns`].
    #[inline(always)]
    pub fn clock_ns(&self) -> u64 {
        self.now_ns()
    }
}

impl Host for Kernel {
    type Line = *mut Line;
    type Entry = *mut Versioned;

    #[inline(always)]
    fn config(&self) -> &Config {
        maps::config()
    }

    #[inline(always)]
    fn hash_key(&self) -> &HashKey {
        maps::hash_key()
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
    fn line(&mut self, number: u32) -> Option<*mut Line> {
        store::line(number)
    }

    /// By a load that nothing waits for.
    #[inline(always)]
    fn fetch(&mut self, number: u32) {
        if let Some(line) = store::line(number) {
            store::word(line, 0);
        }
    }

    #[inline(always)]
    fn word(&self, line: *mut Line, way: u32) -> Word {
        store::word(line, way)
    }

    #[inline(always)]
    fn tag(&self, line: *mut Line, way: u32) -> u32 {
        store::tag(line, way)
    }

    #[inline(always)]
    fn low_half(&self, line: *mut Line, way: u32) -> u32 {
        store::low_half(line, way)
    }

    #[inline(always)]
    fn exchange(&mut self, line: *mut Line, way: u32, old: Word, new: Word) -> bool {
        store::exchange(line, way, old, new)
    }

    #[inline(always)]
    fn put(&mut self, line: *mut Line, way: u32, new: Word) {
        store::put(line, way, new);
    }

    #[inline(always)]
    fn read_first_syn(&mut self, slot: u32, into: &mut FirstSyn) -> bool {
        store::read_first_syn(slot, into)
    }

    #[inline(always)]
    fn write_first_syn(&mut self, slot: u32, first: &FirstSyn) {
        store::write_first_syn(slot, first);
    }

    #[inline(always)]
    fn find(&mut self, key: &FlowKey, _slot: u32) -> Option<*mut Versioned> {
        store::find(key)
    }

    #[inline(always)]
    fn state(&self, entry: *mut Versioned) -> State {
        store::state(entry)
    }

    #[inline(always)]
    fn read(&mut self, entry: *mut Versioned, slot: u32, into: &mut Versioned) -> bool {
        store::read(entry, slot, into)
    }

    #[inline(always)]
    fn write(&mut self, entry: *mut Versioned, flow: &Versioned) -> bool {
        store::write(entry, flow)
    }

    #[inline(always)]
    fn insert(&mut self, key: &FlowKey, slot: u32, flow: &mut Versioned, now_ns: u64) -> bool {
        store::insert(key, slot, flow, now_ns)
    }

    #[inline(always)]
    fn claim(&mut self, entry: *mut Versioned, flow: &Versioned) -> bool {
        store::claim(entry, flow)
    }

    #[inline(always)]
    fn disclaim(&mut self, entry: *mut Versioned, flow: &Versioned) {
        store::disclaim(entry, flow);
    }

    #[inline(always)]
    fn remove(&mut self, _entry: *mut Versioned, key: &FlowKey, _slot: u32) {
        store::remove(key);
    }

    #[inline(always)]
    fn note_eviction(&mut self, line: u32, now_ns: u64) {
        store::note_eviction(line, now_ns);
    }

    #[inline(always)]
    fn last_eviction_ns(&self, line: u32) -> u64 {
        store::last_eviction_ns(line)
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
        unsafe {
            maps::total_budget().take(&mut (*self.cpu).bucket_ns, &mut (*self.cpu).bucket_tokens, now_ns)
        }
    }

    #[inline(always)]
    fn emit(&mut self, event: &Event) -> bool {
        log::event(event);
        // SAFETY: a helper without arguments.
        let cpu = unsafe { bpf_get_smp_processor_id() };
        EVENTS.get(cpu).is_some_and(|ring| ring.output(event, 0).is_ok())
    }

    #[inline(always)]
    fn meet() {
        // SAFETY: nothing is done. The compiler has to assume that all memory was written.
        unsafe { core::arch::asm!("") };
    }

    #[inline(always)]
    fn wait(&mut self, rounds: u32) {
        repeat(rounds, || true);
    }

    #[inline(always)]
    fn repeat<F: FnMut() -> bool>(times: u32, step: F) {
        repeat(times, step);
    }

    #[inline(always)]
    fn greater(a: u64, b: u64) -> u64 {
        greater(a, b)
    }

    #[inline(always)]
    fn hide(value: u64) -> u64 {
        hidden(value as usize) as u64
    }
}
