//! The SYN cache: a table of fixed size in front of the flow table (after Lemon, Resisting SYN flood DoS
//! attacks with a SYN cache, 2002). Each remembered flow has one slot in it.
//!
//! A slot is a [`Word`] of 8 bytes, with a [`FirstSyn`] of 32 or 64 beside it. Eight words are one [`Line`], a
//! line of the CPU's cache, and a flow's hash tells in which line its word is. So one look at one line
//! answers what is asked of almost every packet: no handshake is waited for on this flow. A first SYN
//! takes a slot, allocates nothing and takes no lock; when its line is full, the oldest gives way. Only
//! what is answered, or repeated, enters the flow table, and what completes as most do leaves it at once: the answer
//! was noted beside the first SYN, which is all that is still to be known.
//!
//! ```text
//!                 SYN             anything more            it has its outcome
//!   EMPTY ----------> FRESH -----------------> PENDING ----------------------> COMPLETED or CLOSED
//!                       | timeout                 | timeout                                |
//!                       v        anything more    v     late completion                    | the next SYN
//!                     LAPSED ------------------> OPEN ----------> COMPLETED or CLOSED      +-----> PENDING
//!
//!   in the flow table: PENDING, OPEN, CLOSED
//! ```

mod first_syn;
mod hash;
mod word;

pub use first_syn::{Brief, FirstSyn, Rest};
pub use hash::HashKey;
pub use word::{State, Word};

/// Words in a line.
pub const WAYS: usize = 8;

/// The words of flows whose hash begins alike: 64 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C, align(64))]
pub struct Line(pub [u64; WAYS]);

/// Where a flow's word is, and what of its hash the word has. Filled by [`Spot::of`] and the search.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct Spot {
    /// The line.
    pub line: u32,
    /// The upper half of the hash, of which one bit is set, so that no tag is that of an empty word.
    pub tag: u32,
    /// The word within the line, once it is known.
    pub way: u32,
    /// Zero.
    pub padding: u32,
    /// The word, as it was read.
    pub word: Word,
}

impl Spot {
    /// Nowhere.
    pub const EMPTY: Spot = Spot { line: 0, tag: 0, way: 0, padding: 0, word: Word::EMPTY };

    /// Where a flow with this hash belongs, among `max_flows` slots (a power of two, at least [`WAYS`]).
    #[inline(always)]
    pub const fn of(hash: u64, max_flows: u32) -> Spot {
        let lines = max_flows / WAYS as u32;
        Spot { line: hash as u32 & (lines - 1), tag: (hash >> 32) as u32 | 1, ..Spot::EMPTY }
    }

    /// The number of the slot.
    #[inline(always)]
    pub const fn slot(&self) -> u32 {
        self.line * WAYS as u32 + self.way
    }
}
