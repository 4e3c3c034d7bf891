//! Any bytes, as records of the ring buffer of an interface with any name.
#![no_main]

#[allow(dead_code, reason = "each target uses its own part")]
#[path = "../src/user.rs"]
mod user;

libfuzzer_sys::fuzz_target!(|input: &[u8]| user::record(input));
