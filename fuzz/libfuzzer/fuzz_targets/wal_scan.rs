//! Hands `fuzz/src/target/wal_scan.rs` to libFuzzer.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| fuzz::run("wal_scan", input));
