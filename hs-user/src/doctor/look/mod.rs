//! Gathers the facts. It changes nothing, and what it can't see it leaves out.

mod interface;
mod machine;

use std::fs;
use std::path::Path;
use std::str::FromStr;

pub use interface::interfaces;
pub use machine::machine;

/// The value in a file that holds nothing else.
fn value<T: FromStr>(path: impl AsRef<Path>) -> Option<T> {
    fs::read_to_string(path).ok()?.trim().parse().ok()
}
