//! One pair of benches for all tests of the process that need no settings of their own: the verifier takes
//! longer than the tests.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Mutex, PoisonError};

use crate::bench::Bench;

/// For the hooks, and for replay.
static BENCHES: Mutex<Option<[Bench; 2]>> = Mutex::new(None);

/// Lends the benches. Cases leave nothing pending, and each has a flow of its own; after a test that failed the
/// next one gets new ones.
pub fn with<T>(work: impl FnOnce(&mut [Bench; 2]) -> T) -> T {
    let mut benches = BENCHES.lock().unwrap_or_else(PoisonError::into_inner);
    let lent = benches.get_or_insert_with(|| [Bench::roomy(false), Bench::roomy(true)]);
    match catch_unwind(AssertUnwindSafe(|| work(lent))) {
        Ok(done) => done,
        Err(panic) => {
            *benches = None;
            resume_unwind(panic)
        }
    }
}
