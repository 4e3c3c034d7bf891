//! The dashboard on a screen of memory: what stands where, in a flood and in peace, on large and small screens,
//! with and without colour; and what the keys do.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod keys;
#[allow(dead_code, reason = "the tests of the reporters use the rest")]
#[path = "../report/samples.rs"]
mod samples;
mod scene;
mod screens;
