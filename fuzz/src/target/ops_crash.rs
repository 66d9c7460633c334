//! Operations, crashes and faults from bytes against a map: after every start the rows are those after a prefix of what was
//! written, and that prefix holds everything that was called safe.
//!
//! An operation is two bytes: what, and with what.

use std::collections::BTreeMap;

use engine::{Database, Error, StorageError};
use stdx::prng::Prng;
use storage::{Lsn, fs::SimFs, wal::Work};

use crate::base;

/// Operations of one input: what comes behind is ignored.
const OPERATIONS_MAX: usize = 400;

/// One thing that was written.
#[derive(Debug, Clone, Copy)]
enum Write {
    Put(u8, i64),
    Delete(u8),
}

/// What the outside world knows.
#[derive(Debug, Default)]
struct World {
    /// Since the definitions, in the order of the log.
    writes: Vec<Write>,
    /// Writes that survive a power cut.
    durable: usize,
    /// Writes that survive the end of the process.
    written: usize,
    /// Grows with every put: the newest event time wins.
    time: i64,
}

impl World {
    /// The rows after the first `count` writes.
    fn rows(&self, count: usize) -> Vec<(Vec<u8>, i64)> {
        let mut rows = BTreeMap::new();
        for write in self.writes.iter().take(count) {
            match write {
                Write::Put(key, visits) => drop(rows.insert(*key, *visits)),
                Write::Delete(key) => drop(rows.remove(key)),
            }
        }
        rows.into_iter().map(|(key, visits)| (format!("u{key}").into_bytes(), visits)).collect()
    }

    /// What the log says now.
    fn note(&mut self, database: &Database<SimFs>) {
        // Record 1 is the definitions.
        let count = |Lsn(lsn): Lsn| usize::try_from(lsn.saturating_sub(1)).expect("few");
        let wal = database.wal();
        self.durable = self.durable.max(count(wal.durable_lsn()));
        self.written = self.written.max(count(wal.written_lsn()));
    }

    /// After a start.
    fn check(&mut self, database: &Database<SimFs>) {
        let left = usize::try_from(database.wal().appended_lsn().0 - 1).expect("few");
        let safe = self.durable.max(self.written);
        assert!(
            (safe..=self.writes.len()).contains(&left),
            "{safe} safe, {left} left, {} written",
            self.writes.len()
        );
        self.writes.truncate(left);
        (self.durable, self.written) = (left, left);
        let rows = base::rows(database).expect("whole");
        assert_eq!(rows, self.rows(left), "after {left} writes");
    }
}

/// See the module.
pub(crate) fn run(input: &[u8]) {
    let fs = base::defined();
    let mut world = World::default();
    let mut database = Some(base::open(&fs).expect("opens"));
    for [what, with] in input.as_chunks::<2>().0.iter().take(OPERATIONS_MAX) {
        let Some(open) = &database else {
            database = start(&fs, &mut world);
            continue;
        };
        let done = operate(open, &fs, &mut world, *what, *with);
        world.note(open);
        match done {
            Ok(false) => {}
            Ok(true) => {
                database = None;
                end(&fs, &mut world, *what, *with);
            }
            Err(Error::Storage(
                StorageError::Poisoned(_) | StorageError::Io { .. } | StorageError::Full(_),
            )) => {}
            Err(other) => panic!("{other}"),
        }
    }
    drop(database);
    fs.set_capacity(None);
    fs.kill();
    start(&fs, &mut world).expect("no fault is left");
}

/// Does one thing; true when it ends the process.
fn operate(
    database: &Database<SimFs>,
    fs: &SimFs,
    world: &mut World,
    what: u8,
    with: u8,
) -> Result<bool, Error> {
    let key = with % 8;
    match what % 16 {
        0..=4 => {
            world.time += 1;
            base::put(database, key, world.time)?;
            world.writes.push(Write::Put(key, world.time));
        }
        5 => {
            base::delete(database, key)?;
            world.writes.push(Write::Delete(key));
        }
        6 | 7 => database.wal().step(Work::Write)?,
        8 => database.wal().step(Work::Sync)?,
        9 => drop(database.checkpoint(&mut |_| ())?),
        10 => fs.fail_at(fs.operations() + 1 + u64::from(with % 32)),
        11 => fs.power_off_at(fs.operations() + 1 + u64::from(with % 32)),
        12 => fs.set_capacity(with.is_multiple_of(2).then_some(24_000)),
        13 => {
            assert_eq!(
                base::rows(database)?,
                world.rows(world.writes.len()),
                "what was written is read"
            );
        }
        14 => {
            database.close()?;
            return Ok(true);
        }
        _ => {
            database.abandon();
            return Ok(true);
        }
    }
    Ok(false)
}

/// The process has ended: so, or with the power.
fn end(fs: &SimFs, world: &mut World, what: u8, with: u8) {
    fs.set_capacity(None);
    if what % 16 == 14 || with.is_multiple_of(2) {
        fs.kill();
    } else {
        fs.crash(&mut Prng::new(with.into()));
        world.written = world.durable;
    }
}

/// Opens; faults that were planted may keep it from that.
fn start(fs: &SimFs, world: &mut World) -> Option<Database<SimFs>> {
    match base::open(fs) {
        Ok(database) => {
            world.check(&database);
            Some(database)
        }
        Err(Error::Storage(StorageError::Io { .. } | StorageError::Full(_))) => {
            fs.set_capacity(None);
            fs.kill();
            None
        }
        Err(other) => panic!("{other}"),
    }
}

/// A life with everything in it.
pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let usual =
        vec![0, 1, 0, 2, 6, 0, 8, 0, 5, 1, 13, 0, 9, 0, 1, 3, 2, 4, 6, 0, 15, 1, 0, 0, 13, 0];
    let failing = vec![0, 1, 10, 3, 6, 0, 0, 2, 6, 0, 15, 1, 0, 0, 0, 5, 9, 0, 14, 0, 0, 0, 13, 0];
    let full =
        vec![0, 1, 12, 0, 3, 2, 6, 0, 9, 0, 12, 1, 6, 0, 11, 4, 0, 1, 6, 0, 15, 3, 0, 0, 0, 7];
    let many = (0..120_u8).flat_map(|step| [step.wrapping_mul(7), step.wrapping_mul(31)]).collect();
    vec![usual, failing, full, many]
}
