//! The guests of `cargo xtask vm` do less of the same, because their processor is emulated. What they do less
//! of, they say: the line begins with `trimmed`, and the table at the end of the run repeats it.

#![allow(dead_code, reason = "its users include all of it, and none of them uses all of it")]

use std::fmt::Display;

/// Set by the guest's init.
const VM: &str = "HS_MON_VM";

/// Whether this is such a guest.
pub fn is_guest() -> bool {
    std::env::var_os(VM).is_some()
}

/// How much of something: `here`, or in a guest `there`.
pub fn unless_guest<T: Display>(what: &str, here: T, there: T) -> T {
    if !is_guest() {
        return here;
    }
    println!("trimmed {what}: {there} instead of {here}");
    there
}

/// Which of something, as names: `here`, or in a guest the fewer of `there`.
pub fn some_unless_guest<T: AsRef<str> + Copy>(what: &str, here: &[T], there: &[T]) -> Vec<T> {
    if !is_guest() {
        return here.to_vec();
    }
    let names: Vec<&str> = there.iter().map(AsRef::as_ref).collect();
    println!("trimmed {what}: {} of {}: {}", there.len(), here.len(), names.join(", "));
    there.to_vec()
}
