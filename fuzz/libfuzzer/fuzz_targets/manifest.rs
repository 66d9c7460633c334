//! Hands `fuzz/src/target/manifest.rs` to libFuzzer.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| fuzz::run("manifest", input));
