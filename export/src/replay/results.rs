//! From the order of partitions to the order of the spine: what was read of each row, batch by batch of the spine.
//!
//! ```text
//! part     what one partition gives of one batch; in a file:
//!          rows u16 × n | incomplete u8 × n | of each column: status u8 × n | ends u32 × n, where values have any | data
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
    /// Place of the group among those of the plan.
    group: usize,
    held: Held,
}

#[derive(Debug)]
enum Held {
    Memory(Part),
    /// So many rows.
    File(Place, usize),
}

/// What one group gives of one partition and one batch.
#[derive(Debug, Default)]
pub(super) struct Part {
    /// Which row of the batch each row is.
    pub(super) rows: Vec<u16>,
    /// Whether its windows reach back before the history's start.
    pub(super) incomplete: Vec<bool>,
    /// The group's columns.
    pub(super) columns: Vec<Column>,
}

/// The batch that row `row` of the spine is in, and its place there.
pub(super) fn place_of(row: u32) -> (usize, u16) {
    let place = u16::try_from(row & 0xffff).unwrap_or(0);
    (usize::try_from(row >> BATCH_ROWS.ilog2()).unwrap_or(usize::MAX), place)
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

    /// Adds what one partition gives of `batch`, of the group at place `group` of the plan.
    ///
    /// # Errors
    /// [`Error::Io`] when memory is full and the file cannot be written.
    pub(super) fn add(&self, (group, batch): (usize, usize), part: Part) -> Result<(), Error> {
        let held = if self.memory.is_full() {
            Held::File(self.memory.spill(&part.encoded())?, part.rows.len())
        } else {
            self.memory.add(part.bytes());
            Held::Memory(part)
        };
        if let Some(batch) = self.batches.get(batch) {
            batch.lock().push(Run { group, held });
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
        let mut parts: Vec<(usize, Part)> = Vec::new();
        for run in runs.unwrap_or_default() {
            let part = match run.held {
                Held::Memory(part) => {
                    self.memory.remove(part.bytes());
                    part
                }
                Held::File(place, rows) => {
                    let types = groups.get(run.group).into_iter().flatten();
                    let types = types.map(|(_, data_type)| *data_type);
                    Part::decoded(&self.memory.unspill(place)?, rows, types)?
                }
            };
            parts.push((run.group, part));
        }
        let count = groups.iter().map(Vec::len).sum();
        let mut columns: Vec<Option<Column>> = (0..count).map(|_| None).collect();
        let mut incomplete = vec![false; rows];
        for (group, outputs) in groups.iter().enumerate() {
            let of_group = || parts.iter().filter(|(of, _)| *of == group).map(|(_, part)| part);
            for (row, flag) in of_group().flat_map(|part| part.rows.iter().zip(&part.incomplete)) {
                if let Some(out) = incomplete.get_mut(usize::from(*row)) {
                    *out |= *flag;
                }
            }
            for (place, (output, data_type)) in outputs.iter().enumerate() {
                let own = of_group();
                let own = own.filter_map(|part| Some((&*part.rows, part.columns.get(place)?)));
                if let Some(to) = columns.get_mut(*output) {
                    *to = Some(assembled(own, *data_type, rows));
                }
            }
        }
        Ok((columns.into_iter().flatten().collect(), incomplete))
    }
}

impl Part {
    /// Bytes of memory.
    fn bytes(&self) -> usize {
        let bytes = |column: &Column| {
            column.statuses().len() + size_of_val(column.ends()) + column.data().len()
        };
        self.rows.len() * 3 + self.columns.iter().map(bytes).sum::<usize>()
    }

    fn encoded(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.bytes());
        self.rows.iter().for_each(|row| out.extend_from_slice(&row.to_le_bytes()));
        out.extend(self.incomplete.iter().map(|incomplete| u8::from(*incomplete)));
        for column in &self.columns {
            out.extend_from_slice(column.statuses());
            column.ends().iter().for_each(|end| out.extend_from_slice(&end.to_le_bytes()));
            out.extend_from_slice(column.data());
        }
        out
    }

    /// The part of `count` rows and columns of `types` that [`Part::encoded`] wrote.
    fn decoded(
        mut bytes: &[u8],
        count: usize,
        types: impl Iterator<Item = DataType>,
    ) -> Result<Self, Error> {
        let mut next = |length: usize| {
            let (next, rest) = bytes.split_at_checked(length).unwrap_or_default();
            bytes = rest;
            next
        };
        let rows = next(2 * count).as_chunks().0;
        let rows = rows.iter().map(|row| u16::from_le_bytes(*row)).collect();
        let incomplete = next(count).iter().map(|flag| *flag == 1).collect();
        let column = |data_type: DataType| {
            let statuses = next(count);
            let fixed = data_type.fixed_bytes();
            let ends = next(if fixed.is_some() { 0 } else { 4 * count }).as_chunks().0;
            let ends: Vec<_> = ends.iter().map(|end| u32::from_le_bytes(*end)).collect();
            let variable = ends.last().map_or(0, |end| usize::try_from(*end).unwrap_or(0));
            let data = next(fixed.map_or(variable, |width| width * count));
            Column::from_parts(data_type, statuses, &ends, data)
        };
        Ok(Self { rows, incomplete, columns: types.map(column).collect::<Result<_, _>>()? })
    }
}

/// One column of all parts, in the order of the spine.
fn assembled<'a>(
    parts: impl Iterator<Item = (&'a [u16], &'a Column)>,
    data_type: DataType,
    rows: usize,
) -> Column {
    if data_type.fixed_bytes().is_some() {
        let mut whole = Column::of_rows(data_type, rows);
        parts.for_each(|(rows, part)| whole.scatter(rows, part.statuses(), part.data()));
        return whole;
    }
    let mut cells: Vec<(Status, &[u8])> = vec![(Status::NotFound, &[]); rows];
    for (rows, part) in parts {
        let mut start = 0;
        for ((row, status), end) in rows.iter().zip(part.statuses()).zip(part.ends()) {
            let end = usize::try_from(*end).unwrap_or(usize::MAX);
            let bytes = part.data().get(start..end).unwrap_or_default();
            start = end;
            let cell = cells.get_mut(usize::from(*row));
            if let (Some(cell), Some(status)) = (cell, Status::from_code(*status)) {
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

    /// Columns that say which rows of the spine theirs are.
    fn columns(rows: &[u32]) -> [Column; 3] {
        let column = |data_type| Column::new(data_type, rows.len());
        let mut columns = [DataType::I64, DataType::String, DataType::Bool].map(column);
        let [numbers, texts, flags] = &mut columns;
        for row in rows {
            numbers.push(Status::Present, ValueRef::I64(i64::from(*row) * 3));
            match row % 3 {
                0 => texts.push_empty(Status::Null),
                _ => texts.push(Status::Partial, ValueRef::String(&row.to_string())),
            }
            flags.push(Status::Present, ValueRef::Bool(row % 2 == 0));
        }
        columns
    }

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
                for batch in 0..results.batches() {
                    let of_batch = part.iter().filter(|row| place_of(**row).0 == batch);
                    let of_batch: Vec<_> = of_batch.copied().collect();
                    let [numbers, texts, flags] = columns(&of_batch);
                    let add = |group, columns: Vec<Column>| {
                        let rows = of_batch.iter().map(|row| place_of(*row).1).collect();
                        let incomplete = of_batch.iter().map(|row| row % 5 == 0).collect();
                        let part = Part { rows, incomplete, columns };
                        results.add((group, batch), part).expect("it has room");
                    };
                    add(0, vec![numbers, texts]);
                    add(1, vec![flags]);
                }
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
