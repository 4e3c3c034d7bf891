//! Numbers and addresses as text, without `core::fmt`: in a capture's replay, lines are much of the work.

use std::io::Write as _;
use std::net::{IpAddr, Ipv4Addr};

use itoa::Integer;

/// The longest IPv4 address, and a byte more, which goes with each octet.
const IPV4_ROOM: usize = "255.255.255.255.".len();

/// An octet in decimal, with a dot after it.
#[derive(Clone, Copy)]
struct Octet {
    text: [u8; 4],
    len: u8,
}

static OCTETS: [Octet; 256] = octets();

const fn octets() -> [Octet; 256] {
    let mut octets = [Octet { text: [0; 4], len: 0 }; 256];
    let mut value = 0;
    while value < octets.len() {
        let Octet { text, len } = &mut octets[value];
        let mut unit = if value >= 100 {
            100
        } else if value >= 10 {
            10
        } else {
            1
        };
        while unit > 0 {
            text[*len as usize] = b'0' + (value / unit % 10) as u8;
            *len += 1;
            unit /= 10;
        }
        text[*len as usize] = b'.';
        *len += 1;
        value += 1;
    }
    octets
}

/// Appends a whole number.
#[inline]
pub fn number(line: &mut Vec<u8>, number: impl Integer) {
    line.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
}

/// Appends a number below a million, with zeros before it: six digits.
pub fn six_digits(line: &mut Vec<u8>, number: u32) {
    let digit = |unit: u32| b'0' + (number / unit % 10) as u8;
    line.extend_from_slice(&[100_000, 10_000, 1_000, 100, 10, 1].map(digit));
}

/// Appends an address.
pub fn ip(line: &mut Vec<u8>, ip: IpAddr) {
    match ip {
        IpAddr::V4(ip) => ipv4(line, ip),
        // Cannot fail: a vector takes anything.
        IpAddr::V6(ip) => drop(write!(line, "{ip}")),
    }
}

/// Appends an address and a port, and blanks until both have the width.
pub fn endpoint(line: &mut Vec<u8>, addr: IpAddr, port: u16, width: usize) {
    let start = line.len();
    if addr.is_ipv6() {
        line.push(b'[');
    }
    ip(line, addr);
    if addr.is_ipv6() {
        line.push(b']');
    }
    line.push(b':');
    number(line, port);
    pad(line, start, width);
}

/// Appends blanks until what stands in the line from `start` on has the width. ASCII only.
pub fn pad(line: &mut Vec<u8>, start: usize, width: usize) {
    line.resize(line.len().max(start + width), b' ');
}

fn ipv4(line: &mut Vec<u8>, ip: Ipv4Addr) {
    let mut text = [0; IPV4_ROOM];
    let mut len = 0;
    for octet in ip.octets() {
        let octet = &OCTETS[usize::from(octet)];
        text[len..len + octet.text.len()].copy_from_slice(&octet.text);
        len += usize::from(octet.len);
    }
    line.extend_from_slice(&text[..len - 1]);
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may panic")]
    use std::net::SocketAddr;

    use super::*;

    fn text(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut line = Vec::new();
        write(&mut line);
        String::from_utf8(line).unwrap()
    }

    #[test]
    fn numbers_are_those_of_the_standard_library() {
        for value in [0, 7, 10, 99, 100, 65_535, 1_000_000, u64::MAX] {
            assert_eq!(text(|line| number(line, value)), value.to_string());
        }
        for value in [0, 7, 65_535, 999_999] {
            assert_eq!(text(|line| six_digits(line, value)), format!("{value:06}"));
        }
    }

    #[test]
    fn each_octet_is_that_of_the_standard_library() {
        for octet in 0..=255 {
            let address = Ipv4Addr::new(octet, 7, 255 - octet, octet);
            assert_eq!(text(|line| ip(line, address.into())), address.to_string());
        }
    }

    #[test]
    fn endpoints_are_those_of_the_standard_library() {
        let endpoints = ["0.0.0.0:0", "255.255.255.255:65535", "192.0.2.10:80", "[2001:2::1]:443", "[::]:0"];
        for width in [0, 21, 40] {
            for address in endpoints {
                let address: SocketAddr = address.parse().unwrap();
                let written = text(|line| endpoint(line, address.ip(), address.port(), width));
                assert_eq!(written, format!("{address:<width$}"));
            }
        }
    }
}
