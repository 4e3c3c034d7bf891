//! Captures built byte by byte, read back through the public interface.

mod build;
mod damage;

use std::io::{Cursor, Read};

use hs_mon::capture::{Error, LinkType, Reader};
use ruzstd::encoding::{CompressionLevel, compress_to_vec};

use build::{BIG, LITTLE, gzip, small_pcap, small_pcapng, zstd};

/// A packet as it comes out: time, link type, interface, data, length on the wire.
type Got = (u64, u16, u32, Vec<u8>, u32);

/// Reads to the end; all packets and the error that ended it, if any.
fn read(bytes: &[u8]) -> (Vec<Got>, Option<Error>) {
    read_from(Cursor::new(bytes.to_vec()))
}

fn read_from(source: impl Read + 'static) -> (Vec<Got>, Option<Error>) {
    let mut got = Vec::new();
    let mut reader = match Reader::from_read(source) {
        Ok(reader) => reader,
        Err(error) => return (got, Some(error)),
    };
    loop {
        match reader.next_batch() {
            Ok(Some(batch)) => {
                for p in batch.packets() {
                    assert_eq!(p.number, got.len() as u64 + 1);
                    got.push((p.time_ns, p.link.0, p.interface, p.data.to_vec(), p.wire_len));
                }
            }
            Ok(None) => return (got, None),
            Err(error) => {
                assert!(matches!(reader.next_batch(), Ok(None)), "nothing comes after an error");
                return (got, Some(error));
            }
        }
    }
}

/// All packets of a capture that must be whole.
fn packets(bytes: &[u8]) -> Vec<Got> {
    let (got, error) = read(bytes);
    assert!(error.is_none(), "{error:?}");
    got
}

#[test]
fn pcap_in_every_order_and_precision() {
    const TIME: u64 = 1_700_000_000_000_000_000;
    for (name, writer, magic, extra, time) in [
        ("little-endian, microseconds", LITTLE, 0xa1b2_c3d4, 0, TIME + 7000),
        ("big-endian, microseconds", BIG, 0xa1b2_c3d4, 0, TIME + 7000),
        ("little-endian, nanoseconds", LITTLE, 0xa1b2_3c4d, 0, TIME + 7),
        ("big-endian, nanoseconds", BIG, 0xa1b2_3c4d, 0, TIME + 7),
        ("little-endian, modified", LITTLE, 0xa1b2_cd34, 8, TIME + 7000),
        ("big-endian, modified", BIG, 0xa1b2_cd34, 8, TIME + 7000),
    ] {
        let header = writer.words(&[1_700_000_000, 7, 3, 1500]);
        // The link type's upper half: a frame check sequence of four bytes.
        let link = writer.pcap_header(magic, 0x2400_0000 | 276);
        let bytes = [link, header, vec![0; extra], b"abc".to_vec()].concat();
        assert_eq!(packets(&bytes), [(time, 276, 0, b"abc".to_vec(), 1500)], "{name}");
    }
}

#[test]
fn pcapng_with_sections_interfaces_and_all_packet_blocks() {
    let got = packets(&small_pcapng().0);
    let section = [
        (5000, 101, 1, b"abcde".to_vec(), 5),
        (5000, 1, 0, b"xyz".to_vec(), 3), // no time of its own: that of the packet before it
        (6000, 1, 0, b"old".to_vec(), 3),
    ];
    assert_eq!(got, [section.clone(), section].concat());
}

#[test]
fn pcapng_clocks() {
    const MAX: u64 = u64::MAX;
    for (resolution, offset, ticks, time) in [
        (0, 0, 3, 3_000_000_000),
        (3, 0, 1_700_000_000_123, 1_700_000_000_123_000_000),
        (6, 10, 1, 10_000_001_000),
        (9, 0, 1_700_000_000_000_000_001, 1_700_000_000_000_000_001),
        (9, -1, 3_000_000_000, 2_000_000_000),
        (12, 0, 1_999, 1),
        (127, 0, MAX, 0),
        (0x80 | 10, 0, 1024 + 512, 1_500_000_000),
        (0x80 | 32, 1, 1 << 31, 1_500_000_000),
        (0x80 | 127, 0, MAX, 0),
        (9, -5, 1, 0),                       // before 1970
        (0, i64::MAX, MAX, i64::MAX as u64), // beyond what is believed
    ] {
        for writer in [LITTLE, BIG] {
            let clock = writer.clock(resolution, offset);
            let bytes = [writer.section(), clock, writer.enhanced(0, ticks, b"x", 1)].concat();
            let what = format!("{writer:?}, resolution {resolution:#x}, offset {offset}, ticks {ticks}");
            assert_eq!(packets(&bytes)[0].0, time, "{what}");
        }
    }
}

#[test]
fn a_simple_packet_is_cut_at_the_snapshot_length() {
    let bytes = [BIG.section(), BIG.interface(1, 4, &[]), BIG.simple(b"abcd", 1500)].concat();
    assert_eq!(packets(&bytes), [(0, 1, 0, b"abcd".to_vec(), 1500)]);
}

#[test]
fn compressed_captures_read_the_same() {
    let (plain, _) = small_pcap(500);
    let expected = packets(&plain);
    let (first, second) = plain.split_at(plain.len() / 2);
    let skippable = [&[0x50, 0x2a, 0x4d, 0x18, 3, 0, 0, 0][..], b"pad"].concat();
    for (name, bytes) in [
        ("gzip", gzip(&plain)),
        ("gzip, two members", [gzip(first), gzip(second)].concat()),
        ("zstd", zstd(&plain)),
        ("zstd, stored", compress_to_vec(&plain[..], CompressionLevel::Uncompressed)),
        (
            "zstd, frames and skippable frames",
            [skippable.clone(), zstd(first), skippable, zstd(second)].concat(),
        ),
    ] {
        assert_eq!(packets(&bytes), expected, "{name}");
    }
}

#[test]
fn a_capture_without_packets_is_fine() {
    for bytes in [LITTLE.pcap_header(0xa1b2_c3d4, 1), BIG.section(), gzip(&LITTLE.section())] {
        assert!(packets(&bytes).is_empty());
    }
}

#[test]
fn what_is_no_capture() {
    assert!(matches!(read(b"").1, Some(Error::Empty)));
    assert!(matches!(read(&gzip(b"")).1, Some(Error::Empty)));
    for bytes in [&b"GET / HTTP/1.1\r\n"[..], b"hi", b"PK\x03\x04....", &[0; 64]] {
        let (_, error) = read(bytes);
        assert!(
            matches!(&error, Some(Error::NotACapture { first }) if bytes.starts_with(first)),
            "{error:?}"
        );
    }
    let (_, error) = read(b"\xfd7zXZ\0");
    assert_eq!(
        error.map(|error| error.to_string()).as_deref(),
        Some(
            "not a capture: it begins with fd 37 7a 58; it is compressed with xz: xz -dc FILE | hs-mon replay -"
        )
    );
}

#[test]
fn the_largest_frames_pass() {
    let big = vec![7; 524_280 + 14];
    let pcap = [LITTLE.pcap_header(0xa1b2_c3d4, 1), LITTLE.pcap_packet(1, 2, &big, 9)].concat();
    let ng = [BIG.section(), BIG.interface(1, 0, &[]), BIG.enhanced(0, 1_000_002, &big, 9)].concat();
    for bytes in [pcap.clone(), ng, gzip(&pcap), zstd(&pcap)] {
        assert_eq!(packets(&bytes), [(1_000_002_000, 1, 0, big.clone(), 9)]);
    }
}

#[test]
fn link_types_have_names() {
    assert_eq!(packets(&small_pcap(1).0)[0].1, LinkType::ETHERNET.0);
}
