//! Which interfaces `--iface` means: one by its name, all whose names fit a pattern, or any.

use std::fmt;
use std::str::FromStr;

use glob::Pattern;

use super::values::parse_interface;

/// What one `--iface` means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Selector {
    /// The interface of this name.
    Name(String),
    /// Those whose names fit: `*` any text, `?` any letter, `[a-c]` one of these.
    Glob(Pattern),
    /// All but loopback.
    Any,
}

impl FromStr for Selector {
    type Err = String;

    fn from_str(text: &str) -> Result<Selector, String> {
        match text {
            "any" => Ok(Selector::Any),
            pattern if pattern.contains(['*', '?', '[']) => Pattern::new(pattern)
                .map(Selector::Glob)
                .map_err(|error| format!("no pattern: {}", error.msg)),
            name => parse_interface(name).map(Selector::Name),
        }
    }
}

impl Selector {
    /// Whether it means the interface of this name.
    pub fn takes(&self, name: &str, is_loopback: bool) -> bool {
        match self {
            Selector::Name(wanted) => wanted == name,
            Selector::Glob(pattern) => pattern.matches(name),
            Selector::Any => !is_loopback,
        }
    }
}

/// As it is written on the command line.
impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Selector::Name(name) => name,
            Selector::Glob(pattern) => pattern.as_str(),
            Selector::Any => "any",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_patterns_and_any() {
        let table = [
            ("eth0", "eth0", false, true),
            ("eth0", "eth01", false, false),
            ("veth*", "veth12ab", false, true),
            ("veth*", "eth0", false, false),
            ("eth?", "eth1", false, true),
            ("eth[0-2]", "eth3", false, false),
            ("*", "lo", true, true),
            ("any", "eth0", false, true),
            ("any", "lo", true, false),
        ];
        for (text, name, is_loopback, expected) in table {
            let selector: Selector = text.parse().expect(text);
            assert_eq!(selector.takes(name, is_loopback), expected, "{text} of {name}");
            assert_eq!(selector.to_string(), text);
        }
        for text in ["", "eth0:1", "eth[0", "a/b"] {
            assert!(text.parse::<Selector>().is_err(), "{text}");
        }
    }
}
