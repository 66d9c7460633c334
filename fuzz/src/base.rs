//! The database that inputs are played against: small segments, no thread, a clock that stands still.

use std::sync::{Arc, OnceLock};

use engine::{
    Config, Database, Error, PutRequest, PutRowRequest, ScanCursor, StorageError, SyncPolicy,
    WriteOptions, offline,
};
use model::{
    packed_row::{Cell, write_row},
    value::{Value, ValueRef},
};
use stdx::clock::ManualClock;
use storage::{
    Lsn, Vfs,
    fs::{SimFs, VFile},
    wal::Work,
};

/// 2026-01-01T00:00:00Z.
const NOW: i64 = 1_767_225_600_000;

/// A row group and a window group.
pub(crate) const DEFINITIONS: &str = "
[entity.user]
key = \"string\"
[group.profile]
entity = \"user\"
[group.profile.features]
visits = \"i64\"
[stream.clicks]
event_time = \"at\"
event_id = \"id\"
dedup = \"1h\"
clock = \"event\"
[stream.clicks.fields]
id = \"string\"
user = \"string\"
at = \"timestamp\"
[group.clicking]
entity = \"user\"
stream = \"clicks\"
key = \"user\"
windows = [\"1h\"]
[group.clicking.features]
clicks = \"count(*)\"
last = \"last(id)\"
";

/// Keys of rows: few, so that they meet.
const KEYS: u8 = 8;

pub(crate) fn config() -> Config {
    Config {
        sync: SyncPolicy::Always,
        seed: 5,
        segment_bytes: 8192,
        checkpoint_every_ms: None,
        checkpoint_wal_bytes: None,
        ..Config::default()
    }
}

pub(crate) fn clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::at(NOW))
}

pub(crate) fn open(fs: &SimFs) -> Result<Database<SimFs>, Error> {
    Database::open_stepped(fs.clone(), &config(), clock())
}

/// Puts the row of `key`.
///
/// # Errors
/// Those of the engine.
pub(crate) fn put(database: &Database<SimFs>, key: u8, visits: i64) -> Result<Lsn, Error> {
    let group = database.group_index("profile")?;
    let (_, definitions) = database.definitions();
    let columns = definitions.groups[group].columns();
    let mut row = Vec::new();
    write_row(&mut row, &columns, [Cell::Value(ValueRef::I64(visits))])?;
    let key = name(key);
    let rows = vec![PutRowRequest { key: key.as_bytes(), event_time: Some(visits), row: &row }];
    let request = PutRequest { group, features: columns.len(), rows };
    Ok(database.put(&request, &WriteOptions::default())?.lsn)
}

/// Deletes the row of `key`.
///
/// # Errors
/// Those of the engine.
pub(crate) fn delete(database: &Database<SimFs>, key: u8) -> Result<Lsn, Error> {
    let group = database.group_index("profile")?;
    let key = name(key);
    Ok(database.delete(group, &[key.as_bytes()], &WriteOptions::default())?.lsn)
}

fn name(key: u8) -> String {
    format!("u{}", key % KEYS)
}

/// Writes and syncs what waits.
///
/// # Errors
/// Those of the log.
pub(crate) fn flush(database: &Database<SimFs>) -> Result<(), Error> {
    database.wal().step(Work::Write)?;
    Ok(database.wal().step(Work::Sync)?)
}

/// Every row of the group `profile`: key and visits, in the order of keys.
///
/// # Errors
/// Those of the engine.
pub(crate) fn rows(database: &Database<SimFs>) -> Result<Vec<(Vec<u8>, i64)>, Error> {
    let mut rows = Vec::new();
    let plan = database.plan_features(&["profile:visits"])?;
    let mut cursor = Some(ScanCursor::default());
    while let Some(from) = cursor {
        let page = database.scan(&plan, from, 100)?;
        for (row, key) in page.keys.iter().enumerate() {
            let value = page.columns[0].get(row)?.1.map(|value| value.to_owned());
            let Some(Value::I64(visits)) = value else { panic!("a row without visits: {value:?}") };
            rows.push((key.to_vec(), visits));
        }
        cursor = page.next;
    }
    rows.sort_unstable();
    Ok(rows)
}

/// Makes or replaces a file, synced.
pub(crate) fn put_file(fs: &SimFs, name: &str, bytes: &[u8]) {
    if fs.list().expect("listed").iter().any(|known| known == name) {
        fs.remove(name).expect("removed");
    }
    let file = fs.create_new(name, bytes.len() as u64).expect("made");
    file.write_at(0, bytes).and_then(|()| file.sync_data()).expect("written");
    fs.sync_dir().expect("synced");
}

/// A directory with both groups defined, nothing else; its log is closed.
pub(crate) fn defined() -> SimFs {
    static BASE: OnceLock<SimFs> = OnceLock::new();
    let make = || {
        let fs = SimFs::new();
        let database = open(&fs).expect("opens");
        database.apply("f.toml", DEFINITIONS, false).expect("valid");
        database.close().expect("closed");
        drop(database);
        fs.kill();
        fs
    };
    BASE.get_or_init(make).fork()
}

/// Opens what `fs` holds in every way there is: looking, checking, starting. All must judge alike; whatever starts is read, written
/// to and checkpointed. True when it starts.
pub(crate) fn judge_alike(fs: &SimFs) -> bool {
    let looked = offline::inspect(fs, &mut |_| ());
    let is_empty = matches!(looked, Err(Error::Storage(StorageError::NoDatabase { .. })));
    assert!(looked.is_ok() || is_empty, "a simulated disk can be read: {looked:?}");
    let report = offline::check(fs, clock()).expect("a simulated disk can be read");
    let opened = open(fs);
    let started = opened.as_ref().map(drop).map_err(ToString::to_string);
    if fs.list().expect("listed").iter().any(|name| name != "LOCK") && report.is_ok() {
        assert!(started.is_ok(), "check found nothing, but: {started:?}");
    }
    let Ok(database) = opened else {
        assert!(!report.starts, "check says that it starts, but: {started:?}");
        return false;
    };
    // What is damaged where nobody looked yet is told when it is used.
    let _ = database.digest();
    let _ = put(&database, 1, NOW);
    let _ = flush(&database);
    let _ = database.checkpoint(&mut |_| ());
    let _ = database.close();
    drop(database);
    fs.kill();
    true
}
