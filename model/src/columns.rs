//! All columns of a reply in one piece: their number of rows is known, and rows are filled in any order.
//!
//! ```text
//! statuses   columns × rows u8, column by column
//! cells      of each column of a fixed type in order: rows × width, then zeros to a multiple of 8
//! texts      of each string or bytes column: ends and data, see `column`
//! ```
//!
//! Statuses and cells lie as they do on the wire: a reply of numbers is two copies, whatever its number of columns.

use std::sync::Arc;

use crate::{
    Error,
    column::{Column, ColumnRef},
    status::Status,
    value::{DataType, Floats, ValueRef},
};

/// See the module.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Columns {
    types: Arc<[DataType]>,
    places: Vec<Place>,
    rows: usize,
    statuses: Vec<u8>,
    cells: Vec<u8>,
    texts: Vec<Texts>,
    /// Bytes of all texts that were put in.
    text_bytes: usize,
}

/// Where the values of a column lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Place {
    /// Bytes of a cell; 0 for texts.
    width: usize,
    /// Where its cells begin, or which of the texts it is.
    at: usize,
}

/// Values without a fixed width.
#[derive(Debug, Clone, Default, PartialEq)]
struct Texts {
    /// Rows in the order in which they came; empty once all are in order.
    rows: Vec<usize>,
    ends: Vec<u32>,
    data: Vec<u8>,
}

impl Columns {
    /// Makes it so many rows of columns with these types, none of which was found yet; its memory is used again.
    pub fn reset<T>(&mut self, types: T, rows: usize)
    where
        T: IntoIterator<Item = DataType, IntoIter: Clone>,
    {
        let types = types.into_iter();
        if !self.types.iter().copied().eq(types.clone()) {
            self.types = types.collect();
            self.lay_out(rows);
        } else if rows != self.rows {
            self.lay_out(rows);
        }
        self.clear();
    }

    /// As [`Columns::reset`]. Most replies are like the one before: where `types` are the very same, everything has its place already.
    pub fn reset_to(&mut self, types: &Arc<[DataType]>, rows: usize) {
        let is_same = Arc::ptr_eq(&self.types, types);
        if !is_same {
            self.types = Arc::clone(types);
        }
        if !is_same || rows != self.rows {
            self.lay_out(rows);
        }
        self.clear();
    }

    /// Nothing was found yet.
    fn clear(&mut self) {
        self.statuses.fill(Status::NotFound.code());
        self.cells.fill(0);
        self.texts.iter_mut().for_each(Texts::clear);
        self.text_bytes = 0;
    }

    /// Gives every column its place.
    fn lay_out(&mut self, rows: usize) {
        self.rows = rows;
        self.places.clear();
        let (mut cells, mut texts) = (0, 0);
        for data_type in self.types.iter() {
            let (width, at) = match data_type.fixed_bytes() {
                Some(width) => {
                    cells += padded(width * rows);
                    (width, cells - padded(width * rows))
                }
                None => {
                    texts += 1;
                    (0, texts - 1)
                }
            };
            self.places.push(Place { width, at });
        }
        self.statuses.resize(self.places.len() * rows, 0);
        self.cells.resize(cells, 0);
        self.texts.resize_with(texts, Texts::default);
    }

    /// The same as columns that were made one by one.
    ///
    /// # Errors
    /// [`Error::Malformed`] when they do not have the same number of rows.
    pub fn of(columns: &[Column]) -> Result<Self, Error> {
        let mut whole = Self::default();
        let rows = columns.first().map_or(0, Column::len);
        whole.reset(columns.iter().map(Column::data_type), rows);
        for (place, column) in columns.iter().enumerate() {
            whole.put_column(place, column.view())?;
        }
        Ok(whole)
    }

    /// Number of columns.
    #[must_use]
    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// True without columns.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// Number of rows.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Bytes of memory, used or not, but for the types, which are mostly shared.
    #[must_use]
    pub fn capacity(&self) -> usize {
        let texts =
            self.texts.iter().map(|texts| texts.ends.capacity() * 4 + texts.data.capacity());
        let places = self.places.capacity() * size_of::<Place>();
        places + self.statuses.capacity() + self.cells.capacity() + texts.sum::<usize>()
    }

    /// Bytes of the values so far, texts included.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.cells.len() + self.text_bytes
    }

    /// Status bytes, column by column.
    #[must_use]
    pub fn statuses(&self) -> &[u8] {
        &self.statuses
    }

    /// Cells of all columns of fixed types, each column padded to a multiple of 8.
    #[must_use]
    pub fn cells(&self) -> &[u8] {
        &self.cells
    }

    /// True when all are of fixed types: statuses and cells are all there is.
    #[must_use]
    pub fn is_fixed(&self) -> bool {
        self.texts.is_empty()
    }

    /// One column; `None` when there are not so many.
    #[must_use]
    pub fn get(&self, column: usize) -> Option<ColumnRef<'_>> {
        let (place, data_type) = (self.places.get(column)?, *self.types.get(column)?);
        let statuses = self.statuses.get(column * self.rows..(column + 1) * self.rows)?;
        let (ends, data) = match data_type.fixed_bytes() {
            Some(width) => (&[][..], self.cells.get(place.at..place.at + width * self.rows)?),
            None => self.texts.get(place.at).map(|texts| (&texts.ends[..], &texts.data[..]))?,
        };
        Some(ColumnRef::new(data_type, statuses, ends, data))
    }

    /// All columns.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = ColumnRef<'_>> {
        (0..self.len()).map(|column| self.get(column).expect("all columns lie in their buffers"))
    }

    /// Fills in a value that is packed already: the cell's bytes, without a length. Nothing happens outside of what
    /// [`Columns::reset`] made.
    #[inline]
    pub fn put_cell(&mut self, (column, row): (usize, usize), status: Status, cell: &[u8]) {
        let Some(place) = self.places.get(column) else { return };
        if row >= self.rows {
            return;
        }
        match place.width {
            0 => {
                if let Some(texts) = self.texts.get_mut(place.at) {
                    texts.push(row, cell);
                    self.text_bytes += cell.len();
                }
            }
            width => {
                debug_assert_eq!(width, cell.len(), "a cell has its column's width");
                let start = place.at + row * width;
                let to = self.cells.get_mut(start..start + width);
                if let Some(to) = to.filter(|to| to.len() == cell.len()) {
                    to.copy_from_slice(cell);
                }
            }
        }
        self.put_status(column, row, status);
    }

    /// Fills in a value, which must have the column's type.
    #[inline]
    pub fn put(&mut self, at: (usize, usize), status: Status, value: ValueRef<'_>) {
        match value {
            ValueRef::I64(value) | ValueRef::Timestamp(value) | ValueRef::Decimal(value, _) => {
                self.put_cell(at, status, &value.to_le_bytes());
            }
            ValueRef::F64(value) => self.put_cell(at, status, &value.to_le_bytes()),
            ValueRef::F32(value) => self.put_cell(at, status, &value.to_le_bytes()),
            ValueRef::Bool(value) => self.put_cell(at, status, &[u8::from(value)]),
            ValueRef::String(text) => self.put_cell(at, status, text.as_bytes()),
            ValueRef::Bytes(bytes) | ValueRef::Vector(Floats::Packed(bytes)) => {
                self.put_cell(at, status, bytes);
            }
            ValueRef::Vector(Floats::Native(floats)) => {
                let bytes: Vec<u8> = floats.iter().flat_map(|float| float.to_le_bytes()).collect();
                self.put_cell(at, status, &bytes);
            }
        }
    }

    /// Fills in why there is no value: null, not found, expired, failed.
    #[inline]
    pub fn put_empty(&mut self, (column, row): (usize, usize), status: Status) {
        self.put_status(column, row, status);
    }

    /// Fills in values of 8 bytes of as many columns side by side, from `first` on, which all have that width.
    #[inline]
    pub fn put_words(&mut self, (first, row): (usize, usize), status: Status, words: &[[u8; 8]]) {
        let Some(places) = self.places.get(first..first + words.len()) else { return };
        debug_assert!(places.iter().all(|place| place.width == 8), "columns of 8 bytes");
        let (Some(from), rows) = (places.first().map(|place| place.at / 8), self.rows) else {
            return;
        };
        if row >= rows {
            return;
        }
        let cells = self.cells.as_chunks_mut::<8>().0;
        if rows == 1 {
            // A single row lies side by side.
            if let Some(cells) = cells.get_mut(from..from + words.len()) {
                cells.copy_from_slice(words);
            }
            if let Some(statuses) = self.statuses.get_mut(first..first + words.len()) {
                statuses.fill(status.code());
            }
            return;
        }
        // From one column to the next it is as many words as there are rows.
        let cells = cells.get_mut(from + row..).unwrap_or_default();
        cells.iter_mut().step_by(rows).zip(words).for_each(|(cell, word)| *cell = *word);
        let statuses = self.statuses.get_mut(first * rows + row..).unwrap_or_default();
        let statuses = statuses.iter_mut().step_by(rows).take(words.len());
        statuses.for_each(|place| *place = status.code());
    }

    /// Fills in a whole column.
    ///
    /// # Errors
    /// [`Error::Malformed`] when it has another type or number of rows than the column in its place.
    pub fn put_column(&mut self, column: usize, from: ColumnRef<'_>) -> Result<(), Error> {
        let range = column * self.rows..(column + 1) * self.rows;
        let is_its = self.types.get(column) == Some(&from.data_type());
        let place = self.places.get(column).copied().filter(|_| is_its);
        match (place, self.statuses.get_mut(range)) {
            (Some(place), Some(statuses)) if statuses.len() == from.len() => {
                statuses.copy_from_slice(from.statuses());
                self.put_data(place, from);
                Ok(())
            }
            _ => {
                let (rows, data_type) = (from.len(), from.data_type());
                let place = format!("column {column} is not {rows} rows of {data_type}");
                Err(Error::Malformed(place))
            }
        }
    }

    /// Takes the values of a column that has as many rows.
    fn put_data(&mut self, place: Place, from: ColumnRef<'_>) {
        if from.data_type().fixed_bytes().is_none() {
            if let Some(texts) = self.texts.get_mut(place.at) {
                self.text_bytes = self.text_bytes + from.data().len() - texts.data.len();
                texts.clear();
                texts.ends.extend_from_slice(from.ends());
                texts.data.extend_from_slice(from.data());
            }
        } else if let Some(cells) = self.cells.get_mut(place.at..place.at + from.data().len()) {
            cells.copy_from_slice(from.data());
        }
    }

    #[inline]
    fn put_status(&mut self, column: usize, row: usize, status: Status) {
        if let Some(place) = self.statuses.get_mut(column * self.rows + row) {
            *place = status.code();
        }
    }

    /// Brings the texts of rows that were filled in any order, or not at all, into the order of rows. Before it they cannot be read.
    pub fn settle(&mut self) {
        self.texts.iter_mut().for_each(|texts| texts.settle(self.rows));
    }

    /// Takes statuses as they were received: columns × rows.
    ///
    /// # Errors
    /// [`Error::Malformed`] when there are not so many.
    pub fn receive_statuses(&mut self, statuses: &[u8]) -> Result<(), Error> {
        if statuses.len() != self.statuses.len() {
            let (given, rows) = (statuses.len(), self.rows);
            return Err(Error::Malformed(format!("{given} statuses for columns of {rows} rows")));
        }
        self.statuses.copy_from_slice(statuses);
        Ok(())
    }

    /// Takes the values of one column as they were received, and checks every row of it; [`Columns::receive_statuses`] comes first.
    ///
    /// # Errors
    /// [`Error::Malformed`] when lengths disagree, a status is unknown or a value is not of the type.
    pub fn receive(&mut self, column: usize, ends: &[u32], data: &[u8]) -> Result<(), Error> {
        let found = self.places.get(column).copied().zip(self.types.get(column).copied());
        let Some((place, data_type)) = found else {
            return Err(Error::Malformed(format!("there is no column {column}")));
        };
        let statuses = self.statuses.get(column * self.rows..(column + 1) * self.rows);
        let received = ColumnRef::new(data_type, statuses.unwrap_or_default(), ends, data);
        received.check()?;
        self.put_data(place, ColumnRef::new(data_type, &[], ends, data));
        Ok(())
    }
}

impl Texts {
    fn clear(&mut self) {
        self.rows.clear();
        self.ends.clear();
        self.data.clear();
    }

    fn push(&mut self, row: usize, text: &[u8]) {
        self.data.extend_from_slice(text);
        self.rows.push(row);
        self.ends.push(end(&self.data));
    }

    fn settle(&mut self, rows: usize) {
        let is_settled = self.rows.is_empty() && self.ends.len() == rows;
        if is_settled || self.rows.iter().copied().eq(0..rows) {
            self.rows.clear();
            return;
        }
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        let mut came: Vec<(usize, usize, usize)> = self
            .rows
            .iter()
            .zip(starts.zip(&self.ends))
            .map(|(row, (start, end))| (*row, start as usize, *end as usize))
            .collect();
        came.sort_unstable();
        let mut came = came.into_iter().peekable();
        let (mut ends, mut data) = (Vec::with_capacity(rows), Vec::with_capacity(self.data.len()));
        for row in 0..rows {
            if let Some((_, start, end)) = came.next_if(|(of, ..)| *of == row) {
                data.extend_from_slice(self.data.get(start..end).unwrap_or_default());
            }
            ends.push(end(&data));
        }
        *self = Self { rows: Vec::new(), ends, data };
    }
}

/// Where a value ends: a reply is far below 4 GiB, see `limits::FRAME_BYTES_MAX`.
fn end(data: &[u8]) -> u32 {
    u32::try_from(data.len()).unwrap_or(u32::MAX)
}

fn padded(bytes: usize) -> usize {
    bytes.next_multiple_of(8)
}

#[cfg(test)]
mod tests {
    use super::*;
    use stdx::prng::Prng;

    const TYPES: [DataType; 6] = [
        DataType::String,
        DataType::F64,
        DataType::I64,
        DataType::Bool,
        DataType::Bytes,
        DataType::Vector(3),
    ];

    fn value(data_type: DataType, prng: &mut Prng) -> crate::value::Value {
        use crate::value::Value;
        let number = prng.between(-99, 99);
        match data_type {
            DataType::String => Value::String(number.to_string().into()),
            DataType::Bytes => Value::Bytes(number.to_le_bytes().into()),
            DataType::F64 => Value::F64(f64::from(i32::try_from(number).expect("small"))),
            DataType::Bool => Value::Bool(number > 0),
            DataType::Vector(_) => Value::Vector([1.5, -0.0, 2.0].into()),
            _ => Value::I64(number),
        }
    }

    /// Rows in any order come to the same as columns that are filled from the first row to the last.
    #[test]
    fn the_order_of_rows_does_not_matter() {
        let seed = 11;
        let mut prng = Prng::new(seed);
        let mut columns = Columns::default();
        // What was there before leaves nothing, also where everything keeps its place.
        let types: Arc<[DataType]> = TYPES.into();
        for (round, rows) in [0, 1, 1, 2, 7, 7, 30, 3, 1, 1].into_iter().enumerate() {
            // Replies of another plan come in between.
            columns.reset(TYPES.into_iter().rev(), rows);
            if round % 2 == 0 {
                columns.reset(TYPES, rows);
            } else {
                columns.reset_to(&types, rows);
            }
            let mut expected: Vec<Column> =
                TYPES.iter().map(|data_type| Column::new(*data_type, rows)).collect();
            let mut puts = Vec::new();
            for row in 0..rows {
                for (column, data_type) in TYPES.iter().enumerate() {
                    let value = value(*data_type, &mut prng);
                    let status =
                        [Status::Present, Status::Partial, Status::Expired][row * 7 % 5 % 3];
                    if status == Status::Expired {
                        expected[column].push_empty(status);
                    } else {
                        expected[column].push(status, value.borrow());
                    }
                    puts.push(((column, row), status, value));
                }
            }
            prng.shuffle(&mut puts);
            for (at, status, value) in &puts {
                match status {
                    Status::Expired => columns.put_empty(*at, *status),
                    _ => columns.put(*at, *status, value.borrow()),
                }
            }
            columns.settle();
            assert_eq!(Columns::of(&expected).as_ref(), Ok(&columns), "{rows} rows, seed {seed}");
        }
    }

    fn shown(columns: &Columns, (column, row): (usize, usize)) -> String {
        let (status, value) = columns.get(column).expect("there").get(row).expect("there");
        match value {
            Some(value) => format!("{status} {}", value.to_owned()),
            None => status.to_string(),
        }
    }

    #[test]
    fn words_side_by_side_are_cells_one_by_one() {
        let types = [DataType::Bool, DataType::F64, DataType::I64, DataType::Decimal(2)];
        let (mut one, mut other) = (Columns::default(), Columns::default());
        let words: Vec<[u8; 8]> = (1..=3_u64).map(u64::to_le_bytes).collect();
        for rows in [1, 3] {
            one.reset(types, rows);
            other.reset(types, rows);
            for row in (0..rows).step_by(2) {
                one.put_words((1, row), Status::Present, &words);
                for (column, word) in (1..).zip(&words) {
                    other.put_cell((column, row), Status::Present, word);
                }
            }
            assert_eq!(one, other);
            assert_eq!(shown(&one, (0, 0)), "NOT_FOUND");
            assert_eq!(shown(&one, (2, rows - 1)), "PRESENT 2");
        }
        assert_eq!(shown(&one, (3, 1)), "NOT_FOUND");
    }

    #[test]
    fn what_is_received_is_checked() {
        let mut columns = Columns::default();
        columns.reset([DataType::Bool, DataType::String], 1);
        assert!(columns.receive_statuses(&[0]).is_err());
        columns.receive_statuses(&[Status::Present.code(); 2]).expect("two");
        assert!(columns.receive(0, &[], &[7]).is_err(), "a bool is 0 or 1");
        assert!(columns.receive(0, &[], &[1, 1]).is_err(), "one row");
        assert!(columns.receive(1, &[2], b"a").is_err(), "lengths disagree");
        columns.receive(0, &[], &[1]).expect("a bool");
        columns.receive(1, &[1], b"a").expect("a text");
        assert!(columns.receive(2, &[], &[]).is_err(), "there is no third");
        assert_eq!(shown(&columns, (1, 0)), "PRESENT a");
    }
}
