//! Hands `fuzz/src/target/sections.rs` to libFuzzer.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| fuzz::run("sections", input));
