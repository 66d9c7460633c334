//! One column of a reply: a status and a value for each entity asked for, in request order.
//!
//! ```text
//! fixed types      status[n] u8      values[n · width]                      a withheld value's bytes are zero
//! string, bytes    status[n] u8      ends[n] u32 (cumulative)    data       a withheld value is empty
//! ```
//!
//! Statuses first and values in one run, so that Arrow and numpy can wrap what arrives without copying.

use crate::{
    Error, packed,
    status::Status,
    value::{DataType, ValueRef},
};
use stdx::cursor::Writer;

/// A column under construction, or as received.
#[derive(Debug, Clone, PartialEq)]
pub struct Column {
    data_type: DataType,
    statuses: Vec<u8>,
    /// End of each value in `data`; empty for fixed types.
    ends: Vec<u32>,
    data: Vec<u8>,
}

impl Column {
    /// An empty column with room for `rows`.
    #[must_use]
    pub fn new(data_type: DataType, rows: usize) -> Self {
        let fixed = data_type.fixed_bytes();
        Self {
            data_type,
            statuses: Vec::with_capacity(rows),
            ends: Vec::with_capacity(if fixed.is_some() { 0 } else { rows }),
            data: Vec::with_capacity(fixed.unwrap_or(0) * rows),
        }
    }

    /// A column of a fixed type with `rows` rows, of which none was found yet: [`Column::scatter`] fills them.
    #[must_use]
    pub fn of_rows(data_type: DataType, rows: usize) -> Self {
        let width = data_type.fixed_bytes().unwrap_or(0);
        let statuses = vec![Status::NotFound.code(); rows];
        Self { data_type, statuses, ends: Vec::new(), data: vec![0; width * rows] }
    }

    /// Overwrites rows of a fixed type, in any order, with as many of another column: their statuses and data. Rows that it does not
    /// have are left out.
    pub fn scatter(&mut self, rows: &[u16], statuses: &[u8], data: &[u8]) {
        for (row, status) in rows.iter().zip(statuses) {
            if let Some(place) = self.statuses.get_mut(usize::from(*row)) {
                *place = *status;
            }
        }
        match self.data_type.fixed_bytes() {
            // Nearly all types: a width that the compiler knows is a load and a store.
            Some(8) => scatter(self.data.as_chunks_mut::<8>().0, rows, data.as_chunks().0),
            Some(width) if width > 0 => {
                for (row, cell) in rows.iter().zip(data.chunks_exact(width)) {
                    let start = usize::from(*row) * width;
                    if let Some(place) = self.data.get_mut(start..start + width) {
                        place.copy_from_slice(cell);
                    }
                }
            }
            _ => {}
        }
    }

    /// The type of its values.
    #[must_use]
    pub fn data_type(&self) -> DataType {
        self.data_type
    }

    /// Number of rows.
    #[must_use]
    pub fn len(&self) -> usize {
        self.statuses.len()
    }

    /// True without rows.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.statuses.is_empty()
    }

    /// The status bytes, one a row.
    #[must_use]
    pub fn statuses(&self) -> &[u8] {
        &self.statuses
    }

    /// The ends of variable values in [`Column::data`]; empty for fixed types.
    #[must_use]
    pub fn ends(&self) -> &[u32] {
        &self.ends
    }

    /// The value bytes.
    #[must_use]
    pub fn data(&self) -> &[u8] {
        &self.data
    }

    /// Appends a row without a value: null, not found, expired, failed.
    #[inline]
    pub fn push_empty(&mut self, status: Status) {
        self.statuses.push(status.code());
        match self.data_type.fixed_bytes() {
            Some(width) => self.data.resize(self.data.len() + width, 0),
            None => self.push_end(),
        }
    }

    /// Appends a row with a value, which must have the column's type.
    #[inline]
    pub fn push(&mut self, status: Status, value: ValueRef<'_>) {
        debug_assert_eq!(value.data_type(), self.data_type, "a column has one type");
        match value {
            ValueRef::String(text) => self.push_cell(status, text.as_bytes()),
            ValueRef::Bytes(bytes) => self.push_cell(status, bytes),
            // Nearly all values: 8 bytes, which are a load and a store.
            ValueRef::I64(value) | ValueRef::Timestamp(value) | ValueRef::Decimal(value, _) => {
                self.push_word(status, value.cast_unsigned());
            }
            ValueRef::F64(value) => self.push_word(status, value.to_bits()),
            fixed => {
                self.statuses.push(status.code());
                packed::write_value(&mut Writer::new(&mut self.data), fixed);
            }
        }
    }

    /// Appends a row with a value of a type of 8 bytes: a number as it is, or the bits of an f64.
    #[inline]
    pub fn push_word(&mut self, status: Status, word: u64) {
        debug_assert_eq!(self.data_type.fixed_bytes(), Some(8), "a column of words");
        self.statuses.push(status.code());
        self.data.extend_from_slice(&word.to_le_bytes());
    }

    /// Appends a row whose value is already packed: the cell's bytes without a length.
    #[inline]
    pub fn push_cell(&mut self, status: Status, cell: &[u8]) {
        debug_assert!(self.data_type.fixed_bytes().is_none_or(|width| width == cell.len()));
        self.statuses.push(status.code());
        // Nearly all cells: a length that the compiler knows is a load and a store.
        if let Ok(cell) = <&[u8; 8]>::try_from(cell) {
            self.data.extend_from_slice(cell);
        } else {
            self.data.extend_from_slice(cell);
        }
        if self.data_type.fixed_bytes().is_none() {
            self.push_end();
        }
    }

    fn push_end(&mut self) {
        // A reply is far below 4 GiB: limits::FRAME_BYTES_MAX.
        self.ends.push(u32::try_from(self.data.len()).unwrap_or(u32::MAX));
    }

    /// It, borrowed.
    #[must_use]
    pub fn view(&self) -> ColumnRef<'_> {
        ColumnRef::new(self.data_type, &self.statuses, &self.ends, &self.data)
    }

    /// The status of `row`, and its value when one is given.
    ///
    /// # Errors
    /// [`Error::Malformed`] when the row does not exist or its bytes are not a value of the type.
    pub fn get(&self, row: usize) -> Result<(Status, Option<ValueRef<'_>>), Error> {
        self.view().get(row)
    }

    /// A column from its parts as received; every row is checked once here.
    ///
    /// # Errors
    /// [`Error::Malformed`] when lengths disagree, a status is unknown or a value is not of the type.
    pub fn from_parts(
        data_type: DataType,
        statuses: &[u8],
        ends: &[u32],
        data: &[u8],
    ) -> Result<Self, Error> {
        ColumnRef::new(data_type, statuses, ends, data).check()?;
        Ok(Self { data_type, statuses: statuses.into(), ends: ends.into(), data: data.into() })
    }
}

/// A column, borrowed from wherever it lies.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ColumnRef<'a> {
    data_type: DataType,
    statuses: &'a [u8],
    ends: &'a [u32],
    data: &'a [u8],
}

impl<'a> ColumnRef<'a> {
    pub(crate) fn new(
        data_type: DataType,
        statuses: &'a [u8],
        ends: &'a [u32],
        data: &'a [u8],
    ) -> Self {
        Self { data_type, statuses, ends, data }
    }

    /// The type of its values.
    #[must_use]
    pub fn data_type(self) -> DataType {
        self.data_type
    }

    /// Number of rows.
    #[must_use]
    pub fn len(self) -> usize {
        self.statuses.len()
    }

    /// True without rows.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.statuses.is_empty()
    }

    /// The status bytes, one a row.
    #[must_use]
    pub fn statuses(self) -> &'a [u8] {
        self.statuses
    }

    /// The ends of variable values in [`ColumnRef::data`]; empty for fixed types.
    #[must_use]
    pub fn ends(self) -> &'a [u32] {
        self.ends
    }

    /// The value bytes.
    #[must_use]
    pub fn data(self) -> &'a [u8] {
        self.data
    }

    /// The status of `row`, and its value when one is given.
    ///
    /// # Errors
    /// [`Error::Malformed`] when the row does not exist or its bytes are not a value of the type.
    pub fn get(self, row: usize) -> Result<(Status, Option<ValueRef<'a>>), Error> {
        let status = self.statuses.get(row).copied().and_then(Status::from_code);
        let status = status.ok_or_else(|| Error::Malformed(format!("row {row} has no status")))?;
        if !matches!(status, Status::Present | Status::Partial) {
            return Ok((status, None));
        }
        let range = match self.data_type.fixed_bytes() {
            Some(width) => row * width..(row + 1) * width,
            None => {
                let end = |row: usize| self.ends.get(row).map(|end| *end as usize);
                let start = if row == 0 { Some(0) } else { end(row - 1) };
                start.zip(end(row)).map_or(0..usize::MAX, |(start, end)| start..end)
            }
        };
        let cell = self.data.get(range);
        let cell = cell.ok_or_else(|| Error::Malformed(format!("row {row} passes the column")))?;
        packed::decode(cell, self.data_type).map(|value| (status, Some(value)))
    }

    /// Checks every row of what was received.
    pub(crate) fn check(self) -> Result<(), Error> {
        let rows = self.statuses.len();
        let is_consistent = match self.data_type.fixed_bytes() {
            Some(width) => self.ends.is_empty() && rows.checked_mul(width) == Some(self.data.len()),
            None => {
                self.ends.len() == rows
                    && self.ends.is_sorted()
                    && self.ends.last().map_or(0, |end| *end as usize) == self.data.len()
            }
        };
        if !is_consistent {
            let data_type = self.data_type;
            return Err(Error::Malformed(format!("a {data_type} column whose lengths disagree")));
        }
        (0..rows).try_for_each(|row| self.get(row).map(drop))
    }
}

fn scatter<const WIDTH: usize>(places: &mut [[u8; WIDTH]], rows: &[u16], cells: &[[u8; WIDTH]]) {
    for (row, cell) in rows.iter().zip(cells) {
        if let Some(place) = places.get_mut(usize::from(*row)) {
            *place = *cell;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_come_back_with_their_status() {
        let mut column = Column::new(DataType::String, 3);
        column.push(Status::Present, ValueRef::String("ab"));
        column.push_empty(Status::Expired);
        column.push(Status::Partial, ValueRef::String("c"));
        let copy =
            Column::from_parts(DataType::String, column.statuses(), column.ends(), column.data());
        assert_eq!(copy.as_ref(), Ok(&column));
        let shown: Vec<_> = (0..3)
            .map(|row| column.get(row).map(|(s, v)| (s, v.map(|v| v.to_owned().to_string()))))
            .collect();
        assert_eq!(
            shown,
            [
                Ok((Status::Present, Some("ab".to_owned()))),
                Ok((Status::Expired, None)),
                Ok((Status::Partial, Some("c".to_owned())))
            ]
        );
        assert!(column.get(3).is_err());
    }

    #[test]
    fn scattered_rows_are_where_they_belong() {
        for (data_type, of) in [
            (DataType::I64, ValueRef::I64 as fn(i64) -> ValueRef<'static>),
            (DataType::Bool, |number| ValueRef::Bool(number > 5)),
        ] {
            let mut part = Column::new(data_type, 2);
            part.push(Status::Partial, of(7));
            part.push_empty(Status::Null);
            let mut whole = Column::of_rows(data_type, 3);
            whole.scatter(&[2, 0], part.statuses(), part.data());
            let mut expected = Column::new(data_type, 3);
            expected.push_empty(Status::Null);
            expected.push_empty(Status::NotFound);
            expected.push(Status::Partial, of(7));
            assert_eq!(whole, expected);
        }
    }

    #[test]
    fn parts_that_disagree_are_refused() {
        assert!(Column::from_parts(DataType::I64, &[0, 0], &[], &[0; 8]).is_err());
        assert!(Column::from_parts(DataType::String, &[0], &[2], b"a").is_err());
        assert!(Column::from_parts(DataType::String, &[0, 0], &[2, 1], b"a").is_err());
        assert!(Column::from_parts(DataType::Bool, &[9], &[], &[0]).is_err());
        assert!(Column::from_parts(DataType::Bool, &[0], &[], &[7]).is_err());
    }
}
