//! Any bytes, as a capture that is replayed.
#![no_main]

#[allow(dead_code, reason = "each target uses its own part")]
#[path = "../src/user.rs"]
mod user;

libfuzzer_sys::fuzz_target!(|input: &[u8]| user::replay(input));
