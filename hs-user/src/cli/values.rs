//! How single values are written: durations, interface names, addresses to listen at.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

/// Beyond this the flow table would hold mostly flows that nobody waits for.
const MAX_HALF_OPEN: Duration = Duration::from_secs(3600);
/// The kernel's limit for the name of an interface, IFNAMSIZ, without its final zero (linux/if.h).
const MAX_INTERFACE_NAME: usize = 15;

/// A duration with its unit: `500ms`, `5s`, `2m`, `1h`. Zero is none.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    const EXPECTED: &str = "expected a whole number with its unit, such as 500ms, 5s, 2m or 1h";
    let unit_at = text.find(|letter: char| !letter.is_ascii_digit()).ok_or(EXPECTED)?;
    let (number, unit) = text.split_at(unit_at);
    let number: u64 = number.parse().map_err(|_| EXPECTED)?;
    let unit_ms = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" | "min" => 60_000,
        "h" => 3_600_000,
        _ => return Err(EXPECTED.to_owned()),
    };
    match number.checked_mul(unit_ms) {
        Some(0) => Err("must be more than 0".to_owned()),
        Some(ms) => Ok(Duration::from_millis(ms)),
        None => Err("too long".to_owned()),
    }
}

/// A duration of at most an hour.
pub fn parse_half_open(text: &str) -> Result<Duration, String> {
    match parse_duration(text)? {
        long if long > MAX_HALF_OPEN => Err("must be 1h at the most".to_owned()),
        duration => Ok(duration),
    }
}

/// A name that an interface can have (dev_valid_name in net/core/dev.c).
pub fn parse_interface(text: &str) -> Result<String, String> {
    let bad = |letter: char| letter == '/' || letter == ':' || letter.is_whitespace();
    match text {
        "" | "." | ".." => Err("no name of an interface".to_owned()),
        long if long.len() > MAX_INTERFACE_NAME => {
            Err(format!("the name of an interface has {MAX_INTERFACE_NAME} bytes at the most"))
        }
        name if name.contains(bad) => Err("no interface can have that name".to_owned()),
        name => Ok(name.to_owned()),
    }
}

/// An address with its port; a port alone is one of this host alone.
pub fn parse_listener(text: &str) -> Result<SocketAddr, String> {
    let alone = text.parse().ok().map(|port: u16| (Ipv4Addr::LOCALHOST, port).into());
    let address = alone.or_else(|| text.parse::<SocketAddr>().ok()).filter(|address| address.port() != 0);
    address
        .ok_or_else(|| "expected a port, such as 9435, or an address with it, such as [::1]:9435".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_need_a_unit_and_more_than_zero() {
        for (text, ms) in [("500ms", 500), ("5s", 5_000), ("2m", 120_000), ("1h", 3_600_000)] {
            assert_eq!(parse_duration(text), Ok(Duration::from_millis(ms)));
        }
        for text in ["", "5", "s", "-5s", "5 s", "5d", "1.5s", "0s", "0ms", "99999999999999999999s"] {
            assert!(parse_duration(text).is_err(), "{text}");
        }
        assert!(parse_duration("18446744073709551615h").is_err());
        assert!(parse_half_open("61m").is_err());
        assert!(parse_half_open("60m").is_ok());
    }

    #[test]
    fn a_port_alone_is_one_of_this_host() {
        for (text, address) in
            [("9435", "127.0.0.1:9435"), ("192.0.2.1:80", "192.0.2.1:80"), ("[::1]:9435", "[::1]:9435")]
        {
            assert_eq!(parse_listener(text).map(|address| address.to_string()), Ok(address.to_owned()));
        }
        for text in ["", "0", "65536", ":9435", "localhost:9435", "127.0.0.1", "127.0.0.1:0", "::1:9435x"] {
            assert!(parse_listener(text).is_err(), "{text}");
        }
    }

    #[test]
    fn interface_names_are_those_of_the_kernel() {
        for name in ["lo", "eth0", "br-1234567890ab", "eth0.10"] {
            assert!(parse_interface(name).is_ok(), "{name}");
        }
        for name in ["", ".", "a b", "a/b", "eth0:1", "sixteen_letters_"] {
            assert!(parse_interface(name).is_err(), "{name}");
        }
    }
}
