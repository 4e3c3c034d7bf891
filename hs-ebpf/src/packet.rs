//! Access to packet memory: the only pointer code on packets. Every pointer is compared with the
//! end of the packet before it is read, in the form that the verifier recognises.

use aya_ebpf::programs::{TcContext, XdpContext};
use hs_common::packet::{Header, Packet};
use hs_common::parse::Link;
use hs_common::shared::Replay;
use hs_common::{Segment, Unparsed};

use crate::maps;
use crate::verifier::{forget, forgotten, hidden, repeat};

/// Offsets beyond this are not followed: the verifier wants packet offsets below 64 KiB, and all
/// headers together are shorter.
const MAX_OFFSET: usize = 0x3fff;

/// The linear part of a packet.
#[derive(Clone, Copy)]
pub struct Linear {
    start: usize,
    end: usize,
    on_wire: usize,
}

impl Linear {
    /// The packet of an XDP program. Of a multi-buffer one, its first buffer: drivers put at least
    /// the headers there.
    #[inline(always)]
    pub fn of_xdp(ctx: &XdpContext) -> Linear {
        Linear { start: ctx.data(), end: ctx.data_end(), on_wire: ctx.data_end() - ctx.data() }
    }

    /// The packet of a tc program.
    #[inline(always)]
    pub fn of_skb(ctx: &TcContext) -> Linear {
        Linear { start: ctx.data(), end: ctx.data_end(), on_wire: ctx.len() as usize }
    }
}

impl Linear {
    /// The reason, if a header was missing because it lies in another part of the skb.
    #[inline(always)]
    pub fn why_unparsed(&self, why: Unparsed) -> Unparsed {
        match why {
            Unparsed::ShortFrame | Unparsed::IpTruncated if self.end - self.start < self.on_wire => {
                Unparsed::NotLinear
            }
            _ => why,
        }
    }
}

impl Packet for Linear {
    type Header<const N: usize> = Bytes<N>;

    #[inline(always)]
    fn header<const N: usize>(&self, offset: usize) -> Option<Bytes<N>> {
        if offset > MAX_OFFSET {
            return None;
        }
        // Opaque to the compiler: it would turn the comparison into `start > end - N`, and the
        // verifier refuses arithmetic on the end of a packet.
        let start = hidden(self.start + offset);
        let limit = hidden(start + N);
        if limit > self.end {
            return None;
        }
        Some(Bytes(start as *const u8))
    }

    #[inline(always)]
    fn on_wire(&self) -> usize {
        self.on_wire
    }

    #[inline(always)]
    fn repeat<F: FnMut() -> bool>(times: u32, step: F) {
        repeat(times, step);
    }

    #[inline(always)]
    fn settle(&self, value: usize) -> usize {
        forgotten::<MAX_OFFSET>(value, self.end - self.start)
    }

    #[inline(always)]
    fn forget(&self, value: usize) -> usize {
        forget(value as u64, (self.end - self.start) as u64) as usize
    }
}

/// `N` bytes of packet memory that were compared with the packet's end.
#[derive(Clone, Copy)]
pub struct Bytes<const N: usize>(*const u8);

macro_rules! load {
    ($name:ident, $type:ty, $convert:path) => {
        #[inline(always)]
        fn $name(self, at: usize) -> $type {
            if at + size_of::<$type>() > N {
                return 0;
            }
            // SAFETY: `header` compared the `N` bytes with the packet's end, and the offset lies
            // within them. Packet memory stays in place for the run of the program.
            $convert(unsafe { self.0.add(at).cast::<$type>().read_unaligned() })
        }
    };
}

impl<const N: usize> Header for Bytes<N> {
    load!(u8, u8, core::convert::identity);
    load!(be16, u16, u16::from_be);
    load!(be32, u32, u32::from_be);
    load!(ne32, u32, core::convert::identity);
    load!(ne64, u64, core::convert::identity);
}

/// The VLAN tag that hardware or the stack took off the frame into the skb.
#[inline(always)]
pub fn stripped_vlan(ctx: &TcContext) -> Option<u16> {
    // SAFETY: the context is valid for the run of the program.
    let skb = unsafe { &*ctx.skb.skb };
    (skb.vlan_present != 0).then_some(skb.vlan_tci as u16)
}

/// Puts that tag before those of the frame.
#[inline(always)]
pub fn push_stripped_vlan(ctx: &TcContext, segment: &mut Segment) {
    if let Some(tci) = stripped_vlan(ctx) {
        segment.vlan = segment.vlan.push_outer(tci);
    }
}

/// Whether a frame comes without its Ethernet header: by tc, where generic XDP had it copied before (veth, seen on
/// Linux 6.18; the copy seems not to know the header's length). The stack knows the protocol all the same; in a whole
/// frame it is the Ethernet type.
#[inline(always)]
pub fn lacks_ethernet(ctx: &TcContext, packet: &Linear) -> bool {
    const ETHERTYPE: usize = 12;
    // SAFETY: the context is valid for the run of the program.
    let protocol = u16::from_be(unsafe { (*ctx.skb.skb).protocol } as u16);
    let Some(head) = packet.header::<{ ETHERTYPE + 2 }>(0) else { return false };
    let version = head.u8(0) >> 4;
    (protocol == 0x0800 && version == 4 || protocol == 0x86dd && version == 6)
        && !matches!(head.be16(ETHERTYPE), 0x0800 | 0x86dd | 0x8100 | 0x88a8)
}

/// A packet of a capture: padded to what the kernel takes, with its true length beside it.
#[derive(Clone, Copy)]
pub struct Replayed {
    linear: Linear,
    captured: usize,
    link: u32,
}

impl Replayed {
    /// The packet of this run, if user space has told about it.
    #[inline(always)]
    pub fn of(ctx: &XdpContext) -> Option<Replayed> {
        let replay: &Replay = maps::replay()?;
        let linear = Linear { on_wire: replay.on_wire as usize, ..Linear::of_xdp(ctx) };
        Some(Replayed { linear, captured: replay.captured as usize, link: replay.link })
    }

    /// The link type.
    #[inline(always)]
    pub fn link(&self) -> Link {
        Link::from_code(self.link)
    }
}

impl Packet for Replayed {
    type Header<const N: usize> = Bytes<N>;

    #[inline(always)]
    fn header<const N: usize>(&self, offset: usize) -> Option<Bytes<N>> {
        if offset + N > self.captured { None } else { self.linear.header(offset) }
    }

    #[inline(always)]
    fn on_wire(&self) -> usize {
        self.linear.on_wire
    }

    #[inline(always)]
    fn repeat<F: FnMut() -> bool>(times: u32, step: F) {
        repeat(times, step);
    }

    #[inline(always)]
    fn settle(&self, value: usize) -> usize {
        self.linear.settle(value)
    }

    #[inline(always)]
    fn forget(&self, value: usize) -> usize {
        self.linear.forget(value)
    }
}
