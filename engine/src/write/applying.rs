//! Between the log and memory: a panic there leaves half a write, which nobody may be shown.
//!
//! The record is in the log's buffer, perhaps on the disk, and perhaps only a part of it in memory. So the database is *torn*: the log
//! takes nothing more, no read is answered, and no snapshot is made. A restart applies the whole record, or none of it.

use std::marker::PhantomData;

use stdx::sync::atomic::{AtomicBool, Ordering};
use storage::Vfs;

use crate::{Database, Error};

/// Whether a write was applied by half.
#[derive(Debug, Default)]
pub(crate) struct Torn(AtomicBool);

/// Held from a record's place in the log until it is applied. Made after the locks of the shards are taken, so that a panic is known
/// before they are free.
pub(super) struct Applying<'a, V: Vfs> {
    database: &'a Database<V>,
    /// It belongs to the thread that panics.
    _here: PhantomData<*const ()>,
}

impl<'a, V: Vfs> Applying<'a, V> {
    /// The record was appended.
    pub(super) fn begin(database: &'a Database<V>) -> Self {
        let applying = Self { database, _here: PhantomData };
        #[cfg(test)]
        tests::panic_if_planted();
        applying
    }
}

impl<V: Vfs> Drop for Applying<'_, V> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.database.torn.0.store(true, Ordering::Release);
            self.database.wal.poison("a defect of Larder: a panic while a write was applied");
        }
    }
}

impl<V: Vfs> Database<V> {
    /// True when a write was applied by half because of a defect: nothing is read or written any more, a restart recovers.
    #[must_use]
    pub fn is_torn(&self) -> bool {
        self.torn.0.load(Ordering::Acquire)
    }

    /// Asked once everything was read, under whichever locks: what is torn is told before the lock of what it tore is free.
    pub(crate) fn check_whole(&self) -> Result<(), Error> {
        if !self.is_torn() {
            return Ok(());
        }
        let message = "a write was applied by half, because of a defect that the log tells of: restart the server, it recovers";
        Err(Error::Internal(message.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::sync::Arc;

    use stdx::clock::ManualClock;
    use storage::fs::SimFs;

    use super::*;
    use crate::{Config, PutRequest, PutRowRequest, ReadOptions, ReadRequest, WriteOptions};

    thread_local! {
        static PLANTED: Cell<bool> = const { Cell::new(false) };
    }

    /// The next write of this thread panics once its record is in the log.
    pub(super) fn panic_if_planted() {
        assert!(!PLANTED.take(), "planted");
    }

    fn open(files: &SimFs) -> Database<SimFs> {
        let clock = Arc::new(ManualClock::at(1_000_000));
        Database::open(files.clone(), &Config::default(), clock).expect("it opens")
    }

    fn put(database: &Database<SimFs>, value: i64) -> Result<crate::Written, Error> {
        let row = [&[0b10][..], &value.to_le_bytes()].concat();
        let rows = vec![PutRowRequest { key: b"c", event_time: Some(value), row: &row }];
        database.put(&PutRequest { group: 0, features: 1, rows }, &WriteOptions::default())
    }

    fn read(database: &Database<SimFs>) -> Result<Option<i64>, Error> {
        let plan = database.plan_features(&["g:f"])?;
        let request =
            ReadRequest { keys: &[b"c"], request_rows: &[], options: ReadOptions::default() };
        let vectors = database.read(&plan, &request)?;
        let column = vectors.columns.get(0).expect("one column");
        let (_, value) = column.get(0).expect("one row");
        Ok(match value {
            Some(model::value::ValueRef::I64(number)) => Some(number),
            _ => None,
        })
    }

    #[test]
    fn a_panic_while_a_write_is_applied_is_seen_by_nobody_and_mended_by_a_restart() {
        let files = SimFs::new();
        let database = open(&files);
        let text = "[entity.e]\nkey = \"string\"\n[group.g]\nentity = \"e\"\n[group.g.features]\nf = \"i64\"\n";
        database.apply("f.toml", text, false).expect("valid");
        put(&database, 1).expect("taken").ticket.wait().expect("durable");
        PLANTED.set(true);
        assert!(catch_unwind(AssertUnwindSafe(|| put(&database, 2))).is_err());
        assert!(database.is_torn());
        let told = read(&database).expect_err("half a write is not shown").to_string();
        assert!(told.contains("restart"), "{told}");
        let told = put(&database, 3).expect_err("nothing is written").to_string();
        assert!(told.contains("panic"), "{told}");
        assert!(database.checkpoint(&mut |_| {}).is_err());
        drop(database);
        let database = open(&files);
        assert!(!database.is_torn());
        let value = read(&database).expect("whole");
        assert!(matches!(value, Some(1 | 2)), "all of the second write or none of it: {value:?}");
    }

    /// What broke: rows were copied into wider tables once definitions were in the log, which could fail; that was answered as if
    /// nothing had been done, and the next definitions were logged under the same version.
    #[test]
    fn what_is_in_a_row_does_not_keep_definitions_that_are_in_the_log_from_being_applied() {
        let files = SimFs::new();
        let database = open(&files);
        let narrow = "[entity.e]\nkey = \"string\"\n[group.g]\nentity = \"e\"\n[group.g.features]\nf = \"i64\"\nb = \"bool\"\n";
        database.apply("f.toml", narrow, false).expect("valid");
        put(&database, 1).expect("taken");
        // A cell that is no value of its type, as no write makes one.
        let hasher = database.shards.hasher();
        let shard = database.shards.route(b"d");
        let row = [&[0b1010][..], &7_i64.to_le_bytes(), &[9]].concat();
        let mut guard = database.shards.write_one(shard);
        guard.rows_mut(0).expect("row group").put_whole(hasher, b"d", 1, &row);
        drop(guard);
        let wide = format!("{narrow}c = \"i64\"\n");
        let applied = database.apply("f.toml", &wide, false).expect("no row is looked at");
        assert_eq!((applied.version, database.is_torn()), (2, false));
        put(&database, 3).expect("taken").ticket.wait().expect("durable");
        assert_eq!(read(&database).expect("whole"), Some(3));
        drop(database);
        let database = open(&files);
        assert_eq!((read(&database).expect("whole"), database.definitions_version()), (Some(3), 2));
    }
}
