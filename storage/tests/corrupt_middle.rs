//! Bit rot. Every single bit of a small sealed log is flipped in turn: no start may come up with other records than were
//! written, whatever the bit, and nothing on the disk may have been changed by a refused start.

#[path = "harness/example.rs"]
mod example;
mod harness;

use example::{append_each, open};
use harness::config;
use stdx::prng::Prng;
use storage::{Error, SyncPolicy, Vfs, fs::SimFs, wal::Work};

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

/// The seal holds no record, but the record behind it was acknowledged and cannot be reached without it.
#[test]
fn a_damaged_seal_before_the_last_record_is_no_torn_tail() {
    let fs = SimFs::new();
    let (wal, ..) = open(&fs, &config(SyncPolicy::Always)).expect("opens");
    append_each(&wal, &[b"one"]);
    wal.step(Work::Idle).expect("sealed");
    append_each(&wal, &[b"two"]);
    wal.abandon();
    drop(wal);
    let seal = 4096 + 48 + 5 + 3;
    for bit in seal * 8..(seal + 48) * 8 {
        let copy = fs.fork();
        copy.flip_bit(FIRST, bit);
        let error = open(&copy, &config(SyncPolicy::Always)).err();
        assert!(
            matches!(error, Some(Error::Corrupt { first_lsn: 2, last_lsn: 2, .. })),
            "bit {bit}: {error:?}"
        );
    }
}

/// Random damage to a log of several segments: whatever is hit, the start is refused or every acknowledged record is there.
#[test]
fn damage_anywhere_in_a_closed_log_loses_no_record_silently() {
    let fs = SimFs::new();
    let (wal, ..) = open(&fs, &config(SyncPolicy::Always)).expect("opens");
    let payloads: Vec<_> = (0..60_u8).map(|number| vec![number; 150]).collect();
    append_each(&wal, &payloads.iter().map(Vec::as_slice).collect::<Vec<_>>());
    wal.close().expect("closed and sealed");
    let names: Vec<_> =
        fs.list().expect("listed").into_iter().filter(|name| name != "LOCK").collect();
    let seed = std::env::var("LARDER_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or(1);
    let mut prng = Prng::new(seed);
    let mut refused = 0;
    for _ in 0..2000 {
        let copy = fs.fork();
        let mut pick = |bound: usize| usize::try_from(prng.below(bound as u64)).expect("small");
        let name = &names[pick(names.len())];
        let length = fs.bytes(name).len();
        for _ in 0..=pick(3) {
            copy.flip_bit(name, pick(length * 8));
        }
        match open(&copy, &config(SyncPolicy::Always)) {
            Err(Error::Corrupt { file, .. } | Error::Damaged { file, .. }) => {
                assert_eq!(&file, name, "seed {seed}");
                refused += 1;
            }
            Err(other) => panic!("seed {seed}: {other}"),
            Ok((.., records)) => {
                let left = records.iter().map(|(.., payload)| payload);
                assert!(left.eq(&payloads), "seed {seed}: {name} lost records silently");
            }
        }
    }
    assert!(refused > 500, "{refused} of 2000");
}
