//! How times, counts and rates are printed.

use std::fmt::{self, Display, Write as _, from_fn};
use std::io::Write as _;

use hs_common::config::NS_PER_SEC;
use jiff::Timestamp;
use serde::{Serialize, Serializer};

use super::digits::{number, six_digits};

/// Turns nanoseconds since 1970 into text. Remembers the last second that it formatted: events come
/// by the thousand within one.
pub struct Clock {
    second: u64,
    text: String,
}

impl Clock {
    /// A clock that has formatted nothing yet.
    pub const fn new() -> Clock {
        Clock { second: u64::MAX, text: String::new() }
    }

    /// A time, in UTC.
    pub fn at(&mut self, unix_ns: u64) -> Stamp<'_> {
        let second = unix_ns / NS_PER_SEC;
        if second != self.second {
            self.second = second;
            self.text.clear();
            // Cannot fail: 2^64 ns end in 2554, and writing to a string has no errors.
            let time = i64::try_from(second).ok().and_then(|second| Timestamp::from_second(second).ok());
            let time = time.unwrap_or(Timestamp::UNIX_EPOCH);
            let _ = write!(self.text, "{}", time.strftime("%Y-%m-%dT%H:%M:%S"));
        }
        Stamp { second: &self.text, micros: (unix_ns % NS_PER_SEC / 1000) as u32 }
    }
}

/// A time, printed as RFC 3339 in UTC with microseconds.
#[derive(Clone, Copy)]
pub struct Stamp<'a> {
    second: &'a str,
    micros: u32,
}

impl<'a> Stamp<'a> {
    /// The date: `2026-11-22`.
    pub fn date(&self) -> &'a str {
        self.second.get(..10).unwrap_or_default()
    }

    /// Appends what [`Stamp::time`] shows.
    pub fn push_time(&self, line: &mut Vec<u8>) {
        line.extend_from_slice(self.second.get(11..).unwrap_or_default().as_bytes());
        line.push(b'.');
        six_digits(line, self.micros);
    }

    /// Appends what is printed.
    pub fn push(&self, line: &mut Vec<u8>) {
        line.extend_from_slice(self.second.as_bytes());
        line.push(b'.');
        six_digits(line, self.micros);
        line.extend_from_slice(b"+00:00");
    }

    /// The time of day to the microsecond: `12:00:00.123456`.
    pub fn time(&self) -> impl Display + use<'a> {
        let (time, micros) = (self.second.get(11..).unwrap_or_default(), self.micros);
        from_fn(move |f| write!(f, "{time}.{micros:06}"))
    }
}

impl Display for Stamp<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:06}+00:00", self.second, self.micros)
    }
}

impl Serialize for Stamp<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Appends what [`rtt`] shows. Round trips below a millisecond, as hosts of one network have, do not go
/// through `core::fmt`.
pub fn push_rtt(line: &mut Vec<u8>, us: u32) {
    if us < 1_000 {
        number(line, us);
        line.extend_from_slice(" µs".as_bytes());
    } else {
        // Cannot fail: a vector takes anything.
        let _ = write!(line, "{}", rtt(us));
    }
}

/// A round-trip time in microseconds, in the unit that suits it, with three significant digits.
pub fn rtt(us: u32) -> impl Display {
    from_fn(move |f| match us {
        0..1_000 => write!(f, "{us} µs"),
        // Where milliseconds would be rounded to four digits, seconds begin.
        1_000..999_500 => write!(f, "{} ms", three_digits(f64::from(us) / 1e3)),
        _ => write!(f, "{} s", three_digits(f64::from(us) / 1e6)),
    })
}

/// How long something took, in nanoseconds: seconds, or minutes from two of them on.
pub fn span(ns: u64) -> impl Display {
    from_fn(move |f| match ns / NS_PER_SEC {
        0..120 => write!(f, "{:.1} s", ns as f64 / 1e9),
        seconds => write!(f, "{} min {} s", count(seconds / 60), seconds % 60),
    })
}

/// A whole number with separators: `1,234,567`.
pub fn count(number: u64) -> impl Display {
    from_fn(move |f| {
        let digits = number.to_string();
        let mut grouped = String::with_capacity(digits.len() * 4 / 3);
        for (index, digit) in digits.char_indices() {
            if index > 0 && (digits.len() - index).is_multiple_of(3) {
                grouped.push(',');
            }
            grouped.push(digit);
        }
        f.pad(&grouped)
    })
}

/// Something per second: whole from 10 on.
pub fn rate(per_second: f64) -> impl Display {
    from_fn(move |f| match finite(per_second) {
        slow if slow < 9.95 => write!(f, "{slow:.1}"),
        fast => count(fast.round() as u64).fmt(f),
    })
}

/// A share of 1 in per cent.
pub fn percent(share: f64) -> impl Display {
    from_fn(move |f| f.pad(&format!("{:.1} %", finite(share) * 100.0)))
}

/// `part` of `whole` in per cent; a dash if there is no whole.
pub fn part_of(part: u64, whole: u64) -> impl Display {
    from_fn(move |f| match whole {
        0 => f.pad("–"),
        _ => percent(part as f64 / whole as f64).fmt(f),
    })
}

/// A measure rounded for JSON. Neither infinity nor NaN has a notation there (RFC 8259 6).
pub fn rounded(number: f64, decimals: i32) -> f64 {
    let scale = 10f64.powi(decimals);
    (finite(number) * scale).round() / scale
}

fn finite(number: f64) -> f64 {
    if number.is_finite() { number } else { 0.0 }
}

fn three_digits(number: f64) -> impl Display {
    let decimals = match number {
        small if small < 9.995 => 2,
        middle if middle < 99.95 => 1,
        _ => 0,
    };
    from_fn(move |f| write!(f, "{number:.decimals$}"))
}

/// A foreign name with what a terminal could take for a command, or for another order of the
/// letters, made visible.
pub fn escaped(name: &str) -> impl Display + use<'_> {
    from_fn(move |f| {
        name.chars().try_for_each(|letter| match letter {
            '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {
                write!(f, "{}", letter.escape_unicode())
            }
            _ if letter.is_control() => write!(f, "{}", letter.escape_default()),
            _ => f.write_char(letter),
        })
    })
}

/// The same of a text of several lines, which stay lines.
pub fn escaped_lines(text: &str) -> impl Display + use<'_> {
    from_fn(move |f| {
        text.split('\n').enumerate().try_for_each(|(number, line)| {
            f.write_str(if number == 0 { "" } else { "\n" })?;
            escaped(line).fmt(f)
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_rfc_3339_and_the_second_is_remembered() {
        let mut clock = Clock::new();
        let at = 1_795_348_800 * NS_PER_SEC + 123_456_789;
        assert_eq!(clock.at(at).to_string(), "2026-11-22T12:00:00.123456+00:00");
        assert_eq!(clock.at(at + 1000).to_string(), "2026-11-22T12:00:00.123457+00:00");
        assert_eq!(clock.at(at + NS_PER_SEC).time().to_string(), "12:00:01.123456");
        assert_eq!(clock.at(0).to_string(), "1970-01-01T00:00:00.000000+00:00");
        assert_eq!(clock.at(u64::MAX).date(), "2554-07-21");
    }

    #[test]
    fn round_trip_times_have_three_digits() {
        let table = [
            (0, "0 µs"),
            (312, "312 µs"),
            (999, "999 µs"),
            (1_000, "1.00 ms"),
            (9_994, "9.99 ms"),
            (9_996, "10.0 ms"),
            (88_149, "88.1 ms"),
            (99_960, "100 ms"),
            (999_499, "999 ms"),
            (999_500, "1.00 s"),
            (63_000_000, "63.0 s"),
            (u32::MAX, "4295 s"),
        ];
        for (us, text) in table {
            assert_eq!(rtt(us).to_string(), text);
            let mut line = Vec::new();
            push_rtt(&mut line, us);
            assert_eq!(line, text.as_bytes());
        }
    }

    #[test]
    fn counts_are_grouped_and_rates_whole() {
        for (number, text) in [(0, "0"), (999, "999"), (1000, "1,000"), (1_234_567, "1,234,567")] {
            assert_eq!(count(number).to_string(), text);
        }
        assert_eq!(format!("[{:>7}]", count(1234)), "[  1,234]");
        assert_eq!(rate(5011.7).to_string(), "5,012");
        assert_eq!(rate(0.25).to_string(), "0.2");
        assert_eq!(rate(f64::NAN).to_string(), "0.0");
        assert_eq!(percent(0.002).to_string(), "0.2 %");
        assert_eq!(part_of(1, 0).to_string(), "–");
        assert!((rounded(0.123_456, 4) - 0.1235).abs() < f64::EPSILON);
        assert!(rounded(f64::INFINITY, 1).abs() < f64::EPSILON);
    }

    #[test]
    fn spans_change_to_minutes() {
        assert_eq!(span(12_340_000_000).to_string(), "12.3 s");
        assert_eq!(span(125 * NS_PER_SEC).to_string(), "2 min 5 s");
    }

    #[test]
    fn no_control_character_of_a_name_survives() {
        let name = "a\x1b[31m\u{9b}2J\n\u{202e}é";
        assert_eq!(escaped(name).to_string(), "a\\u{1b}[31m\\u{9b}2J\\n\\u{202e}é");
    }
}
