//! Builds captures byte by byte.

use std::io::Write;

use ruzstd::encoding::{CompressionLevel, compress_to_vec};

/// Writes words in one byte order.
#[derive(Clone, Copy, Debug)]
pub struct Writer {
    big: bool,
}

pub const LITTLE: Writer = Writer { big: false };
pub const BIG: Writer = Writer { big: true };

impl Writer {
    pub fn words(self, words: &[u32]) -> Vec<u8> {
        words.iter().flat_map(|w| if self.big { w.to_be_bytes() } else { w.to_le_bytes() }).collect()
    }

    pub fn halves(self, halves: &[u16]) -> Vec<u8> {
        halves.iter().flat_map(|h| if self.big { h.to_be_bytes() } else { h.to_le_bytes() }).collect()
    }

    pub fn pcap_header(self, magic: u32, link: u32) -> Vec<u8> {
        [self.words(&[magic]), self.halves(&[2, 4]), self.words(&[0, 0, 65_535, link])].concat()
    }

    pub fn pcap_packet(self, seconds: u32, fraction: u32, data: &[u8], wire_len: u32) -> Vec<u8> {
        [self.words(&[seconds, fraction, data.len() as u32, wire_len]), data.to_vec()].concat()
    }

    pub fn block(self, kind: u32, body: &[u8]) -> Vec<u8> {
        let body = padded(body);
        let len = body.len() as u32 + 12;
        [self.words(&[kind, len]), body, self.words(&[len])].concat()
    }

    pub fn section(self) -> Vec<u8> {
        let body = [self.words(&[0x1a2b_3c4d]), self.halves(&[1, 0]), self.words(&[u32::MAX, u32::MAX])];
        self.block(0x0a0d_0d0a, &body.concat())
    }

    pub fn option(self, code: u16, value: &[u8]) -> Vec<u8> {
        [self.halves(&[code, value.len() as u16]), padded(value)].concat()
    }

    pub fn interface(self, link: u16, snap_len: u32, options: &[Vec<u8>]) -> Vec<u8> {
        let head = [self.halves(&[link, 0]), self.words(&[snap_len])].concat();
        self.block(1, &[head, options.concat()].concat())
    }

    /// An interface without a snapshot length, with this resolution, and this offset in seconds.
    pub fn clock(self, resolution: u8, offset: i64) -> Vec<u8> {
        let offset = if self.big { offset.to_be_bytes() } else { offset.to_le_bytes() };
        let options = [self.option(9, &[resolution]), self.option(14, &offset), self.option(0, &[])];
        self.interface(1, 0, &options)
    }

    pub fn enhanced(self, interface: u32, ticks: u64, data: &[u8], wire_len: u32) -> Vec<u8> {
        let head = self.words(&[interface, (ticks >> 32) as u32, ticks as u32, data.len() as u32, wire_len]);
        self.block(6, &[head, padded(data), self.option(1, b"a comment")].concat())
    }

    pub fn simple(self, data: &[u8], wire_len: u32) -> Vec<u8> {
        self.block(3, &[self.words(&[wire_len]), data.to_vec()].concat())
    }

    pub fn obsolete(self, interface: u16, ticks: u64, data: &[u8]) -> Vec<u8> {
        let len = data.len() as u32;
        let rest = self.words(&[(ticks >> 32) as u32, ticks as u32, len, len]);
        self.block(2, &[self.halves(&[interface, 3]), rest, data.to_vec()].concat())
    }
}

pub fn padded(bytes: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes
}

pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).expect("writes to memory");
    encoder.finish().expect("writes to memory")
}

pub fn zstd(bytes: &[u8]) -> Vec<u8> {
    compress_to_vec(bytes, CompressionLevel::Fastest)
}

/// A pcap of `count` packets, 1 ms apart, and where each part ends.
pub fn small_pcap(count: u32) -> (Vec<u8>, Vec<usize>) {
    let mut bytes = LITTLE.pcap_header(0xa1b2_c3d4, 1);
    let mut ends = vec![];
    for number in 0..count {
        bytes.extend(LITTLE.pcap_packet(1_700_000_000, number * 1000, &[number as u8; 61], 61));
        ends.push(bytes.len());
    }
    (bytes, ends)
}

/// A pcapng with every kind of block, in two sections of different byte order; its packets' ends.
pub fn small_pcapng() -> (Vec<u8>, Vec<usize>) {
    let mut ends = vec![];
    let mut bytes = vec![];
    for w in [LITTLE, BIG] {
        bytes.extend([w.section(), w.interface(1, 96, &[]), w.interface(101, 0, &[])].concat());
        for packet in [w.enhanced(1, 5, b"abcde", 5), w.simple(b"xyz", 3), w.obsolete(0, 6, b"old")] {
            bytes.extend(w.block(5, &[0; 16])); // statistics, which are skipped
            bytes.extend(packet);
            ends.push(bytes.len());
        }
    }
    (bytes, ends)
}
