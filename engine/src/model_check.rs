//! What `loom-tests` sees of the engine: the places where threads meet, each as it is, and nothing else. Compiled under
//! `--cfg loom` only; none of it is part of the interface.

use model::{
    definition::Field,
    name::Name,
    packed_row::Cell,
    value::{DataType, ValueRef},
};
use stdx::{
    hash::KeyHasher,
    sync::{Arc, Mutex, MutexGuard, RwLockReadGuard, RwLockWriteGuard},
};
use storage::Lsn;

use crate::{
    Outcome, ProducerId,
    base::Records,
    producer::{Known, Producer, Producers},
    rows::{RowLayout, RowTable},
    shard::{ShardLocks, ShardMask, WriteGuards},
};

/// Shards of anything.
#[derive(Debug)]
pub struct Shards<T>(ShardLocks<T>);

impl<T: Default> Shards<T> {
    /// So many empty ones.
    #[must_use]
    pub fn new(count: usize) -> Self {
        Self(ShardLocks::new(count))
    }
}

impl<T> Shards<T> {
    /// Shared access to one, as a read has it.
    pub fn read(&self, shard: usize) -> RwLockReadGuard<'_, T> {
        self.0.read(shard)
    }

    /// Exclusive access to several, as a batch has it, whatever the order in which they are named.
    pub fn write(&self, wanted: &[usize]) -> ShardGuards<'_, T> {
        let mut mask = ShardMask::default();
        wanted.iter().for_each(|shard| mask.insert(*shard));
        ShardGuards(self.0.write(mask))
    }

    /// Exclusive access to one, as a checkpoint has it.
    pub fn write_one(&self, shard: usize) -> RwLockWriteGuard<'_, T> {
        self.0.write_one(shard)
    }
}

/// Exclusive access to some shards.
pub struct ShardGuards<'a, T>(WriteGuards<'a, T>);

impl<T> ShardGuards<'_, T> {
    /// One of the shards that were locked.
    pub fn shard(&mut self, shard: usize) -> &mut T {
        self.0.shard(shard)
    }

    /// Lets one of them go, as a batch does with what it is done with.
    pub fn release(&mut self, shard: usize) {
        self.0.release(shard);
    }
}

/// The table of producers.
#[derive(Debug)]
pub struct ProducerTable(Producers);

impl ProducerTable {
    /// Remembers `max` producers.
    #[must_use]
    pub fn new(max: usize) -> Self {
        Self(Producers::new(max))
    }

    /// The producer, as a write takes it.
    #[must_use]
    pub fn get(&self, id: u128) -> ProducerHandle {
        ProducerHandle(self.0.get(ProducerId(id)))
    }

    /// Number of producers remembered.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// True when nobody wrote.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// A producer that a write uses.
#[derive(Debug)]
pub struct ProducerHandle(Arc<Mutex<Producer>>);

impl ProducerHandle {
    /// Waits until no other write is under way in its name.
    #[must_use]
    pub fn lock(&self) -> ProducerGuard<'_> {
        ProducerGuard(self.0.lock())
    }
}

/// A producer in whose name nobody else writes now.
#[derive(Debug)]
pub struct ProducerGuard<'a>(MutexGuard<'a, Producer>);

impl ProducerGuard<'_> {
    /// Where `sequence` stands in the log, when it was applied.
    #[must_use]
    pub fn applied(&self, sequence: u64) -> Option<Lsn> {
        match self.0.known(sequence) {
            Known::Applied(lsn, _) => Some(lsn),
            Known::New | Known::Forgotten(_) => None,
        }
    }

    /// `sequence` was applied at `lsn`.
    pub fn record(&mut self, sequence: u64, lsn: Lsn) {
        self.0.record(sequence, lsn, Outcome { applied: 1, ..Outcome::default() });
    }
}

/// The rows of one group in one shard: keys with one number each, the later write winning. Empty at first.
#[derive(Debug)]
pub struct Rows {
    table: RowTable,
    hasher: KeyHasher,
}

/// Entities as a snapshot holds them, in whatever order they were written.
pub type Written = Vec<Vec<u8>>;

impl Default for Rows {
    fn default() -> Self {
        let feature =
            Field { name: Name::new("number").expect("a name"), data_type: DataType::I64 };
        Self { table: RowTable::new(RowLayout::new(&[feature])), hasher: KeyHasher::new(1) }
    }
}

impl Rows {
    /// Puts a row.
    pub fn put(&mut self, key: u8, number: i64) {
        self.table.put(&self.hasher, &[key], 0, &[Cell::Value(ValueRef::I64(number))]);
    }

    /// Deletes a row; nothing when there is none.
    pub fn delete(&mut self, key: u8) {
        self.table.delete(&self.hasher, &[key]);
    }

    /// From now on the table is written as it is now.
    pub fn fence(&mut self) {
        self.table.fence();
    }

    /// The next `limit` rows, and true when those were the last.
    ///
    /// # Panics
    /// When the table is not fenced.
    #[must_use]
    pub fn write_step(&self, limit: usize) -> (Written, bool) {
        let mut records = Records::default();
        let step = self.table.write_step(&self.hasher, limit, &mut records);
        let is_over = step.expect("nothing is mapped").expect("it is fenced");
        (written(&records), is_over)
    }

    /// What changed before it was written, as it was. The table is fenced no more.
    ///
    /// # Panics
    /// When it was not.
    pub fn unfence(&mut self) -> Written {
        written(self.table.unfence().expect("it is fenced").images())
    }
}

fn written(records: &Records) -> Written {
    records.iter().map(|(_, record)| record.to_vec()).collect()
}
