//! A short soak; `cargo xtask soak --minutes N` is a long one.

#[path = "../../xtask/src/soak/course.rs"]
mod course;
#[path = "kernel_support/guest.rs"]
mod guest;
#[path = "../../xtask/src/lab/mod.rs"]
mod lab;
#[path = "kernel_support/watch.rs"]
mod watch;

use std::time::Duration;

/// Hundreds of thousands of handshakes and SYNs are counted exactly, and leave nothing behind.
#[test]
fn nothing_grows_and_nothing_drifts() {
    let rounds = course::run(&watch::program(), Duration::ZERO, |round| println!("{round:?}"));
    let rounds = rounds.expect("a soak (root is needed)");
    assert!(rounds.iter().all(|round| round.slots_used > 0.1), "{rounds:?}");
    assert!(rounds.is_sorted_by_key(|round| round.suppressed), "what was left out is counted on: {rounds:?}");
}
