//! The buffer between a source of bytes and a format: whole blocks, without copying each packet.

use std::io::{ErrorKind, Read};
use std::ops::Range;

use super::MAX_PACKET;
use super::error::Fault;

/// Fits the second-level cache, so that a packet is still there when it is parsed.
const USUAL_LEN: usize = 64 << 10;
/// The largest block that is buffered: a packet with its header and options.
pub(super) const MAX_BLOCK: usize = MAX_PACKET + (128 << 10);

/// A source with a buffer that holds a whole block at a time.
pub(super) struct Input {
    source: Box<dyn Read>,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    /// Of `start`, in the uncompressed capture.
    offset: u64,
    ended: bool,
    failure: Option<Fault>,
}

impl Input {
    pub(super) fn new(source: Box<dyn Read>) -> Input {
        let buffer = vec![0; USUAL_LEN];
        Input { source, buffer, start: 0, end: 0, offset: 0, ended: false, failure: None }
    }

    /// Sees to it that `len` bytes, at most [`MAX_BLOCK`], are in [`Input::bytes`]; `false` if the
    /// source has fewer left: [`Input::shortfall`] tells why.
    #[inline(always)]
    pub(super) fn want(&mut self, len: usize) -> bool {
        self.end - self.start >= len || self.fill(len)
    }

    /// Reads as much as fits, not only what is wanted. Ranges given out before are void.
    #[cold]
    fn fill(&mut self, len: usize) -> bool {
        self.buffer.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
        if len > self.buffer.len() {
            self.buffer.resize(len.max(MAX_BLOCK), 0);
        }
        while self.end < len && !self.ended {
            match self.source.read(&mut self.buffer[self.end..]) {
                Ok(0) => self.ended = true,
                Ok(count) => self.end += count,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => {
                    self.ended = true;
                    self.failure = Some(error.into());
                }
            }
        }
        self.end >= len
    }

    /// What is buffered and not consumed.
    #[inline(always)]
    pub(super) fn bytes(&self) -> &[u8] {
        &self.buffer[self.start..self.end]
    }

    /// Consumes `len` buffered bytes. The range stays good for [`Input::slice`] until the next
    /// [`Input::want`].
    #[inline(always)]
    pub(super) fn consume(&mut self, len: usize) -> Range<usize> {
        let from = self.start;
        self.start += len;
        self.offset += len as u64;
        from..self.start
    }

    /// The bytes of a range that [`Input::consume`] gave.
    #[inline(always)]
    pub(super) fn slice(&self, range: Range<usize>) -> &[u8] {
        &self.buffer[range]
    }

    /// Consumes `len` bytes of the source, buffered or not.
    pub(super) fn skip(&mut self, len: usize) -> Result<(), Fault> {
        let mut left = len;
        while left > 0 {
            if !self.want(1) {
                return Err(self.shortfall());
            }
            let step = left.min(self.end - self.start);
            self.consume(step);
            left -= step;
        }
        Ok(())
    }

    /// How many bytes of the uncompressed capture are consumed.
    pub(super) fn offset(&self) -> u64 {
        self.offset
    }

    /// After [`Input::want`] said no: `Ok` if the source ended, without a failure, where a block does.
    pub(super) fn end_of_blocks(&mut self) -> Result<(), Fault> {
        if self.start == self.end && self.ended_cleanly() { Ok(()) } else { Err(self.shortfall()) }
    }

    /// Whether the source ended without a failure.
    pub(super) fn ended_cleanly(&self) -> bool {
        self.ended && self.failure.is_none()
    }

    /// After [`Input::want`] said no: why.
    #[cold]
    pub(super) fn shortfall(&mut self) -> Fault {
        self.failure.take().unwrap_or(Fault::Cut)
    }
}
