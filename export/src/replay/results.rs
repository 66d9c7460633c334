//! From the order of partitions to the order of the spine: what was read of each row, batch by batch of the spine.
//!
//! ```text
//! run      what one partition gives of one batch:
//!          rows u16 × n | incomplete u8 × n | of each column: status u8 × n | lengths u32 × n, where values have any | data
//! ```

use model::{column::Column, status::Status, value::DataType};
use stdx::sync::Mutex;

use super::memory::{Memory, Place};
use crate::Error;

/// Rows of a batch: their numbers fit into a u16, and a column of them into a cache.
pub const BATCH_ROWS: usize = 1 << 16;

/// See the module.
#[derive(Debug)]
pub(super) struct Results {
    batches: Vec<Mutex<Vec<Run>>>,
    memory: Memory,
}

#[derive(Debug)]
struct Run {
    group: usize,
    rows: usize,
    bytes: Held,
}

#[derive(Debug)]
enum Held {
    Memory(Vec<u8>),
    File(Place),
}

/// What one group gives of one partition.
#[derive(Debug)]
pub(super) struct Part<'a> {
    /// Place of the group among those of the plan.
    pub(super) group: usize,
    /// Which row of the spine each row is.
    pub(super) rows: &'a [u32],
    /// Whether its windows reach back before the history's start.
    pub(super) incomplete: &'a [bool],
    /// The group's columns.
    pub(super) columns: &'a [Column],
}

impl Results {
    /// For a spine of `rows` rows.
    pub(super) fn new(rows: usize, memory: &Memory) -> Self {
        let batches = (0..rows.div_ceil(BATCH_ROWS)).map(|_| Mutex::default()).collect();
        Self { batches, memory: memory.clone() }
    }

    /// Number of batches.
    pub(super) fn batches(&self) -> usize {
        self.batches.len()
    }

    /// Adds what one partition gives.
    ///
    /// # Errors
    /// [`Error::Io`] when memory is full and the file cannot be written.
    pub(super) fn add(&self, part: &Part<'_>) -> Result<(), Error> {
        // Which rows of the part are of which batch, batch after batch.
        let batch_of = |place: &u32| {
            let row = usize::try_from(*place).ok().and_then(|place| part.rows.get(place));
            row.map_or(0, |row| *row >> BATCH_ROWS.ilog2())
        };
        let mut places: Vec<u32> =
            (0..u32::try_from(part.rows.len()).unwrap_or(u32::MAX)).collect();
        if self.batches.len() > 1 {
            places.sort_by_key(batch_of);
        }
        for places in places.chunk_by(|a, b| batch_of(a) == batch_of(b)) {
            let Some(first) = places.first() else { continue };
            let bytes = encoded(part, places);
            let bytes = if self.memory.is_full() {
                Held::File(self.memory.spill(&bytes)?)
            } else {
                self.memory.add(bytes.len());
                Held::Memory(bytes)
            };
            let run = Run { group: part.group, rows: places.len(), bytes };
            let batch = usize::try_from(batch_of(first)).unwrap_or(0);
            if let Some(batch) = self.batches.get(batch) {
                batch.lock().push(run);
            }
        }
        Ok(())
    }

    /// Fills the columns of a batch of `rows` rows: of each group the places and types of its columns among those of the
    /// plan. Also says of each row whether some window of it reaches back too far.
    ///
    /// # Errors
    /// [`Error::Io`] when what was spilled cannot be read.
    pub(super) fn take(
        &self,
        batch: usize,
        rows: usize,
        groups: &[Vec<(usize, DataType)>],
    ) -> Result<(Vec<Column>, Vec<bool>), Error> {
        let runs = self.batches.get(batch).map(|runs| std::mem::take(&mut *runs.lock()));
        let mut held = Vec::new();
        for run in runs.unwrap_or_default() {
            let bytes = match run.bytes {
                Held::Memory(bytes) => {
                    self.memory.remove(bytes.len());
                    bytes
                }
                Held::File(place) => self.memory.unspill(place)?,
            };
            held.push((run.group, run.rows, bytes));
        }
        let count = groups.iter().map(Vec::len).sum();
        let mut columns: Vec<Option<Column>> = (0..count).map(|_| None).collect();
        let mut incomplete = vec![false; rows];
        for (group, outputs) in groups.iter().enumerate() {
            let of_group = held.iter().filter(|(of, ..)| *of == group);
            let mut runs: Vec<_> =
                of_group.map(|(_, rows, bytes)| Reading::new(*rows, bytes)).collect();
            for run in &mut runs {
                run.incomplete(&mut incomplete);
            }
            for (output, data_type) in outputs {
                let column = assembled(&mut runs, *data_type, rows);
                if let Some(place) = columns.get_mut(*output) {
                    *place = Some(column);
                }
            }
        }
        Ok((columns.into_iter().flatten().collect(), incomplete))
    }
}

fn encoded(part: &Part<'_>, places: &[u32]) -> Vec<u8> {
    let places = || places.iter().map(|place| usize::try_from(*place).unwrap_or(usize::MAX));
    let width: usize =
        part.columns.iter().map(|column| 1 + column.data_type().fixed_bytes().unwrap_or(16)).sum();
    let mut out = Vec::with_capacity(places().len() * (3 + width));
    for place in places() {
        let row = part.rows.get(place).copied().unwrap_or(0);
        out.extend_from_slice(&row.to_le_bytes()[..2]);
    }
    out.extend(places().map(|place| u8::from(part.incomplete.get(place) == Some(&true))));
    for column in part.columns {
        let (statuses, data) = (column.statuses(), column.data());
        out.extend(places().map(|place| statuses.get(place).copied().unwrap_or(0)));
        match column.data_type().fixed_bytes() {
            Some(8) => {
                let cells = data.as_chunks::<8>().0;
                for place in places() {
                    out.extend_from_slice(cells.get(place).unwrap_or(&[0; 8]));
                }
            }
            Some(width) => {
                for place in places() {
                    out.extend(data.get(place * width..(place + 1) * width).unwrap_or_default());
                }
            }
            None => {
                let ends = column.ends();
                let range = |place: usize| {
                    let end = |place: Option<usize>| {
                        place.and_then(|place| ends.get(place)).map_or(0, |end| *end as usize)
                    };
                    end(place.checked_sub(1))..end(Some(place))
                };
                for place in places() {
                    let length = u32::try_from(range(place).len()).unwrap_or(u32::MAX);
                    out.extend_from_slice(&length.to_le_bytes());
                }
                places().for_each(|place| out.extend(data.get(range(place)).unwrap_or_default()));
            }
        }
    }
    out
}

/// A run that is read column by column.
struct Reading<'a> {
    rows: Vec<u16>,
    rest: &'a [u8],
}

impl<'a> Reading<'a> {
    fn new(count: usize, bytes: &'a [u8]) -> Self {
        let mut run = Self { rows: Vec::new(), rest: bytes };
        let rows = run.bytes(2 * count).as_chunks().0;
        run.rows = rows.iter().map(|row| u16::from_le_bytes(*row)).collect();
        run
    }

    fn bytes(&mut self, count: usize) -> &'a [u8] {
        let (bytes, rest) = self.rest.split_at_checked(count).unwrap_or_default();
        self.rest = rest;
        bytes
    }

    fn incomplete(&mut self, out: &mut [bool]) {
        let flags = self.bytes(self.rows.len());
        for (row, flag) in self.rows.iter().zip(flags) {
            if let Some(out) = out.get_mut(usize::from(*row)) {
                *out |= *flag == 1;
            }
        }
    }
}

/// The next column of all runs, in the order of the spine.
fn assembled(runs: &mut [Reading<'_>], data_type: DataType, rows: usize) -> Column {
    if let Some(width) = data_type.fixed_bytes() {
        let mut column = Column::of_rows(data_type, rows);
        for run in runs {
            let count = run.rows.len();
            let (statuses, data) = (run.bytes(count), run.bytes(count * width));
            column.scatter(&run.rows, statuses, data);
        }
        return column;
    }
    let mut cells: Vec<(Status, &[u8])> = vec![(Status::NotFound, &[]); rows];
    for run in runs {
        let count = run.rows.len();
        let (statuses, lengths) = (run.bytes(count), run.bytes(4 * count).as_chunks().0);
        for (place, length) in lengths.iter().enumerate() {
            let bytes = run.bytes(usize::try_from(u32::from_le_bytes(*length)).unwrap_or(0));
            let status = statuses.get(place).copied().and_then(Status::from_code);
            let cell = run.rows.get(place).and_then(|row| cells.get_mut(usize::from(*row)));
            if let (Some(cell), Some(status)) = (cell, status) {
                *cell = (status, bytes);
            }
        }
    }
    let mut column = Column::new(data_type, rows);
    for (status, bytes) in cells {
        column.push_cell(status, bytes);
    }
    column
}

#[cfg(test)]
mod tests {
    use model::value::ValueRef;
    use stdx::prng::Prng;

    use super::*;

    /// Rows in a random order, in parts, come back in theirs, whether they were spilled or not.
    #[test]
    fn rows_come_back_in_the_order_of_the_spine() {
        let rows = 150_000_u32;
        for limit in [u64::MAX, 10_000] {
            let memory = Memory::new(limit, &std::env::temp_dir());
            let results = Results::new(rows as usize, &memory);
            let mut random = Prng::new(1);
            let mut order: Vec<_> = (0..rows).collect();
            random.shuffle(&mut order);
            for part in order.chunks(7_000) {
                let (mut numbers, mut texts, mut flags) = (
                    Column::new(DataType::I64, part.len()),
                    Column::new(DataType::String, part.len()),
                    Column::new(DataType::Bool, part.len()),
                );
                for row in part {
                    numbers.push(Status::Present, ValueRef::I64(i64::from(*row) * 3));
                    match row % 3 {
                        0 => texts.push_empty(Status::Null),
                        _ => texts.push(Status::Partial, ValueRef::String(&row.to_string())),
                    }
                    flags.push(Status::Present, ValueRef::Bool(row % 2 == 0));
                }
                let incomplete: Vec<_> = part.iter().map(|row| row % 5 == 0).collect();
                let add = |group, columns: &[Column]| {
                    let part = Part { group, rows: part, incomplete: &incomplete, columns };
                    results.add(&part).expect("it has room");
                };
                add(0, &[numbers, texts]);
                add(1, &[flags]);
            }
            assert_eq!(memory.spilled() > 0, limit < u64::MAX);
            let groups =
                [vec![(0, DataType::I64), (2, DataType::String)], vec![(1, DataType::Bool)]];
            let mut row = 0_u32;
            for batch in 0..results.batches() {
                let count = BATCH_ROWS.min((rows - row) as usize);
                let (columns, incomplete) =
                    results.take(batch, count, &groups).expect("it is there");
                for (place, incomplete) in incomplete.iter().enumerate() {
                    let number = columns[0].get(place).expect("a row").1;
                    assert!(matches!(number, Some(ValueRef::I64(n)) if n == i64::from(row) * 3));
                    let (status, text) = columns[2].get(place).expect("a row");
                    match text {
                        Some(ValueRef::String(text)) => assert_eq!(text, row.to_string()),
                        _ => assert!(row.is_multiple_of(3) && status == Status::Null),
                    }
                    let flag = columns[1].get(place).expect("a row").1;
                    assert!(
                        matches!(flag, Some(ValueRef::Bool(flag)) if flag == row.is_multiple_of(2))
                    );
                    assert_eq!(*incomplete, row.is_multiple_of(5));
                    row += 1;
                }
            }
            assert_eq!(row, rows);
        }
    }
}
