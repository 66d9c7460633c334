//! Hands `fuzz/src/target/ops_crash.rs` to libFuzzer.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| fuzz::run("ops_crash", input));
