//! Hands `fuzz/src/target/frame.rs` to libFuzzer.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| fuzz::run("frame", input));
