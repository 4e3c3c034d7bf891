//! Access to the bytes of a packet: the one thing that differs between the kernel and user space.

/// The bytes of one packet. A reader asks for a whole header at once, so that the kernel checks the
/// packet's bounds once a header (the verifier demands it) and not once a field.
pub trait Packet {
    /// A header that lies within the packet.
    type Header<const N: usize>: Header;

    /// `N` bytes from `offset`, or `None` if the packet ends before.
    fn header<const N: usize>(&self, offset: usize) -> Option<Self::Header<N>>;

    /// Bytes that the packet had on the wire.
    fn on_wire(&self) -> usize;

    /// Calls `step` until it returns `false`, at most `times` times. The kernel's way costs the verifier
    /// one look at the body; a loop costs one for each round.
    #[inline(always)]
    fn repeat<F: FnMut() -> bool>(times: u32, mut step: F) {
        for _ in 0..times {
            if !step() {
                return;
            }
        }
    }

    /// The same value, below 2^14, of which the verifier no longer knows how it came about. Paths that
    /// meet then look alike to it, and it follows only one of them: without this its work multiplies.
    #[inline(always)]
    fn settle(&self, value: usize) -> usize {
        value
    }

    /// The same for a value that is no offset, and may be of any size.
    #[inline(always)]
    fn forget(&self, value: usize) -> usize {
        value
    }
}

/// Fields of a header, by offset. Reading past the `N` bytes asked for is a mistake in the caller:
/// it yields 0 in user space, and the verifier refuses it in the kernel.
pub trait Header: Copy {
    /// One byte.
    fn u8(self, at: usize) -> u8;
    /// Two bytes, most significant first.
    fn be16(self, at: usize) -> u16;
    /// Four bytes, most significant first.
    fn be32(self, at: usize) -> u32;
    /// Four bytes as they stand there.
    fn ne32(self, at: usize) -> u32;
    /// Eight bytes as they stand there.
    fn ne64(self, at: usize) -> u64;
}

/// A packet in memory, of which only the first bytes may have been captured.
#[derive(Clone, Copy, Debug)]
pub struct Captured<'a> {
    /// The captured bytes.
    pub data: &'a [u8],
    /// Bytes that the packet had on the wire, at least `data.len()`.
    pub on_wire: usize,
}

impl<'a> Captured<'a> {
    /// A packet that is wholly there.
    pub const fn whole(data: &'a [u8]) -> Captured<'a> {
        Captured { data, on_wire: data.len() }
    }
}

impl<'a> Packet for Captured<'a> {
    type Header<const N: usize> = &'a [u8; N];

    #[inline(always)]
    fn header<const N: usize>(&self, offset: usize) -> Option<&'a [u8; N]> {
        self.data.get(offset..)?.first_chunk::<N>()
    }

    fn on_wire(&self) -> usize {
        self.on_wire
    }
}

impl<const N: usize> Header for &[u8; N] {
    #[inline(always)]
    fn u8(self, at: usize) -> u8 {
        self.get(at).copied().unwrap_or(0)
    }

    #[inline(always)]
    fn be16(self, at: usize) -> u16 {
        u16::from_be_bytes(chunk(self, at))
    }

    #[inline(always)]
    fn be32(self, at: usize) -> u32 {
        u32::from_be_bytes(chunk(self, at))
    }

    #[inline(always)]
    fn ne32(self, at: usize) -> u32 {
        u32::from_ne_bytes(chunk(self, at))
    }

    #[inline(always)]
    fn ne64(self, at: usize) -> u64 {
        u64::from_ne_bytes(chunk(self, at))
    }
}

#[inline(always)]
fn chunk<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    bytes.get(at..).and_then(|rest| rest.first_chunk::<N>()).copied().unwrap_or([0; N])
}
