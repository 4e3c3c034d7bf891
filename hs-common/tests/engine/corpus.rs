//! What the fuzzers do, without a fuzzer: their corpus, and a bounded number of mutations of it.

#[path = "../../../fuzz/src/lib.rs"]
pub mod harness;
#[path = "../../../fuzz/src/mutations.rs"]
mod mutations;

use mutations::fuzz;

#[test]
fn parse() {
    fuzz("parse", harness::parse);
}

#[test]
fn engine() {
    fuzz("engine", harness::engine);
}
