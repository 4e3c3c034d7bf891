//! What the fuzz targets do with their input, and what must hold whatever it is. The tests of
//! hs-common include this file, so that the corpus also runs without a fuzzer.

mod account;
mod trace;

pub use account::Account;
pub use trace::{Op, engine, run};

use hs_common::Anomaly;
use hs_common::Segment;
use hs_common::packet::Captured;
use hs_common::parse::{Link, parse as parse_packet};

/// Bytes of a TCP header without options.
const TCP_HEADER: usize = 20;

/// Two bytes choose link layer and length on the wire; the rest is the packet.
pub fn parse(input: &[u8]) {
    let [choice, more, data @ ..] = input else { return };
    let link = Link::from_code(u32::from(choice & 7));
    let on_wire = if choice & 16 != 0 { data.len() } else { data.len() + usize::from(*more) * 11 };
    let read = |bytes: usize| {
        let mut segment = Segment::EMPTY;
        let packet = Captured { data: data.get(..bytes).unwrap_or(data), on_wire };
        parse_packet(&packet, link, &mut segment).map(|()| segment)
    };
    let whole = read(data.len());
    // A capture that ends earlier shows the same segment or none: never a field that is not there.
    for bytes in 0..data.len().min(128) {
        let Ok(cut) = read(bytes) else { continue };
        assert!(is_broken(&cut) || bytes >= smallest(link) + TCP_HEADER, "a header out of nothing");
        let Ok(whole) = whole else { panic!("{bytes} bytes are a segment, and all of them are none") };
        let options_aside = Segment { fault: whole.fault, fast_open: whole.fast_open, ..cut };
        assert_eq!(options_aside, whole, "{bytes} of {} bytes", data.len());
    }
}

fn is_broken(segment: &Segment) -> bool {
    segment.fault() == Some(Anomaly::TruncatedHeader)
}

/// The least that stands before a TCP header.
fn smallest(link: Link) -> usize {
    20 + match link {
        Link::Ethernet => 14,
        Link::RawIp => 0,
        Link::LinuxCooked => 16,
        Link::LinuxCooked2 => 20,
        Link::BsdLoopback => 4,
    }
}
