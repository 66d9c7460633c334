//! The files of logged reads: nothing in them that is not on the disk, nothing half, and no more of them than asked for.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use engine::{Lsn, PutRequest, PutRowRequest, ReadOptions, WriteOptions};
use export::file::{FileFormat, TableReader};
use export::history;
use export::reads::{
    ReadFileReader, ReadLog, ReadLogCounts, ReadLogLimits, ReadLogReader, ReadSample, check,
};
use model::definition::History;
use model::packed_row::{Cell, write_row};
use model::value::ValueRef;

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

/// A backup lists them, then copies the database: a read that was logged meanwhile may have seen what that copy does not have, and
/// would be different from it for ever.
#[test]
fn reads_that_are_logged_after_the_listing_stay_out_of_a_backup() {
    let world = World::new();
    let running = world.open(DEFINITIONS);
    let limits = ReadLogLimits { age_ms: 0, ..ReadLogLimits::default() };
    let mut log = ReadLog::open(&world.history(), limits).expect("opens");
    let mut read_at = |at: i64| {
        world.clock.set_wall_ms(at);
        log.offer(sample(&running));
        log.advance(Lsn::MAX, at).expect("there is room");
    };
    read_at(START);
    let listed = ReadLogReader::new(&world.history()).all().expect("readable");
    read_at(START + 1000);
    log.close(Lsn::MAX, START + 1000).expect("there is room");
    world.close(running);
    let backup = tempfile::tempdir().expect("a directory");
    let target = backup.path().join(history::DIRECTORY);
    history::copy(&world.history(), &target, &listed, &mut |_| Ok(())).expect("it is copied");
    let names = |root: &Path| entries(&root.join("reads").join(SERVICE));
    let (there, copied) = (names(&world.history()), names(&target));
    assert_eq!((there.len(), copied.len()), (2, 1), "{there:?} {copied:?}");
    assert!(copied[0].starts_with(&format!("{START:015}")), "the one that was listed: {copied:?}");
}

/// Files of a service stayed for ever once nobody read it any more, or its `log_reads` was taken out.
#[test]
fn what_is_too_old_goes_by_the_clock_when_nobody_reads_any_more() {
    let world = World::new();
    let later = DEFINITIONS.replace("log_reads = 1", "log_reads = { rate = 1, age = \"1h\" }");
    let running = world.open(&later);
    let limits = ReadLogLimits { age_ms: 0, ..ReadLogLimits::default() };
    let mut log = ReadLog::open(&world.history(), limits).expect("opens");
    for minutes in [0, 30] {
        world.clock.set_wall_ms(START + minutes * 60_000);
        log.offer(sample(&running));
        log.advance(Lsn::MAX, START + minutes * 60_000).expect("there is room");
    }
    drop(log);
    // Another process, in which nothing is read.
    let mut log = ReadLog::open(&world.history(), limits).expect("opens");
    let day = |_: &str| Some(History { age_ms: Some(86_400_000), bytes: None });
    for (minutes, kept, left) in [
        (61, &day as &dyn Fn(&str) -> Option<History>, 2),
        // Within a minute nobody looks again.
        (61, &|_| None, 2),
        (63, &|_| None, 1),
        (89, &|service| day(service), 1),
        (91, &|_| None, 0),
    ] {
        log.retain(kept, START + minutes * 60_000).expect("they can be removed");
        assert_eq!(files(&world.history()).len(), left, "{minutes} minutes later");
    }
    log.set_has_room(false);
    log.offer(sample(&running));
    assert_eq!(log.counts(), ReadLogCounts { logged: 0, dropped: 2 }, "the disk has no room");
}

/// Where one file alone was too much there was never any.
#[test]
fn the_newest_file_stays_however_small_the_limit() {
    let world = World::new();
    let running = world.open(DEFINITIONS);
    let limits = ReadLogLimits { age_ms: 0, ..ReadLogLimits::default() };
    let mut log = ReadLog::open(&world.history(), limits).expect("opens");
    for minutes in [0, 1] {
        world.clock.set_wall_ms(START + minutes * 60_000);
        log.offer(sample(&running));
        log.advance(Lsn::MAX, START + minutes * 60_000).expect("there is room");
    }
    let newest = files(&world.history()).into_iter().max();
    assert_eq!(files(&world.history()).len(), 2);
    let little = |_: &str| Some(History { age_ms: None, bytes: Some(1) });
    log.retain(&little, START + 120_000).expect("it can be removed");
    let left = files(&world.history());
    assert!(left.len() == 1 && left.first() == newest.as_ref(), "{left:?}");
}

#[test]
#[expect(clippy::disallowed_methods, reason = "a bit is flipped, and a file put elsewhere")]
fn a_check_finds_what_is_damaged_or_lies_elsewhere() {
    let world = World::new();
    let running = world.open(DEFINITIONS);
    assert_eq!(check(&world.history()).expect("read"), None);
    let mut log = ReadLog::open(&world.history(), ReadLogLimits::default()).expect("opens");
    log.offer(sample(&running));
    log.close(Lsn::MAX, START).expect("there is room");
    let whole = check(&world.history()).expect("read").expect("there are some");
    assert_eq!((whole.files, whole.vectors, whole.problems.len()), (1, 2, 0));
    let path = files(&world.history()).remove(0);
    assert_eq!(whole.bytes, path.metadata().expect("it is there").len());
    let bytes = std::fs::read(&path).expect("readable");
    for at in 0..bytes.len() {
        if at % 211 > 0 && at + 1 < bytes.len() {
            continue;
        }
        let mut damaged = bytes.clone();
        damaged[at] ^= 4;
        std::fs::write(&path, damaged).expect("writable");
        let found = check(&world.history()).expect("read").expect("there are some");
        assert_eq!((found.vectors, found.problems.len()), (0, 1), "byte {at}");
        assert!(found.problems[0].file == path && found.problems[0].what.contains("checksum"));
    }
    std::fs::write(&path, &bytes[..bytes.len() / 2]).expect("writable");
    let found = check(&world.history()).expect("read").expect("there are some");
    assert_eq!(found.problems.len(), 1, "cut off");
    let other = world.history().join("reads/other");
    std::fs::create_dir(&other).expect("made");
    std::fs::remove_file(&path).expect("removed");
    std::fs::write(other.join(path.file_name().expect("a name")), &bytes).expect("writable");
    let found = check(&world.history()).expect("read").expect("there are some").problems;
    assert!(found.len() == 1 && found[0].what.contains("of service offer"), "{found:?}");
}

/// Entities, features, request and derived values called as the log's own columns.
#[test]
fn names_of_own_columns_may_be_names_of_users() {
    const CLASHING: &str = r#"
[entity.read_at]
key = "string"
[group.as_of]
entity = "read_at"
history = true
features = { snap = "i64", exclusive = "string", as_of__as_of = "i64", snap__status = "string" }
[service.offer]
features = ["as_of:*"]
log_reads = 1
[service.offer.request]
asked_as_of = "f64"
[service.offer.derived]
read_at__seen = "snap + 1"
as_of = "asked_as_of * 2"
"#;
    let world = World::new();
    let mut running = world.open(CLASHING);
    let (_, definitions) = running.database.definitions();
    let features = definitions.groups[0].columns();
    let (mut row, mut request) = (Vec::new(), Vec::new());
    let text = |text| Cell::Value(ValueRef::String(text));
    let cells = [Cell::Value(ValueRef::I64(7)), text("no"), Cell::Null, text("yes")];
    write_row(&mut row, &features, cells).expect("types match");
    let rows = [PutRowRequest { key: b"ada", event_time: Some(START), row: &row }];
    let put = PutRequest { group: 0, features: features.len(), rows: rows.into_iter().collect() };
    running.database.put(&put, &WriteOptions::default()).expect("it is taken");
    let mut plan = running.database.plan_service(SERVICE).expect("it is defined");
    write_row(&mut request, plan.request_fields(), [Cell::Value(ValueRef::F64(1.5))])
        .expect("types match");
    let keys: [&[u8]; 4] = [b"ada", b"", b"nobody", b""];
    let read = read(&running.database, &mut plan, &keys, ReadOptions::default(), &request);
    running.log.offer(read.expect("it is read"));
    world.close(running);
    let report = world.verify(1 << 30);
    assert_eq!((report.reads, report.different, report.values), (2, 0, 2 * 6), "{report:?}");
    let path = files(&world.history()).remove(0);
    let schema = TableReader::open(&path, Some(FileFormat::Arrow)).expect("readable").schema();
    let names: Vec<_> = schema.fields().iter().map(|field| field.name().as_str()).collect();
    assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), names.len(), "{names:?}");
    for user in ["snap", "as_of", "asked_as_of", "as_of__as_of", "read_at__seen", "snap__status"] {
        let field = schema.field_with_name(user).expect("users keep their names");
        let role = field.metadata()["larder.role"].as_str();
        assert!(matches!(role, "feature" | "request"), "{user} is {role}");
    }
}

fn entries(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).expect("it is there");
    let name = |entry: std::io::Result<std::fs::DirEntry>| {
        entry.expect("readable").file_name().to_string_lossy().into_owned()
    };
    entries.map(name).collect()
}
