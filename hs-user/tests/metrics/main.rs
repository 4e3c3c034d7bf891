//! What a scrape is told, and that all that names a metric knows its name.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod docs;
mod endpoint;
mod exposition;
#[allow(dead_code, reason = "the tests of the reporters use the rest")]
#[path = "../report/samples.rs"]
mod samples;
mod shipped;
