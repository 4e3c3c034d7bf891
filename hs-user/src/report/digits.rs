//! Numbers and addresses as text, without `core::fmt`: in a capture's replay, lines are most of the work.

use std::io::Write as _;
use std::net::IpAddr;

/// The longest IPv4 address.
const IPV4_LEN: usize = "255.255.255.255".len();

/// Appends a whole number.
pub fn number(line: &mut Vec<u8>, number: u32) {
    let mut digits = [0; 10];
    let mut at = digits.len();
    let mut left = number;
    loop {
        at -= 1;
        digits[at] = b'0' + (left % 10) as u8;
        left /= 10;
        if left == 0 {
            break;
        }
    }
    line.extend_from_slice(&digits[at..]);
}

/// Appends a number below a million, with zeros before it: six digits.
pub fn six_digits(line: &mut Vec<u8>, number: u32) {
    let mut digits = [0; 6];
    let mut left = number;
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + (left % 10) as u8;
        left /= 10;
    }
    line.extend_from_slice(&digits);
}

/// Appends an address and a port, and blanks until both have the width.
pub fn endpoint(line: &mut Vec<u8>, ip: IpAddr, port: u16, width: usize) {
    let start = line.len();
    match ip {
        IpAddr::V4(ip) => octets(line, ip.octets()),
        // Cannot fail: a vector takes anything.
        IpAddr::V6(ip) => drop(write!(line, "[{ip}]")),
    }
    line.push(b':');
    number(line, port.into());
    pad(line, start, width);
}

/// Appends blanks until what stands in the line from `start` on has the width. ASCII only.
pub fn pad(line: &mut Vec<u8>, start: usize, width: usize) {
    line.resize(line.len().max(start + width), b' ');
}

fn octets(line: &mut Vec<u8>, octets: [u8; 4]) {
    line.reserve(IPV4_LEN);
    for (index, octet) in octets.into_iter().enumerate() {
        if index > 0 {
            line.push(b'.');
        }
        number(line, octet.into());
    }
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
        for value in [0, 7, 10, 99, 100, 65_535, 1_000_000, u32::MAX] {
            assert_eq!(text(|line| number(line, value)), value.to_string());
        }
        for value in [0, 7, 65_535, 999_999] {
            assert_eq!(text(|line| six_digits(line, value)), format!("{value:06}"));
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
