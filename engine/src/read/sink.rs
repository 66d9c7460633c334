//! Where the values of one entity go: a row of the columns of a reply, or the end of each column.

use model::{column::Column, columns::Columns, status::Status, value::ValueRef};

/// Takes the values of one entity, each for its column.
pub(crate) trait Sink {
    /// There is no value, and why.
    fn empty(&mut self, column: usize, status: Status);
    /// A value that is packed already: its bytes without a length.
    fn cell(&mut self, column: usize, status: Status, cell: &[u8]);
    /// A value of the column's type.
    fn value(&mut self, column: usize, status: Status, value: ValueRef<'_>);
    /// Values of 8 bytes for as many columns side by side, from `first` on.
    fn words(&mut self, first: usize, status: Status, words: &[[u8; 8]]) {
        for (column, word) in (first..).zip(words) {
            self.cell(column, status, word);
        }
    }
}

/// One row of the columns of a reply: replies are filled in the order of shards.
pub(crate) struct RowOf<'a> {
    /// All columns.
    pub(crate) columns: &'a mut Columns,
    /// The row.
    pub(crate) row: usize,
}

impl Sink for RowOf<'_> {
    #[inline]
    fn empty(&mut self, column: usize, status: Status) {
        self.columns.put_empty((column, self.row), status);
    }

    #[inline]
    fn cell(&mut self, column: usize, status: Status, cell: &[u8]) {
        self.columns.put_cell((column, self.row), status, cell);
    }

    #[inline]
    fn value(&mut self, column: usize, status: Status, value: ValueRef<'_>) {
        self.columns.put((column, self.row), status, value);
    }

    #[inline]
    fn words(&mut self, first: usize, status: Status, words: &[[u8; 8]]) {
        self.columns.put_words((first, self.row), status, words);
    }
}

/// Columns that grow: nobody knows beforehand how many entities a scan finds.
impl Sink for [Column] {
    #[inline]
    fn empty(&mut self, column: usize, status: Status) {
        if let Some(column) = self.get_mut(column) {
            column.push_empty(status);
        }
    }

    #[inline]
    fn cell(&mut self, column: usize, status: Status, cell: &[u8]) {
        if let Some(column) = self.get_mut(column) {
            column.push_cell(status, cell);
        }
    }

    #[inline]
    fn value(&mut self, column: usize, status: Status, value: ValueRef<'_>) {
        if let Some(column) = self.get_mut(column) {
            column.push(status, value);
        }
    }
}
