//! Hands `fuzz/src/target/snapshot_open.rs` to libFuzzer.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| fuzz::run("snapshot_open", input));
