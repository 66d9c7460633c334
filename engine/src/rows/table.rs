//! The rows of one group in one shard: key to slot, and the rule of the newest event time.

use hashbrown::HashTable;
use model::{
    packed,
    packed_row::{self, Cell},
};
use stdx::{cursor::Writer, hash::KeyHasher, touch};

use super::{
    head::key_heap_bytes,
    layout::RowLayout,
    slab::{Slab, SlotMut},
    slot::Slot,
    snapshot::RowBase,
};
use crate::base::TableFence;

/// What a put did to one row.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct PutEffect {
    /// Features stored.
    pub(crate) applied: usize,
    /// Features left alone, because what is stored is newer.
    pub(crate) stale: usize,
}

/// One group's rows in one shard.
#[derive(Debug)]
pub(crate) struct RowTable {
    pub(super) index: HashTable<u32>,
    pub(super) slab: Slab,
    /// Bytes of long keys, own times and heap cells.
    heap_bytes: usize,
    /// What the snapshot holds that memory does not.
    pub(super) base: Option<Box<RowBase>>,
    /// While the table is written into a snapshot.
    pub(super) fence: Option<Box<TableFence>>,
}

impl RowTable {
    pub(crate) fn new(layout: RowLayout) -> Self {
        let (index, slab) = (HashTable::new(), Slab::new(layout));
        Self { index, slab, heap_bytes: 0, base: None, fence: None }
    }

    /// How rows lie that are written now; those that are there may have fewer features.
    pub(crate) fn layout(&self) -> &RowLayout {
        self.slab.layout()
    }

    /// Number of entities.
    pub(crate) fn len(&self) -> usize {
        self.index.len() + self.base.as_ref().map_or(0, |base| base.table.live())
    }

    /// Bytes in use, the index included; what lies in a mapped file is not.
    pub(crate) fn bytes(&self) -> usize {
        let base = self.base.as_ref().map_or(0, |base| base.table.bytes());
        let fence = self.fence.as_ref().map_or(0, |fence| fence.bytes());
        let index = self.index.capacity() * 8 / 7 * 5;
        self.slab.chunk_bytes() + self.heap_bytes + index + base + fence
    }

    /// The row of `key`, whose hash is `hash`.
    ///
    /// # Errors
    /// [`storage::Error::Damaged`] when it lies in a damaged part of the snapshot.
    pub(crate) fn get(&self, hash: u64, key: &[u8]) -> Result<Option<Slot<'_>>, storage::Error> {
        if let Some(slot) = self.index.find(hash, |slot| self.slab.key(*slot) == key) {
            return Ok(self.slab.get(*slot));
        }
        self.base.as_ref().map_or(Ok(None), |base| base.find(hash, key))
    }

    /// The slot that a key with this hash is most likely in. Only the index is looked at.
    pub(crate) fn guess(&self, hash: u64) -> Option<u32> {
        self.index.find(hash, |_| true).copied()
    }

    /// Looks at what reading the row of `slot` takes, so that it is there when it is read; the sum of what was seen.
    pub(crate) fn touch(&self, slot: u32) -> u8 {
        let Some(row) = self.slab.get(slot) else { return 0 };
        let [of_time, ..] = row.time.to_le_bytes();
        let head = row.key.first().copied().unwrap_or(0).wrapping_add(of_time);
        touch::lines(row.cells).wrapping_add(head)
    }

    /// Writes `cells` (of at most the layout's features) with `time`, feature by feature the newer time winning, the
    /// later write on a tie.
    pub(crate) fn put(
        &mut self,
        hasher: &KeyHasher,
        key: &[u8],
        time: i64,
        cells: &[Cell<'_>],
    ) -> PutEffect {
        let slot = self.slot_to_write(hasher, key, time);
        self.put_into(slot, time, cells)
    }

    /// As [`RowTable::put`], of a row for which [`RowLayout::is_whole`] is true.
    pub(crate) fn put_whole(
        &mut self,
        hasher: &KeyHasher,
        key: &[u8],
        time: i64,
        packed: &[u8],
    ) -> PutEffect {
        let slot = self.slot_to_write(hasher, key, time);
        if self.slab.get_mut(slot).is_some_and(|mut row| row.replace(time, packed)) {
            return PutEffect { applied: self.layout().len(), stale: 0 };
        }
        // A plain row is always readable.
        let cells = packed_row::read_row(packed, self.layout().types()).unwrap_or_default();
        self.put_into(slot, time, &cells)
    }

    /// The slot of `key` in memory, an empty one if nothing is known of it.
    fn slot_to_write(&mut self, hasher: &KeyHasher, key: &[u8], time: i64) -> u32 {
        let hash = hasher.hash(key);
        let found = self.index.find(hash, |slot| self.slab.key(*slot) == key).copied();
        if let Some(slot) = found {
            self.before_change(hash, slot);
            return slot;
        }
        self.promote(hasher, hash, key).unwrap_or_else(|| {
            let slot = self.insert(hasher, hash, key, time);
            self.pass(slot);
            slot
        })
    }

    fn put_into(&mut self, slot: u32, time: i64, cells: &[Cell<'_>]) -> PutEffect {
        let before = self.row_heap_bytes(slot);
        let effect = match self.slab.get_mut(slot) {
            Some(mut row) => put_row(&mut row, time, cells),
            None => PutEffect::default(),
        };
        self.heap_bytes = self.heap_bytes + self.row_heap_bytes(slot) - before;
        effect
    }

    /// A row in memory of which nothing was written yet.
    pub(super) fn insert(&mut self, hasher: &KeyHasher, hash: u64, key: &[u8], time: i64) -> u32 {
        let slot = self.slab.insert(key, time);
        let slab = &self.slab;
        self.index.insert_unique(hash, slot, |slot| hasher.hash(slab.key(*slot)));
        self.heap_bytes += key_heap_bytes(key);
        slot
    }

    /// Removes the row of `key`; false when there is none.
    pub(crate) fn delete(&mut self, hasher: &KeyHasher, key: &[u8]) -> bool {
        let hash = hasher.hash(key);
        let found = self.index.find(hash, |slot| self.slab.key(*slot) == key).copied();
        let Some(slot) = found else { return self.delete_from_base(hash, key) };
        self.before_change(hash, slot);
        if let Ok(entry) = self.index.find_entry(hash, |known| *known == slot) {
            entry.remove();
        }
        self.heap_bytes -= key_heap_bytes(key) + self.row_heap_bytes(slot);
        self.slab.remove(slot);
        true
    }

    /// Changes a row in memory, and keeps the count of its bytes.
    pub(super) fn change(&mut self, slot: u32, change: impl FnOnce(&mut SlotMut<'_>)) {
        let before = self.row_heap_bytes(slot);
        if let Some(mut row) = self.slab.get_mut(slot) {
            change(&mut row);
        }
        self.heap_bytes = self.heap_bytes + self.row_heap_bytes(slot) - before;
    }

    /// Rows in memory from slot `from` on, with the number of the slot after each.
    pub(super) fn scan_memory(&self, from: u32) -> impl Iterator<Item = (u32, Slot<'_>)> {
        (from..self.slab.end()).filter_map(|slot| {
            let row = self.slab.get(slot)?;
            (!row.key.is_empty()).then_some((slot + 1, row))
        })
    }

    /// Takes a layout with more features at the end. No row is moved: `slab` says when they are.
    pub(crate) fn widen(&mut self, layout: RowLayout) {
        debug_assert!(self.layout().begins(&layout), "features are added at the end");
        // In a snapshot all rows of a table are as wide: this one is not written into the one that is being made.
        self.fence = None;
        self.slab.widen(layout);
    }

    fn row_heap_bytes(&self, slot: u32) -> usize {
        self.slab.get(slot).map_or(0, |row| row.heap_bytes())
    }
}

/// The rule of `docs/semantics.md`, "Rows": per feature, the newer event time wins.
fn put_row(row: &mut SlotMut<'_>, time: i64, cells: &[Cell<'_>]) -> PutEffect {
    let (layout, mut effect) = (row.layout, PutEffect::default());
    row.complete_times();
    let given = |feature: usize| !matches!(cells.get(feature), None | Some(Cell::Absent));
    // One time stays enough when the put is as old as the row, or covers all that the row holds.
    let covers = (0..layout.len()).all(|feature| row.state(feature) == 0 || given(feature));
    if row.times.is_none() && time != *row.time {
        if covers && time > *row.time {
            *row.time = time;
        } else {
            *row.times = Some(Box::new(vec![*row.time; layout.len()].into()));
        }
    }
    let mut scratch = Vec::new();
    for (feature, cell) in cells.iter().enumerate().take(layout.len()) {
        if matches!(cell, Cell::Absent) {
            continue;
        }
        let own = row.times.as_mut().and_then(|times| times.get_mut(feature));
        let stored = own.as_deref().copied().unwrap_or(*row.time);
        if row.state(feature) != 0 && stored > time {
            effect.stale += 1;
            continue;
        }
        if let Some(own) = row.times.as_mut().and_then(|times| times.get_mut(feature)) {
            *own = time;
        }
        store_cell(row, feature, *cell, &mut scratch);
        effect.applied += 1;
    }
    settle_times(row);
    effect
}

fn store_cell(row: &mut SlotMut<'_>, feature: usize, cell: Cell<'_>, scratch: &mut Vec<u8>) {
    use model::value::ValueRef;
    match cell.value() {
        None => row.store(feature, None),
        Some(ValueRef::String(text)) => row.store(feature, Some(text.as_bytes())),
        Some(ValueRef::Bytes(bytes)) => row.store(feature, Some(bytes)),
        Some(fixed) => {
            scratch.clear();
            packed::write_value(&mut Writer::new(scratch), fixed);
            row.store(feature, Some(scratch));
        }
    }
}

/// Drops the times of single features when all that is stored has the same one.
fn settle_times(row: &mut SlotMut<'_>) {
    let Some(times) = row.times.as_deref() else { return };
    let mut stored = (0..row.layout.len())
        .filter(|feature| row.state(*feature) != 0)
        .filter_map(|f| times.get(f));
    let Some(first) = stored.next().copied() else { return };
    if stored.all(|time| *time == first) {
        *row.time = first;
        *row.times = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::{
        definition::Field,
        name::Name,
        value::{DataType, ValueRef},
    };

    fn table(types: &[DataType]) -> (RowTable, KeyHasher) {
        let fields: Vec<_> = types
            .iter()
            .enumerate()
            .map(|(i, data_type)| Field {
                name: Name::new(&format!("f{i}")).expect("valid"),
                data_type: *data_type,
            })
            .collect();
        (RowTable::new(RowLayout::new(&fields)), KeyHasher::new(1))
    }

    fn number(value: i64) -> Cell<'static> {
        Cell::Value(ValueRef::I64(value))
    }

    fn shown(table: &RowTable, hasher: &KeyHasher, key: &[u8]) -> Vec<(u8, i64, i64)> {
        let row = table.get(hasher.hash(key), key).expect("memory").expect("the row is there");
        (0..table.layout().len())
            .map(|feature| {
                let cell = row.cell(feature);
                let value = cell.try_into().map_or(0, i64::from_le_bytes);
                (
                    row.state(feature),
                    value,
                    if row.state(feature) == 0 { 0 } else { row.time_of(feature) },
                )
            })
            .collect()
    }

    #[test]
    fn the_newer_event_time_wins_feature_by_feature() {
        let (mut table, hasher) = table(&[DataType::I64, DataType::I64]);
        table.put(&hasher, b"k", 10, &[number(1), number(1)]);
        let effect = table.put(&hasher, b"k", 20, &[number(2)]);
        assert_eq!(effect, PutEffect { applied: 1, stale: 0 });
        let effect = table.put(&hasher, b"k", 15, &[number(9), number(3)]);
        assert_eq!(effect, PutEffect { applied: 1, stale: 1 });
        assert_eq!(shown(&table, &hasher, b"k"), [(2, 2, 20), (2, 3, 15)]);
        let effect = table.put(&hasher, b"k", 20, &[number(4), Cell::Null]);
        assert_eq!(effect, PutEffect { applied: 2, stale: 0 }, "the later write wins a tie");
        assert_eq!(shown(&table, &hasher, b"k"), [(2, 4, 20), (1, 0, 20)]);
    }

    #[test]
    fn a_feature_never_written_takes_an_older_time() {
        let (mut table, hasher) = table(&[DataType::I64, DataType::I64]);
        table.put(&hasher, b"k", 10, &[number(1)]);
        assert_eq!(
            table.put(&hasher, b"k", 5, &[number(7), number(2)]),
            PutEffect { applied: 1, stale: 1 }
        );
        assert_eq!(shown(&table, &hasher, b"k"), [(2, 1, 10), (2, 2, 5)]);
    }

    #[test]
    fn deleted_rows_leave_no_trace_and_their_slot_is_used_again() {
        let (mut table, hasher) = table(&[DataType::String, DataType::I64]);
        let empty = table.bytes();
        table.put(
            &hasher,
            b"a",
            1,
            &[
                Cell::Value(ValueRef::String(
                    "a text that is longer than what is kept of a free slot",
                )),
                number(1),
            ],
        );
        let one = table.bytes();
        assert!(table.delete(&hasher, b"a") && !table.delete(&hasher, b"a"));
        table.put(&hasher, b"b", 2, &[Cell::Absent, number(2)]);
        assert_eq!(shown(&table, &hasher, b"b")[0].0, 0, "the string of the old row is gone");
        assert!(empty < one && table.bytes() < one && table.len() == 1);
    }

    #[test]
    fn rows_that_are_deleted_give_their_memory_back() {
        let (mut table, hasher) = table(&[DataType::I64; 20]);
        for key in 0..10_000_u32 {
            table.put(&hasher, &key.to_le_bytes(), 1, &[number(1); 20]);
        }
        let full = table.bytes();
        (0..9_990_u32).for_each(|key| assert!(table.delete(&hasher, &key.to_le_bytes())));
        assert!(table.bytes() < full / 4, "{} of {full}", table.bytes());
        for key in 0..10_000_u32 {
            table.put(&hasher, &key.to_le_bytes(), 2, &[number(i64::from(key)); 20]);
        }
        assert_eq!(shown(&table, &hasher, &77_u32.to_le_bytes()), [(2, 77, 2); 20]);
        assert!(table.len() == 10_000 && table.bytes() < full + full / 20);
    }

    #[test]
    fn widening_keeps_values_times_and_nulls() {
        let (mut table, hasher) = table(&[DataType::I64, DataType::I64]);
        table.put(&hasher, b"k", 10, &[number(1), Cell::Null]);
        table.put(&hasher, b"k", 12, &[number(2)]);
        let (wide, _) = self::table(&[DataType::I64, DataType::I64, DataType::F64]);
        table.widen(wide.layout().clone());
        assert_eq!(shown(&table, &hasher, b"k"), [(2, 2, 12), (1, 0, 10), (0, 0, 0)]);
    }

    #[test]
    fn no_row_is_moved_before_it_is_written() {
        let (mut table, hasher) = table(&[DataType::I64]);
        for key in 0..100_u8 {
            table.put(&hasher, &[key], 1, &[number(key.into())]);
        }
        let (wide, _) = self::table(&[DataType::I64, DataType::String]);
        let before = table.bytes();
        table.widen(wide.layout().clone());
        let narrow = |table: &RowTable| {
            table.scan_memory(0).filter(|(_, row)| row.layout.len() == 1).count()
        };
        assert_eq!(narrow(&table), 100);
        // What laying them out anew takes is counted already.
        let counted = table.bytes();
        assert!(counted > before);
        table.put(&hasher, &[40], 2, &[number(7)]);
        assert_eq!((narrow(&table), table.bytes()), (68, counted), "its chunk alone");
        assert_eq!(shown(&table, &hasher, &[40]), [(2, 7, 2), (0, 0, 0)]);
        assert_eq!(shown(&table, &hasher, &[41]), [(2, 41, 1), (0, 0, 0)]);
        assert_eq!(shown(&table, &hasher, &[99]), [(2, 99, 1), (0, 0, 0)]);
    }

    /// Rows of a table as they would go into a snapshot, by key.
    fn written(table: &RowTable) -> std::collections::BTreeMap<Vec<u8>, Vec<u8>> {
        let write = |(_, row): (u32, Slot<'_>)| {
            let mut payload = Vec::new();
            row.write(table.layout(), &mut payload);
            (row.key.to_vec(), payload)
        };
        table.scan_memory(0).map(write).collect()
    }

    /// Puts, deletes and more features in whatever order leave what the same puts and deletes leave in a table that had all
    /// features from the start.
    #[test]
    fn when_features_were_added_makes_no_difference() {
        let seed = stdx::prng::seed_from_os();
        println!("seed {seed}");
        let mut prng = stdx::prng::Prng::new(seed);
        let pool = [DataType::I64, DataType::String, DataType::Bool, DataType::F32];
        let below = |prng: &mut stdx::prng::Prng, bound: usize| {
            usize::try_from(prng.below(bound as u64)).expect("small")
        };
        for round in 0..200 {
            let mut types = vec![DataType::I64];
            let (mut lazy, hasher) = self::table(&types);
            // Key, time and cells; without cells a delete.
            let mut history: Vec<(Vec<u8>, i64, Option<Vec<Cell<'_>>>)> = Vec::new();
            for _ in 0..80 {
                if prng.chance(0.05) {
                    types.extend((0..=below(&mut prng, 5)).map(|_| pool[below(&mut prng, 4)]));
                    let (wide, _) = self::table(&types);
                    lazy.widen(wide.layout().clone());
                    continue;
                }
                let key = u8::try_from(prng.below(50)).expect("small");
                // Some lie in their row's head, others are too long for it.
                let key = vec![key; if key < 25 { 1 } else { 40 }];
                let cells = types.iter().map(|data_type| match (prng.below(4), data_type) {
                    (0, _) => Cell::Absent,
                    (1, _) => Cell::Null,
                    (_, DataType::I64) => number(prng.between(-9, 9)),
                    (_, DataType::String) => Cell::Value(ValueRef::String("a text")),
                    (_, DataType::Bool) => Cell::Value(ValueRef::Bool(true)),
                    _ => Cell::Value(ValueRef::F32(1.5)),
                });
                let cells: Vec<_> = cells.collect();
                history.push((key, prng.between(0, 4), (!prng.chance(0.2)).then_some(cells)));
                let (key, time, cells) = history.last().expect("one");
                match cells {
                    Some(cells) => drop(lazy.put(&hasher, key, *time, cells)),
                    None => drop(lazy.delete(&hasher, key)),
                }
            }
            let (mut whole, _) = self::table(&types);
            for (key, time, cells) in &history {
                match cells {
                    Some(cells) => drop(whole.put(&hasher, key, *time, cells)),
                    None => drop(whole.delete(&hasher, key)),
                }
            }
            assert_eq!(written(&lazy), written(&whole), "seed {seed}, round {round}");
            let heap =
                lazy.scan_memory(0).map(|(_, row)| key_heap_bytes(row.key) + row.heap_bytes());
            assert_eq!(lazy.heap_bytes, heap.sum::<usize>(), "seed {seed}, round {round}");
        }
    }

    /// Rows as they came, without being decoded, do what the same cells do.
    #[test]
    fn whole_rows_are_put_as_their_cells_are() {
        let seed = 5;
        let mut prng = stdx::prng::Prng::new(seed);
        let types = [
            DataType::I64,
            DataType::Decimal(2),
            DataType::F32,
            DataType::Timestamp,
            DataType::F64,
        ];
        for _ in 0..500 {
            let (mut whole, hasher) = self::table(&types);
            let (mut by_cells, _) = self::table(&types);
            for _ in 0..4 {
                let (time, number) = (prng.between(0, 3), prng.between(-9, 9));
                let states: &[u8] = match prng.below(3) {
                    0 => &[0b1010_1010, 0b00],
                    1 => &[0b1010_1010, 0b01],
                    _ => &[0b1010_1010, 0b10],
                };
                let mut packed = [states, &number.to_le_bytes().repeat(2), &[0; 4]].concat();
                packed.extend(number.to_le_bytes());
                if states[1] == 0b10 {
                    packed.extend(number.to_le_bytes());
                }
                let cells = packed_row::read_row(&packed, &types).expect("a row");
                let wanted = by_cells.put(&hasher, b"k", time, &cells);
                let is_whole = whole.layout().is_whole(types.len(), &packed);
                assert_eq!(is_whole, states[1] == 0b10);
                let given = match is_whole {
                    true => whole.put_whole(&hasher, b"k", time, &packed),
                    false => whole.put(&hasher, b"k", time, &cells),
                };
                assert_eq!(given, wanted, "seed {seed}");
                let rows = [&whole, &by_cells].map(|table| shown(table, &hasher, b"k"));
                assert_eq!(rows[0], rows[1], "seed {seed}");
            }
            assert_eq!(whole.bytes(), by_cells.bytes(), "seed {seed}");
        }
    }

    /// Whatever the order of the puts, each feature ends with its newest time; ties aside.
    #[test]
    fn the_order_of_puts_does_not_matter() {
        let seed = 7;
        let mut prng = stdx::prng::Prng::new(seed);
        for _ in 0..300 {
            let mut puts: Vec<(i64, Vec<Cell<'_>>)> = (0..6)
                .map(|time| {
                    let cell = |prng: &mut stdx::prng::Prng| match prng.below(3) {
                        0 => Cell::Absent,
                        1 => Cell::Null,
                        _ => number(prng.between(-9, 9)),
                    };
                    (time, (0..3).map(|_| cell(&mut prng)).collect())
                })
                .collect();
            let outcome = |puts: &[(i64, Vec<Cell<'_>>)]| {
                let (mut table, hasher) = self::table(&[DataType::I64; 3]);
                for (time, cells) in puts {
                    table.put(&hasher, b"k", *time, cells);
                }
                shown(&table, &hasher, b"k")
            };
            let in_order = outcome(&puts);
            prng.shuffle(&mut puts);
            assert_eq!(outcome(&puts), in_order, "seed {seed}: {puts:?}");
        }
    }
}
