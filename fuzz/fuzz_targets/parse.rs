//! Any bytes, as a packet of any link layer.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| hs_mon_fuzz::parse(input));
