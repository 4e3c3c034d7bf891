//! What is cut, damaged, slow or no capture at all.

use std::io::{self, Cursor, Read};

use hs_mon::capture::{Error, Reader};
use proptest::prelude::*;

use super::build::{LITTLE, gzip, small_pcap, small_pcapng, zstd};
use super::{packets, read, read_from};

/// Cut anywhere, a capture gives the packets that are whole, and then says that it is cut.
#[test]
fn cut_at_every_byte() {
    for (bytes, ends) in [small_pcap(5), small_pcapng()] {
        for cut in 1..bytes.len() {
            let (got, error) = read(&bytes[..cut]);
            assert_eq!(got.len(), ends.iter().filter(|end| **end <= cut).count(), "cut at {cut}");
            match error {
                Some(Error::Truncated { packets, offset }) => {
                    assert_eq!(packets, got.len() as u64);
                    assert!(offset <= cut as u64);
                }
                // A cut between blocks can't be seen.
                None => assert!(ends.contains(&cut) || got.len() < ends.len(), "cut at {cut}"),
                Some(error) => panic!("cut at {cut}: {error}"),
            }
        }
    }
}

#[test]
fn compressed_and_cut() {
    let (plain, ends) = small_pcap(300);
    for (name, bytes) in [("gzip", gzip(&plain)), ("zstd", zstd(&plain))] {
        for cut in 4..bytes.len() {
            let (got, error) = read(&bytes[..cut]);
            let whole = got.len() as u64;
            assert!(
                matches!(error, Some(Error::Truncated { packets, .. }) if packets == whole),
                "{name} {cut}"
            );
        }
        let (got, _) = read(&bytes[..bytes.len() - 2]);
        assert_eq!(got.len(), ends.len(), "{name}: only the checksum is cut");
    }
}

/// A decoder keeps a window of what it decoded: it must be handed out when the rest is missing.
#[test]
fn zstd_that_is_cut_gives_all_that_was_decoded() {
    let mut stored = vec![0x28, 0xb5, 0x2f, 0xfd, 0, 0x58]; // a window of 2 MiB
    let (plain, ends) = small_pcap(300);
    for block in plain.chunks(1000) {
        stored.extend_from_slice(&((block.len() as u32) << 3).to_le_bytes()[..3]);
        stored.extend_from_slice(block);
    }
    let (got, error) = read(&stored[..stored.len() - 1]);
    let decoded = plain.len() / 1000 * 1000;
    assert_eq!(got.len(), ends.iter().filter(|end| **end <= decoded).count());
    assert!(matches!(error, Some(Error::Truncated { .. })), "{error:?}");
}

#[test]
fn damage_is_told_and_never_allocated() {
    let ng = |blocks: &[Vec<u8>]| [LITTLE.section(), LITTLE.interface(1, 0, &[]), blocks.concat()].concat();
    let mut bad_trailer = LITTLE.enhanced(0, 1, b"abcd", 4);
    *bad_trailer.last_mut().expect("not empty") = 1;
    let mut bad_checksum = zstd(&small_pcap(3).0);
    *bad_checksum.last_mut().expect("not empty") ^= 1;
    let short = LITTLE.block(6, &LITTLE.words(&[0, 0, 0, 9, 9, 0, 0]));
    for (name, bytes, detail) in [
        (
            "pcap, huge packet",
            [small_pcap(3).0, LITTLE.words(&[0, 0, u32::MAX, 0])].concat(),
            "a packet of 4294967295 bytes",
        ),
        ("huge packet block", ng(&[LITTLE.words(&[6, 1 << 30])]), "a block of type 0x6 says"),
        ("huge other block", ng(&[LITTLE.words(&[5, 0xffff_fff0])]), "a block of type 0x5 says"),
        ("block without a body", ng(&[LITTLE.words(&[6, 12, 12])]), "a block of type 0x6 says"),
        (
            "block too short for its kind",
            ng(&[LITTLE.words(&[6, 28, 0, 0, 0, 0, 28])]),
            "a block of type 0x6 says",
        ),
        ("block of length 0", ng(&[LITTLE.words(&[9, 0, 0])]), "a block of type 0x9 says"),
        ("unlike lengths", ng(&[bad_trailer]), "at its end"),
        ("packet longer than its block", ng(&[short]), "a packet of 9 bytes in a block of 40"),
        ("unknown interface", ng(&[LITTLE.enhanced(7, 1, b"x", 1)]), "interface 7"),
        ("interface of an earlier section", ng(&[LITTLE.section(), LITTLE.simple(b"x", 1)]), "interface 0"),
        ("long option", ng(&[LITTLE.interface(1, 0, &[LITTLE.halves(&[9, 100])])]), "an option"),
        ("odd resolution", ng(&[LITTLE.interface(1, 0, &[LITTLE.option(9, &[6, 6])])]), "option 9"),
        ("no byte order", LITTLE.block(0x0a0d_0d0a, &[0; 16]), "byte-order magic"),
        ("another version", LITTLE.block(0x0a0d_0d0a, &LITTLE.words(&[0x1a2b_3c4d, 2, 0, 0])), "version 2"),
        ("too many interfaces", ng(&[LITTLE.interface(1, 0, &[]).repeat(20_000)]), "interfaces"),
        ("gzip", [&gzip(&small_pcap(3).0)[..18], &[0xff; 40]].concat(), ""),
        ("wrong checksum", bad_checksum, "checksum"),
    ] {
        let (_, error) = read(&bytes);
        assert!(
            matches!(&error, Some(Error::Corrupt { detail: told, .. }) if told.contains(detail)),
            "{name}: {error:?}"
        );
    }
}

#[test]
fn a_zstd_window_beyond_bounds_is_refused() {
    let mut bytes = zstd(&small_pcap(3).0);
    bytes[4] &= !0x20; // not a single segment: the next byte is the window
    bytes[5] = 0x90;
    let (_, error) = read(&bytes);
    assert!(error.is_some_and(|error| error.to_string().contains("its zstd window is 256 MiB")));
}

/// Gives one byte at a time, like a slow pipe, and then fails if it is told to.
struct Trickle {
    bytes: Cursor<Vec<u8>>,
    failure: Option<i32>,
}

impl Read for Trickle {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let len = buffer.len().min(1);
        match (self.bytes.read(&mut buffer[..len])?, self.failure) {
            (0, Some(code)) => Err(io::Error::from_raw_os_error(code)),
            (count, _) => Ok(count),
        }
    }
}

#[test]
fn a_slow_pipe_reads_the_same() {
    let (plain, _) = small_pcapng();
    for bytes in [plain.clone(), gzip(&plain), zstd(&plain)] {
        let (got, error) = read_from(Trickle { bytes: Cursor::new(bytes), failure: None });
        assert_eq!((got, error.is_none()), (packets(&plain), true));
    }
}

#[test]
fn an_error_of_the_system_is_no_damage() {
    const EIO: i32 = 5;
    let (plain, ends) = small_pcap(3);
    for bytes in [plain.clone(), gzip(&plain), zstd(&plain)] {
        let cut = bytes[..bytes.len() - 1].to_vec();
        let (got, error) = read_from(Trickle { bytes: Cursor::new(cut), failure: Some(EIO) });
        assert!(matches!(&error, Some(Error::Io(error)) if error.raw_os_error() == Some(EIO)), "{error:?}");
        assert!(got.len() >= ends.len() - 1);
    }
}

#[test]
fn a_file_that_is_not_there() {
    let error = Reader::open("no/such/capture.pcap".as_ref()).err();
    assert!(matches!(error, Some(Error::Io(error)) if error.kind() == io::ErrorKind::NotFound));
}

proptest! {
    /// Whatever the bytes, it ends, and does not panic.
    #[test]
    fn damaged_captures_end(
        which in 0..5_usize,
        damage in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
    ) {
        let plain = if which % 2 == 0 { small_pcap(20).0 } else { small_pcapng().0 };
        let mut bytes = match which {
            0 | 1 => plain,
            2 => gzip(&plain),
            _ => zstd(&plain),
        };
        for (place, value) in damage {
            let index = place.index(bytes.len());
            bytes[index] = value;
        }
        read(&bytes);
    }
}
