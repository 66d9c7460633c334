//! A segment of the log from bytes: flags, 64 bytes of header, batches.
//!
//! What recovery makes of it is what a look at it says, and a log that opens goes on.

use std::sync::Arc;

use storage::{
    Directory, Error, Lsn, SyncPolicy, Wal, WalConfig,
    fs::SimFs,
    inspect,
    wal::{Piece, Verdict, Work},
};

use crate::{base, seal};

const NAME: &str = "wal-00000000000000000001.log";
/// The checksums are made to fit.
const SEALED: u8 = 1;
/// The batches are chained.
const CHAINED: u8 = 2;
/// Unwritten space follows.
const ROOM: u8 = 4;
const HEADER_BYTES: usize = 64;

/// See the module.
pub(crate) fn run(input: &[u8]) {
    let Some((flags, rest)) = input.split_first() else { return };
    let (header, batches) = rest.split_at(rest.len().min(HEADER_BYTES));
    let mut bytes = header.to_vec();
    if !batches.is_empty() {
        bytes.resize(seal::BATCHES_AT, 0);
        bytes.extend_from_slice(batches);
    }
    if flags & SEALED != 0 {
        seal::segment(&mut bytes, flags & CHAINED != 0);
    }
    if flags & ROOM != 0 {
        bytes.resize(bytes.len() + 4096, 0);
    }
    let fs = SimFs::new();
    base::put_file(&fs, NAME, &bytes);
    // Where the batch of each record stands.
    let (mut batch_at, mut batches) = (0, Vec::new());
    let mut see = |_: &str, piece: Piece<'_>| match piece {
        Piece::Batch(batch) => batch_at = batch.offset,
        Piece::Record { .. } => batches.push(batch_at),
        Piece::Header(_) | Piece::Gap { .. } => {}
    };
    let found = inspect::walk(&fs, &mut see).expect("it can be read");
    let is_corrupt =
        |segment: &inspect::SegmentFound| matches!(segment.walked.verdict, Verdict::Corrupt { .. });
    let is_good = found.problems.is_empty() && !found.segments.iter().any(is_corrupt);
    let (records, opened) = open(&fs);
    assert_eq!(opened.is_ok(), is_good, "{:?} but {found:?}", opened.err());
    let Ok(wal) = opened else { return };
    // What stands behind an unfinished write is shown, and goes with it.
    let end = found.segments.last().map_or(0, |segment| segment.walked.end);
    assert_eq!(records, batches.iter().filter(|at| **at < end).count() as u64, "{found:?}");
    // A number at the end of all numbers leaves none for the next record.
    if wal.appended_lsn() < Lsn(u64::MAX / 2) {
        let appended = wal.append(1, b"next");
        let written = appended.and_then(|_| wal.step(Work::Write)).and_then(|()| wal.close());
        assert!(written.is_ok(), "{written:?}");
        drop(wal);
        fs.kill();
        let (again, opened) = open(&fs);
        assert!(opened.is_ok() && again == records + 1, "{records} records, then {again}");
    }
}

/// How many records there are, and the log.
fn open(fs: &SimFs) -> (u64, Result<Wal<SimFs>, Error>) {
    let config = WalConfig {
        sync: SyncPolicy::Always,
        segment_bytes: 8192,
        seed: 1,
        threaded: false,
        ..WalConfig::default()
    };
    let mut records = 0;
    let opened = Directory::open(fs.clone(), 1).and_then(|directory| {
        let directory = Arc::clone(&directory);
        let opened = Wal::open(&directory, config, base::clock(), &mut |_, _, _: &[u8]| {
            records += 1;
            Ok(())
        });
        opened.map(|(wal, _)| wal)
    });
    (records, opened)
}

/// A log that was closed, and one that was not.
pub(crate) fn seeds() -> Vec<Vec<u8>> {
    [true, false].map(seed).into_iter().collect()
}

fn seed(is_closed: bool) -> Vec<u8> {
    let fs = SimFs::new();
    let wal = open(&fs).1.expect("opens");
    for payload in [&b"one"[..], b"two", b"three"] {
        wal.append(7, payload).and_then(|_| wal.step(Work::Write)).expect("written");
    }
    if is_closed {
        wal.close().expect("closed");
    }
    let bytes = fs.bytes(NAME);
    let end = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    [&[SEALED | CHAINED | ROOM], &bytes[..HEADER_BYTES], &bytes[seal::BATCHES_AT..end]].concat()
}
