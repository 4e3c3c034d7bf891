//! The options of a SYN or SYN-ACK, rule by rule.

use std::net::Ipv4Addr;

use hs_common::Anomaly::{self, BadOptionLength, DuplicateOption, SynFin, WindowScaleOutOfRange};
use hs_common::packet::Captured;
use hs_common::parse::{Link, parse};
use hs_common::{Segment, TcpFlags};

use crate::wire;

const MSS: &[u8] = &[2, 4, 5, 0xb4];
const WINDOW_SCALE: &[u8] = &[3, 3, 7];
const SACK_PERMITTED: &[u8] = &[4, 2];
const TIMESTAMPS: &[u8] = &[8, 10, 1, 2, 3, 4, 0, 0, 0, 0];
const NOP: &[u8] = &[1];
const END: &[u8] = &[0];

fn base(flags: TcpFlags) -> Segment {
    let (src, dst) = (Ipv4Addr::new(192, 0, 2, 1).into(), Ipv4Addr::new(192, 0, 2, 2).into());
    Segment { src, dst, src_port: 40_000, dst_port: 80, flags, ..Segment::EMPTY }
}

/// The segment with these options, filled up with NOPs if they do not end on a word.
fn with_options(flags: TcpFlags, options: &[&[u8]]) -> Segment {
    let mut options = options.concat();
    options.resize(options.len().next_multiple_of(4), 1);
    let packet =
        wire::ipv4([192, 0, 2, 1], [192, 0, 2, 2], 6, 0, &[], &wire::tcp_with(&base(flags), &options));
    let mut segment = Segment::EMPTY;
    parse(&Captured::whole(&packet), Link::RawIp, &mut segment).expect("a segment");
    segment
}

fn check(table: &[(&[&[u8]], Option<Anomaly>)]) {
    for flags in [TcpFlags::SYN, TcpFlags::SYN.with(TcpFlags::ACK)] {
        for (options, fault) in table {
            assert_eq!(with_options(flags, options).fault(), *fault, "{flags:?} {options:?}");
        }
    }
}

#[test]
fn what_stacks_send() {
    check(&[
        (&[], None),
        (&[MSS], None),
        (&[MSS, SACK_PERMITTED, TIMESTAMPS, NOP, WINDOW_SCALE], None),
        (&[MSS, NOP, WINDOW_SCALE, SACK_PERMITTED, TIMESTAMPS], None),
        (&[MSS, NOP, WINDOW_SCALE, NOP, NOP, TIMESTAMPS, SACK_PERMITTED, END], None),
        (&[&[1; 40]], None),
        (&[END, &[0xff, 0xff, 0xff]], None),
        (&[MSS, END, &[2, 9, 9]], None),
    ]);
}

#[test]
fn unknown_kinds_and_mptcp() {
    check(&[
        (&[&[30, 12, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9]], None),
        (&[&[30, 4, 0, 0], &[30, 4, 0, 0]], None),
        (&[&[99, 2], &[100, 3, 0], &[255, 5, 1, 2, 3]], None),
        (&[&[19, 18, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]], None),
        (&[&[253, 4, 0xf9, 0x89]], None),
        (&[&[254, 3, 0xf9]], None),
        (&[&[254, 5, 0x01, 0x02, 0x03]], None),
    ]);
}

#[test]
fn impossible_lengths() {
    let bad = Some(BadOptionLength);
    check(&[
        (&[&[2, 3, 5]], bad),
        (&[&[2, 5, 5, 5, 5]], bad),
        (&[&[3, 2]], bad),
        (&[&[3, 4, 7, 7]], bad),
        (&[&[4, 3, 0]], bad),
        (&[&[8, 9, 0, 0, 0, 0, 0, 0, 0]], bad),
        (&[&[8, 11, 0, 0, 0, 0, 0, 0, 0, 0, 0]], bad),
        (&[&[99, 0, 0, 0]], bad),
        (&[&[99, 1, 0, 0]], bad),
        (&[&[99, 5, 0, 0]], bad),
        (&[&[99, 255, 0, 0]], bad),
        // The last byte has no room for a length.
        (&[NOP, NOP, NOP, &[2]], bad),
        (&[NOP, NOP, &[2, 4]], bad),
        (&[&[1; 39], &[99]], bad),
    ]);
}

#[test]
fn twice() {
    let twice = Some(DuplicateOption);
    check(&[
        (&[MSS, MSS], twice),
        (&[WINDOW_SCALE, WINDOW_SCALE], twice),
        (&[SACK_PERMITTED, SACK_PERMITTED], twice),
        (&[TIMESTAMPS, NOP, NOP, TIMESTAMPS], twice),
        (&[MSS, WINDOW_SCALE, NOP, SACK_PERMITTED, TIMESTAMPS, MSS], twice),
        (&[MSS, END, MSS], None),
        (&[MSS, &[2, 3, 5]], Some(BadOptionLength)),
        (&[MSS, MSS, &[99, 0]], Some(BadOptionLength)),
    ]);
}

#[test]
fn window_scale() {
    for shift in 0..=255 {
        let fault = (shift > 14).then_some(WindowScaleOutOfRange);
        check(&[(&[&[3, 3, shift]], fault)]);
    }
    check(&[
        (&[&[3, 3, 15], &[3, 3, 7]], Some(DuplicateOption)),
        (&[&[3, 3, 15], &[99, 1]], Some(BadOptionLength)),
    ]);
}

/// A Fast Open option with a cookie of so many bytes.
fn cookie(experiment: bool, bytes: usize) -> Vec<u8> {
    let mut option =
        if experiment { vec![254, 4 + bytes as u8, 0xf9, 0x89] } else { vec![34, 2 + bytes as u8] };
    option.resize(option.len() + bytes, 0xc0);
    option
}

#[test]
fn fast_open_cookies() {
    for experiment in [false, true] {
        for bytes in 0..=30 {
            let option = cookie(experiment, bytes);
            let legal = bytes == 0 || (4..=16).contains(&bytes) && bytes % 2 == 0;
            for flags in [TcpFlags::SYN, TcpFlags::SYN.with(TcpFlags::ACK)] {
                let segment = with_options(flags, &[&option]);
                assert_eq!(segment.fault(), (!legal).then_some(BadOptionLength), "{bytes} {experiment}");
                assert_eq!(segment.fast_open, 1);
            }
        }
    }
    for other in [&[254, 4, 0xf9, 0x88][..], &[254, 2], &[254, 3, 0xf9], &[253, 4, 0xf9, 0x89], MSS] {
        assert_eq!(with_options(TcpFlags::SYN, &[other]).fast_open, 0, "{other:?}");
    }
    assert_eq!(with_options(TcpFlags::SYN, &[END, &[34, 2]]).fast_open, 0);
    assert_eq!(with_options(TcpFlags::SYN, &[&[1; 38], &[34, 2]]).fast_open, 1);
}

#[test]
fn only_a_syn_is_judged_by_its_options() {
    for flags in [TcpFlags::ACK, TcpFlags::RST, TcpFlags::FIN.with(TcpFlags::ACK)] {
        assert_eq!(with_options(flags, &[MSS, MSS, &[99, 0]]).fault(), None);
    }
}

#[test]
fn the_first_rule_names_the_event() {
    let flags = TcpFlags::SYN.with(TcpFlags::FIN);
    let mut bad = with_options(flags, &[&[2, 3, 5]]);
    hs_common::rules::inspect(&mut bad);
    assert_eq!(bad.fault(), Some(BadOptionLength));
    let mut good = with_options(flags, &[MSS]);
    hs_common::rules::inspect(&mut good);
    assert_eq!(good.fault(), Some(SynFin));
}
