//! What hs-mon is measured against: programs that do less, of the same compiler, and the shuffler that goes
//! before all of them and before hs-mon's own. Only the bench loads them.
#![no_std]
#![no_main]
#![expect(missing_docs, reason = "the macros of aya make public functions without documentation")]

#[allow(dead_code, reason = "user space, which includes the file too, uses the rest")]
mod course;
mod parse;
mod shuffle;

use aya_ebpf::EbpfContext;
use aya_ebpf::bindings::{TC_ACT_UNSPEC, xdp_action};
use aya_ebpf::btf_maps::{LruHashMap, PerCpuArray, ProgramArray};
use aya_ebpf::helpers::bpf_ktime_get_ns;
use aya_ebpf::macros::{btf_map, classifier, xdp};
use aya_ebpf::programs::{TcContext, XdpContext};

use course::{Course, target};
use parse::{Flow, Key4, Key6, Segment, parse};

/// As many flows as hs-mon remembers by default; a row of the bench may want others.
const FLOWS: usize = 131_072;

/// What is kept of a flow: its first SYN's time and sequence number, as one would need them.
#[repr(C)]
struct Seen {
    time_ns: u64,
    number: u64,
}

#[btf_map]
static COURSE: PerCpuArray<Course, 1> = PerCpuArray::new();
/// Programs by [`target`]. One table for each kind of program: the kernel lets a table hold one only.
#[btf_map]
static JUMPS_XDP: ProgramArray<{ target::COUNT_OF }> = ProgramArray::new();
#[btf_map]
static JUMPS_TC: ProgramArray<{ target::COUNT_OF }> = ProgramArray::new();
/// Packets without a segment, and with one.
#[btf_map]
static COUNTS: PerCpuArray<u64, 2> = PerCpuArray::new();
#[btf_map]
static SEEN_V4: LruHashMap<Key4, Seen, FLOWS> = LruHashMap::new();
#[btf_map]
static SEEN_V6: LruHashMap<Key6, Seen, FLOWS> = LruHashMap::new();

/// What a packet goes through. With multi-buffer packets, as hs-mon's: a table of jumps does not mix.
#[xdp(frags)]
pub fn shuffle_xdp(ctx: XdpContext) -> u32 {
    if let Some(target) = shuffled(ctx.data(), ctx.data_end()) {
        // SAFETY: nothing is left to be dropped.
        unsafe { JUMPS_XDP.tail_call(&ctx, target) };
    }
    xdp_action::XDP_ABORTED
}

#[classifier]
pub fn shuffle_tc(ctx: TcContext) -> i32 {
    if let Some(target) = shuffled(ctx.data(), ctx.data_end()) {
        // SAFETY: nothing is left to be dropped.
        unsafe { JUMPS_TC.tail_call(&ctx, target) };
    }
    0
}

#[inline(always)]
fn shuffled(start: usize, end: usize) -> Option<u32> {
    let course = COURSE.get_ptr_mut(0)?;
    // SAFETY: this CPU's own; test runs do not interrupt each other, and user space writes between them.
    let course = unsafe { &mut *course };
    shuffle::shuffle(course, start, end);
    Some(course.target)
}

macro_rules! programs {
    ($($xdp:ident, $tc:ident => $work:expr;)+) => {$(
        #[xdp(frags)]
        pub fn $xdp(ctx: XdpContext) -> u32 {
            $work(&ctx, ctx.data(), ctx.data_end());
            xdp_action::XDP_PASS
        }

        #[classifier]
        pub fn $tc(ctx: TcContext) -> i32 {
            $work(&ctx, ctx.data(), ctx.data_end());
            TC_ACT_UNSPEC
        }
    )+};
}

programs! {
    pass_xdp, pass_tc => pass;
    count_xdp, count_tc => count;
    lookup_xdp, lookup_tc => lookup;
    update_xdp, update_tc => update;
    follow_xdp, follow_tc => follow;
}

#[inline(always)]
fn pass<C: EbpfContext>(_ctx: &C, _start: usize, _end: usize) {}

#[inline(always)]
fn count<C: EbpfContext>(_ctx: &C, start: usize, end: usize) {
    let found = parse(start, end).is_some();
    bump(found);
}

#[inline(always)]
fn lookup<C: EbpfContext>(_ctx: &C, start: usize, end: usize) {
    bump(parse(start, end).is_some_and(|segment| is_known(segment.flow)));
}

#[inline(always)]
fn update<C: EbpfContext>(_ctx: &C, start: usize, end: usize) {
    bump(parse(start, end).is_some_and(|segment| remember(segment.flow)));
}

/// What an ordinary connection monitor can't do without: a flow enters the table with its SYN, and is looked for
/// with each segment after that.
#[inline(always)]
fn follow<C: EbpfContext>(_ctx: &C, start: usize, end: usize) {
    let known = match parse(start, end) {
        Some(Segment { flow, has_syn: true }) => remember(flow),
        Some(Segment { flow, has_syn: false }) => is_known(flow),
        None => false,
    };
    bump(known);
}

#[inline(always)]
fn is_known(flow: Flow) -> bool {
    match flow {
        Flow::V4(key) => SEEN_V4.get_ptr(key).is_some(),
        Flow::V6(key) => SEEN_V6.get_ptr(key).is_some(),
    }
}

#[inline(always)]
fn remember(flow: Flow) -> bool {
    // SAFETY: a helper without arguments.
    let seen = |number| Seen { time_ns: unsafe { bpf_ktime_get_ns() }, number };
    match flow {
        Flow::V4(key) => SEEN_V4.insert(key, seen(4), 0).is_ok(),
        Flow::V6(key) => SEEN_V6.insert(key, seen(6), 0).is_ok(),
    }
}

#[inline(always)]
fn bump(yes: bool) {
    if let Some(count) = COUNTS.get_ptr_mut(u32::from(yes)) {
        // SAFETY: this CPU's own.
        unsafe { *count += 1 };
    }
}

#[panic_handler]
fn panic(_info: &core::panic::PanicInfo<'_>) -> ! {
    // No path of the programs panics; the verifier would refuse the loop if one did.
    loop {}
}

/// The kernel lends some helpers only to programs under the GPL or compatible.
#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";
