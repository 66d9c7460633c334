//! The files of logged reads: nothing in them that is not on the disk, nothing half, and no more of them than asked for.

use std::path::{Path, PathBuf};

use engine::{Lsn, ReadOptions};
use export::reads::{
    ReadFileReader, ReadLog, ReadLogCounts, ReadLogLimits, ReadLogReader, ReadSample,
};

use crate::world::{DEFINITIONS, Running, START, World, read};

const SERVICE: &str = "offer";

/// A read of two vectors.
fn sample(running: &Running) -> ReadSample {
    let mut plan = running.database.plan_service(SERVICE).expect("it is defined");
    let mut row = Vec::new();
    let fields = plan.request_fields().to_vec();
    let cells = [model::packed_row::Cell::Null, model::packed_row::Cell::Null];
    model::packed_row::write_row(&mut row, &fields, cells).expect("types match");
    let kinds = [model::key::KeyType::String, model::key::KeyType::I64];
    let shop = model::key::EntityKey::parse("s1|2", &kinds).expect("a key");
    let keys: [&[u8]; 4] = [b"ada", shop.as_bytes(), b"ben", shop.as_bytes()];
    read(&running.database, &mut plan, &keys, ReadOptions::default(), &row).expect("it is read")
}

fn files(history: &Path) -> Vec<PathBuf> {
    let files = ReadLogReader::new(history).files(SERVICE).expect("readable");
    files.into_iter().map(|file| file.path).collect()
}

/// A position that was never durable may be given again to another change: it must be in no file.
#[test]
fn a_sample_waits_until_the_log_is_on_the_disk() {
    let world = World::new();
    let running = world.open(DEFINITIONS);
    let sample = sample(&running);
    let position = sample.position();
    assert_eq!(position, running.database.wal().appended_lsn());
    let limits = ReadLogLimits { age_ms: 0, ..ReadLogLimits::default() };
    let mut log = ReadLog::open(&world.history(), limits).expect("opens");
    log.offer(sample);
    log.advance(Lsn(position.0 - 1), START).expect("there is room");
    assert!(!log.is_idle() && files(&world.history()).is_empty(), "it waits");
    log.advance(position, START).expect("there is room");
    assert!(log.is_idle());
    assert_eq!(log.counts(), ReadLogCounts { logged: 2, dropped: 0 });
    assert_eq!(files(&world.history()).len(), 1);
    // What a crash would lose is not waited for at the end either.
    log.offer(self::sample(&running));
    log.close(Lsn(position.0 - 1), START).expect("there is room");
    assert_eq!(files(&world.history()).len(), 1, "never durable, never written");
}

#[test]
#[expect(clippy::disallowed_methods, reason = "a bit is flipped on purpose")]
fn what_a_killed_process_left_is_removed_and_damage_is_told() {
    let world = World::new();
    let running = world.open(DEFINITIONS);
    let limits = ReadLogLimits { batch_rows: 1, ..ReadLogLimits::default() };
    let mut log = ReadLog::open(&world.history(), limits).expect("opens");
    log.offer(sample(&running));
    log.advance(Lsn::MAX, START).expect("there is room");
    assert!(files(&world.history()).is_empty(), "it has no name yet");
    let folder = world.history().join("reads").join(SERVICE);
    let left = entries(&folder);
    assert_eq!(left.len(), 1, "it is being written: {left:?}");
    // As a kill leaves it.
    std::mem::forget(log);
    let mut log = ReadLog::open(&world.history(), limits).expect("opens");
    assert!(entries(&folder).is_empty(), "nobody goes on with it");
    log.offer(sample(&running));
    log.close(Lsn::MAX, START).expect("there is room");
    let reader = ReadLogReader::new(&world.history());
    let file = reader.files(SERVICE).expect("readable").remove(0);
    assert!(ReadFileReader::open(&file).is_ok());
    let mut bytes = std::fs::read(&file.path).expect("readable");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&file.path, &bytes).expect("writable");
    let error = ReadFileReader::open(&file).map(drop).expect_err("a bit is wrong").to_string();
    assert!(error.contains("checksum in its name"), "{error}");
}

#[test]
fn old_files_go_and_too_many_samples_are_dropped() {
    let world = World::new();
    let later = DEFINITIONS
        .replace("log_reads = 1", "log_reads = { rate = 1, age = \"1h\", size = \"1MiB\" }");
    let running = world.open(&later);
    let limits = ReadLogLimits { age_ms: 0, waiting_bytes: 1, ..ReadLogLimits::default() };
    let mut log = ReadLog::open(&world.history(), limits).expect("opens");
    log.offer(sample(&running));
    assert_eq!(log.counts(), ReadLogCounts { logged: 0, dropped: 2 }, "there is no room to wait");
    let limits = ReadLogLimits { age_ms: 0, ..ReadLogLimits::default() };
    let mut log = ReadLog::open(&world.history(), limits).expect("opens");
    for minutes in [0, 30, 59, 61] {
        world.clock.set_wall_ms(START + minutes * 60_000);
        log.offer(sample(&running));
        log.advance(Lsn::MAX, START + minutes * 60_000).expect("there is room");
    }
    let names = entries(&world.history().join("reads").join(SERVICE));
    assert_eq!(names.len(), 3, "the first is older than an hour: {names:?}");
    assert!(names.iter().all(|name| !name.starts_with(&format!("{START:015}"))), "{names:?}");
}

fn entries(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).expect("it is there");
    let name = |entry: std::io::Result<std::fs::DirEntry>| {
        entry.expect("readable").file_name().to_string_lossy().into_owned()
    };
    entries.map(name).collect()
}
