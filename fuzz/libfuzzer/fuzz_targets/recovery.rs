//! Hands `fuzz/src/target/recovery.rs` to libFuzzer.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| fuzz::run("recovery", input));
