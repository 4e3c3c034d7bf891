//! Identifiers of a flow that are the same for both of its directions.

use std::net::IpAddr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hs_common::{Addr, Event, VlanTags};
use sha1::{Digest, Sha1};

/// TCP's number in an IP header.
const PROTO_TCP: u8 = 6;
/// What a JSON number holds exactly in every reader (RFC 8259 6): integers below 2^53.
const SAFE_INTEGER: u64 = (1 << 53) - 1;

/// `flow_id`: a hash of the two endpoints, whichever of them sent, and of the VLAN tags if given.
/// Stable across runs and hosts; a tuple that is used again has the same one.
pub fn flow_id(event: &Event, vlan: VlanTags) -> u64 {
    let [a, b] = ordered((event.src, event.src_port), (event.dst, event.dst_port));
    let ports = u64::from(a.1) << 48 | u64::from(b.1) << 32;
    let tags = u64::from(vlan.0[0]) << 16 | u64::from(vlan.0[1]);
    // Network order in both kinds of host, so that the identifier does not depend on the host's.
    let words = [a.0.high, a.0.low, b.0.high, b.0.low].map(u64::to_be);
    words.into_iter().chain([ports | tags]).fold(0, |hash, word| mix(hash ^ word)) & SAFE_INTEGER
}

/// The finaliser of splitmix64 (Steele, Lea, Flood 2014), a bijection that spreads every bit.
const fn mix(word: u64) -> u64 {
    let word = word.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ (word >> 31)
}

fn ordered(a: (Addr, u16), b: (Addr, u16)) -> [(Addr, u16); 2] {
    if (a.0.octets(), a.1) <= (b.0.octets(), b.1) { [a, b] } else { [b, a] }
}

/// A community ID, version 1, seed 0 (<https://github.com/corelight/community-id-spec>): what joins
/// these events with those of Zeek, Suricata and Arkime.
pub struct CommunityId([u8; Self::LEN]);

impl CommunityId {
    /// `1:` and 20 bytes of SHA-1 in base64.
    const LEN: usize = 2 + 28;

    /// Of the TCP flow between the endpoints of an event.
    pub fn of(event: &Event) -> CommunityId {
        let [a, b] = ordered((event.src, event.src_port), (event.dst, event.dst_port));
        // Seed, both addresses, protocol, a zero, both ports.
        let mut input = [0; 2 + 32 + 2 + 4];
        let mut len = 2;
        let mut put = |bytes: &[u8]| {
            input[len..len + bytes.len()].copy_from_slice(bytes);
            len += bytes.len();
        };
        for (addr, _) in [a, b] {
            match IpAddr::from(addr) {
                IpAddr::V4(addr) => put(&addr.octets()),
                IpAddr::V6(addr) => put(&addr.octets()),
            }
        }
        put(&[PROTO_TCP, 0]);
        put(&a.1.to_be_bytes());
        put(&b.1.to_be_bytes());
        CommunityId::from_digest(&Sha1::digest(&input[..len]))
    }

    fn from_digest(digest: &[u8]) -> CommunityId {
        let mut text = *b"1:____________________________";
        // Cannot fail: 20 bytes fill these 28 characters.
        let _ = STANDARD.encode_slice(digest, &mut text[2..]);
        CommunityId(text)
    }

    /// In ASCII, without anything that JSON would escape.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may panic")]
    use std::net::SocketAddr;

    use super::*;

    fn event(src: &str, dst: &str) -> Event {
        let [src, dst] = [src, dst].map(|text| text.parse::<SocketAddr>().unwrap());
        Event {
            src: src.ip().into(),
            dst: dst.ip().into(),
            src_port: src.port(),
            dst_port: dst.port(),
            ..Event::EMPTY
        }
    }

    /// The specification's own vectors (its `baseline` folder).
    #[test]
    fn community_ids_are_those_of_the_specification() {
        let table = [
            ("128.232.110.120:34855", "66.35.250.204:80", "1:LQU9qZlK+B5F3KDmev6m5PMibrg="),
            (
                "[2001:470:e5bf:dead:4957:2174:e82c:4887]:63943",
                "[2607:f8b0:400c:c03::1a]:25",
                "1:/qFaeAR+gFe1KYjMzVDsMv+wgU4=",
            ),
        ];
        for (a, b, id) in table {
            assert_eq!(CommunityId::of(&event(a, b)).as_bytes(), id.as_bytes());
            assert_eq!(CommunityId::of(&event(b, a)).as_bytes(), id.as_bytes());
        }
    }

    #[test]
    fn a_flow_id_is_that_of_both_directions_and_fits_a_double() {
        let pairs = [("192.0.2.1:4000", "192.0.2.2:80"), ("[2001:2::1]:4000", "[2001:2::2]:80")];
        for (a, b) in pairs {
            let id = flow_id(&event(a, b), VlanTags::NONE);
            assert_eq!(id, flow_id(&event(b, a), VlanTags::NONE));
            assert!(id <= SAFE_INTEGER);
            assert_ne!(id, flow_id(&event(a, b), VlanTags::NONE.push(7)));
            assert_ne!(id, flow_id(&event(a, "192.0.2.2:81"), VlanTags::NONE));
        }
    }

    /// Programs keep these identifiers: a change is a change of the output.
    #[test]
    fn flow_ids_do_not_change_between_versions() {
        let id = flow_id(&event("192.0.2.1:4000", "192.0.2.2:80"), VlanTags::NONE);
        assert_eq!(id, 1_526_545_257_791_605);
    }
}
