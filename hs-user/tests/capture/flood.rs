//! A capture with a SYN flood.

use super::build::LITTLE;
use super::frame::{A, Envelope, SYN, i};

/// 10,000 SYNs in four seconds, from `start` on: seconds since 1970.
pub fn flood(start: u32) -> Vec<u8> {
    let mut capture = LITTLE.pcap_header(0xa1b2_c3d4, 1);
    for number in 0..10_000 {
        let frame = Envelope::V4.wrap(&i(SYN, A, 0), 1 + number as u16).ethernet();
        let (second, micros) = (number / 2_500, number % 2_500 * 400);
        capture.extend(LITTLE.pcap_packet(start + second, micros, &frame, frame.len() as u32));
    }
    capture
}
