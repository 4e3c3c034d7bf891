//! The kernel side of hs-mon: entry points only. They wire the packet of a hook to the engine of
//! `hs-common`, and let every packet pass.
//!
//! hook → [`packet`] → `hs_common::track::pass`, or `hs_common::parse` → `hs_common::track` over [`host`]; a segment that may
//! change a handshake jumps to `hs_follow_xdp` or `hs_follow_tc` → ring buffer
#![no_std]
#![no_main]
#![feature(asm_experimental_arch)]
#![expect(missing_docs, reason = "the macros of aya make public functions without documentation")]

mod atomic;
mod host;
mod log;
mod maps;
mod packet;
mod store;
mod verifier;
mod victims;

use aya_ebpf::bindings::{TC_ACT_UNSPEC, xdp_action};
use aya_ebpf::macros::{classifier, xdp};
use aya_ebpf::programs::{TcContext, XdpContext};
use hs_common::flow::Hook;
use hs_common::parse::{Link, parse};
use hs_common::track::{Passed, Place, follow, pass, track};

use crate::host::Kernel;
use crate::maps::{FOLLOW_TC, FOLLOW_XDP};
use crate::packet::{Linear, Replayed};

/// Ingress of an interface with Ethernet headers.
#[xdp(frags)]
pub fn hs_xdp(ctx: XdpContext) -> u32 {
    if let Some((mut kernel, scratch)) = Kernel::for_packets() {
        let packet = Linear::of_xdp(&ctx);
        let passed = pass(&mut kernel, &packet, scratch);
        let concerned = if passed == Passed::NotAtAll {
            let parsed = parse(&packet, Link::Ethernet, &mut scratch.segment);
            track(&mut kernel, scratch, parsed)
        } else {
            passed == Passed::Concerned
        };
        if concerned {
            // SAFETY: the context is valid for the run of the program.
            let ifindex = unsafe { (*ctx.ctx).ingress_ifindex };
            scratch.see(Place { ifindex, hook: Hook::Ingress });
            kernel.jump(&FOLLOW_XDP, &ctx);
        }
    }
    xdp_action::XDP_PASS
}

/// Ingress where XDP can't be attached.
#[classifier]
pub fn hs_tc_ingress(ctx: TcContext) -> i32 {
    classify(&ctx, Link::Ethernet, Hook::Ingress)
}

/// Egress: what XDP never sees.
#[classifier]
pub fn hs_tc_egress(ctx: TcContext) -> i32 {
    classify(&ctx, Link::Ethernet, Hook::Egress)
}

/// Ingress of a device without link-layer header (tun, WireGuard).
#[classifier]
pub fn hs_tc_ingress_l3(ctx: TcContext) -> i32 {
    classify(&ctx, Link::RawIp, Hook::Ingress)
}

/// Egress of a device without link-layer header.
#[classifier]
pub fn hs_tc_egress_l3(ctx: TcContext) -> i32 {
    classify(&ctx, Link::RawIp, Hook::Egress)
}

#[inline(always)]
fn classify(ctx: &TcContext, link: Link, hook: Hook) -> i32 {
    if let Some((mut kernel, scratch)) = Kernel::for_packets() {
        let packet = Linear::of_skb(ctx);
        let short = matches!(link, Link::Ethernet)
            && (maps::config().vlan_aware == 0 || packet::stripped_vlan(ctx).is_none());
        let passed = if short { pass(&mut kernel, &packet, scratch) } else { Passed::NotAtAll };
        if passed == Passed::Concerned {
            packet::push_stripped_vlan(ctx, &mut scratch.segment);
        }
        let concerned = if passed == Passed::NotAtAll {
            let begins = if packet::lacks_ethernet(ctx, &packet) { Link::RawIp } else { link };
            let parsed = parse(&packet, begins, &mut scratch.segment);
            let parsed = parsed.map_err(|why| packet.why_unparsed(why));
            packet::push_stripped_vlan(ctx, &mut scratch.segment);
            track(&mut kernel, scratch, parsed)
        } else {
            passed == Passed::Concerned
        };
        if concerned {
            // Not before it is needed: it lies in the device's memory.
            // SAFETY: the context is valid for the run of the program.
            let ifindex = unsafe { (*ctx.skb.skb).ifindex };
            scratch.see(Place { ifindex, hook });
            kernel.jump(&FOLLOW_TC, ctx);
        }
    }
    // Neither accepts nor drops: the next program or qdisc decides (TC_ACT_UNSPEC, linux/pkt_cls.h).
    TC_ACT_UNSPEC
}

/// One packet of a capture, by `BPF_PROG_TEST_RUN`: link type, length and time come with it.
#[xdp(frags)]
pub fn hs_replay(ctx: XdpContext) -> u32 {
    if let Some(packet) = Replayed::of(&ctx)
        && let Some((mut kernel, scratch)) = Kernel::for_packets()
    {
        let short = matches!(packet.link(), Link::Ethernet);
        let passed = if short { pass(&mut kernel, &packet, scratch) } else { Passed::NotAtAll };
        let concerned = if passed == Passed::NotAtAll {
            let parsed = parse(&packet, packet.link(), &mut scratch.segment);
            track(&mut kernel, scratch, parsed)
        } else {
            passed == Passed::Concerned
        };
        if concerned {
            scratch.see(Place::CAPTURE);
            kernel.jump(&FOLLOW_XDP, &ctx);
        }
    }
    xdp_action::XDP_PASS
}

/// Where a segment that may change its flow goes on, from any XDP program.
#[xdp(frags)]
#[inline(always)]
pub fn hs_follow_xdp(ctx: XdpContext) -> u32 {
    if let Some((mut kernel, scratch)) = Kernel::for_packets()
        && follow(&mut kernel, scratch)
    {
        kernel.jump(&FOLLOW_XDP, &ctx);
    }
    xdp_action::XDP_PASS
}

/// And from any tc program.
#[classifier]
#[inline(always)]
pub fn hs_follow_tc(ctx: TcContext) -> i32 {
    if let Some((mut kernel, scratch)) = Kernel::for_packets()
        && follow(&mut kernel, scratch)
    {
        kernel.jump(&FOLLOW_TC, &ctx);
    }
    TC_ACT_UNSPEC
}

/// Holds the place of an XDP program that is still being loaded.
#[xdp(frags)]
pub fn hs_hold_xdp(_ctx: XdpContext) -> u32 {
    xdp_action::XDP_PASS
}

/// Holds the place of a tc program.
#[classifier]
pub fn hs_hold_tc(_ctx: TcContext) -> i32 {
    TC_ACT_UNSPEC
}

/// Ends the next handshake whose timeout has passed, by `BPF_PROG_TEST_RUN` from user space, until the
/// pass is through: then it returns 0, before that 1. A tc program, for a test run of an XDP program may
/// patch the kernel's XDP dispatcher, which takes milliseconds.
#[classifier]
pub fn hs_sweep(_ctx: TcContext) -> i32 {
    let more =
        Kernel::for_sweeps().is_some_and(|(mut kernel, scratch)| store::sweep_some(&mut kernel, scratch));
    i32::from(more)
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
