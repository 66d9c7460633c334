//! Hands `fuzz/src/target/definitions.rs` to libFuzzer.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| fuzz::run("definitions", input));
