//! What the fuzzers of the user side do, without a fuzzer: their corpus, and a bounded number of mutations of it.

#[path = "../../fuzz/src/mutations.rs"]
mod mutations;
#[path = "../../fuzz/src/user.rs"]
mod user;

use mutations::fuzz;

#[test]
fn captures() {
    fuzz("capture", user::capture);
}

#[test]
fn replays() {
    fuzz("replay", user::replay);
}

#[test]
fn configurations() {
    fuzz("config", user::config);
}

#[test]
fn records_of_the_ring_buffer() {
    fuzz("record", user::record);
}
