//! The bytes of format 1, as `docs/formats/wal.md` draws them. This file is opened by every later release.

#[path = "harness/example.rs"]
mod example;
mod harness;

use example::{append_each, open};
use harness::config;
use storage::{
    SyncPolicy, Vfs,
    fs::{SimFs, VFile},
};

/// The one segment of a small log.
const FIRST: &str = "wal-00000000000000000001.log";

const GOLDEN: &str = include_str!("golden/wal_v1.hex");

/// Header, then batches, in lines of 16 bytes; the zeros between are left out.
fn hex(bytes: &[u8]) -> String {
    let line = |(at, chunk): (usize, &[u8])| {
        let digits: Vec<_> = chunk.iter().map(|byte| format!("{byte:02x}")).collect();
        format!("{:04}: {}\n", at * 16, digits.join(" "))
    };
    bytes
        .chunks(16)
        .enumerate()
        .filter(|(_, chunk)| chunk.iter().any(|byte| *byte != 0))
        .map(line)
        .collect()
}

fn write_example(fs: &SimFs) {
    let (wal, ..) = open(fs, &config(SyncPolicy::Always)).expect("opens");
    append_each(&wal, &[b"one", b"two"]);
    wal.close().expect("closed");
}

#[test]
fn the_log_is_written_as_documented() {
    let fs = SimFs::new();
    write_example(&fs);
    let written = hex(&fs.bytes(FIRST));
    assert_eq!(
        written, GOLDEN,
        "the format changed: that needs a new version, not a new golden file"
    );
}

#[test]
fn the_golden_log_opens() {
    let fs = SimFs::new();
    let file = fs.create_new(FIRST, 8192).expect("made");
    for line in GOLDEN.lines() {
        let (at, digits) = line.split_once(": ").expect("an offset and bytes");
        let byte = |digits: &str| u8::from_str_radix(digits, 16).expect("hex");
        let bytes: Vec<u8> = digits.split(' ').map(byte).collect();
        file.write_at(at.parse().expect("an offset"), &bytes).expect("written");
    }
    let (_, report, records) = open(&fs, &config(SyncPolicy::Always)).expect("opens");
    assert_eq!(report.torn_tail, None);
    assert_eq!(records, [(1, 7, b"one".to_vec()), (2, 7, b"two".to_vec())]);
}
