//! Any segments, at any time, on a few tuples.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| hs_mon_fuzz::engine(input));
