//! Hands `fuzz/src/target/request.rs` to libFuzzer.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| fuzz::run("request", input));
