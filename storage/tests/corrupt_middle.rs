//! Bit rot. Every single bit of a small sealed log is flipped in turn: no start may come up with other records than were
//! written, whatever the bit, and nothing on the disk may have been changed by a refused start.

#[path = "harness/example.rs"]
mod example;
mod harness;

use example::{append_each, open};
use harness::config;
use storage::{Error, SyncPolicy, fs::SimFs};

/// The one segment of a small log.
const FIRST: &str = "wal-00000000000000000001.log";

fn sealed_log() -> SimFs {
    let fs = SimFs::new();
    let (wal, ..) = open(&fs, &config(SyncPolicy::Always)).expect("opens");
    append_each(&wal, &[b"one", b"two", b"three"]);
    wal.close().expect("closed and sealed");
    fs
}

#[test]
fn every_flipped_bit_of_acknowledged_records_refuses_the_start() {
    let fs = sealed_log();
    let bytes = fs.bytes(FIRST);
    let end = bytes.iter().rposition(|byte| *byte != 0).expect("not empty") + 1;
    let seal = end - 48;
    let (mut refused, mut harmless) = (0, 0);
    for bit in (0..64 * 8).chain(4096 * 8..end * 8) {
        let copy = fs.fork();
        copy.flip_bit(FIRST, bit);
        let damaged = copy.bytes(FIRST);
        match open(&copy, &config(SyncPolicy::Always)) {
            Err(Error::Corrupt { file, .. }) => {
                assert_eq!(file, FIRST);
                assert_eq!(
                    copy.bytes(FIRST),
                    damaged,
                    "a refused start changes nothing (bit {bit})"
                );
                refused += 1;
            }
            Err(other) => panic!("bit {bit}: {other}"),
            // The seal itself holds no record: losing it loses nothing.
            Ok((_, report, records)) => {
                assert!(bit / 8 >= seal, "bit {bit} went unnoticed");
                assert!(report.torn_tail.is_some() && records.len() == 3);
                harmless += 1;
            }
        }
    }
    assert_eq!((refused, harmless), (64 * 8 + (seal - 4096) * 8, 48 * 8));
}

#[test]
fn the_error_names_file_offset_and_records() {
    let fs = sealed_log();
    // In the second batch: each has 48 bytes of header and 5 before the payload.
    fs.flip_bit(FIRST, (4096 + 48 + 5 + 3 + 20) * 8);
    let error = open(&fs, &config(SyncPolicy::Always)).err().expect("refused").to_string();
    for part in [FIRST, "byte 4152", "records 2 to 3", "backup"] {
        assert!(error.contains(part), "{part} is missing in: {error}");
    }
}
