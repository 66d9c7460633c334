//! Hands `fuzz/src/target/expression.rs` to libFuzzer.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| fuzz::run("expression", input));
