//! Hands `fuzz/src/target/catalog.rs` to libFuzzer.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| fuzz::run("catalog", input));
