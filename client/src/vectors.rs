//! Vectors as read: every value with its status; with defaults where a read goes on without some.

use std::sync::Arc;

use model::{
    Error,
    column::ColumnRef,
    columns::Columns,
    status::Status,
    value::{Value, ValueRef},
};
use protocol::ReadReply;

use crate::{
    Schema,
    degrade::{Defaults, is_missing},
};

/// One vector for each key tuple of a read, in its order.
#[derive(Debug, Clone)]
pub struct Vectors {
    schema: Arc<Schema>,
    reply: ReadReply,
    /// What stands in for values that are missing.
    defaults: Option<Arc<Defaults>>,
    failure: Option<Box<crate::Error>>,
}

impl Vectors {
    pub(crate) fn new(schema: Arc<Schema>, reply: ReadReply) -> Self {
        Self { schema, reply, defaults: None, failure: None }
    }

    /// What there is of `rows` vectors that could not be read because of `failure`: nothing, with status ERROR.
    pub(crate) fn unread(
        schema: Arc<Schema>,
        rows: usize,
        as_of: Option<i64>,
        failure: crate::Error,
    ) -> Self {
        let mut columns = Columns::default();
        columns.reset(schema.types().iter().copied(), rows);
        let places = (0..columns.len()).flat_map(|column| (0..rows).map(move |row| (column, row)));
        places.for_each(|at| columns.put_empty(at, Status::Error));
        columns.settle();
        let as_of = as_of.unwrap_or(i64::MIN);
        let reply = ReadReply { as_of, snapped: false, columns, times: None };
        Self { failure: Some(Box::new(failure)), ..Self::new(schema, reply) }
    }

    pub(crate) fn with_defaults(self, defaults: Arc<Defaults>) -> Self {
        Self { defaults: Some(defaults), ..self }
    }

    pub(crate) fn shared_schema(&self) -> &Arc<Schema> {
        &self.schema
    }

    /// Row, name and status of the first value that is missing.
    pub(crate) fn first_missing(&self) -> Option<(usize, &str, Status)> {
        let missing = |column: ColumnRef<'_>| {
            let statuses = column.statuses().iter().map(|code| Status::from_code(*code));
            let mut statuses =
                statuses.enumerate().map(|(row, it)| (row, it.unwrap_or(Status::Error)));
            statuses.find(|(_, status)| is_missing(*status))
        };
        let found = self.names().zip(self.reply.columns.iter());
        let mut found = found.filter_map(|(name, column)| Some((name, missing(column)?)));
        found.next().map(|(name, (row, status))| (row, name, status))
    }

    /// Why nothing was read and every value is a default with status ERROR ([`crate::Read::or_defaults`]); `None` for vectors that
    /// were read.
    #[must_use]
    pub fn failure(&self) -> Option<&crate::Error> {
        self.failure.as_deref()
    }

    /// Number of vectors.
    #[must_use]
    pub fn len(&self) -> usize {
        self.reply.columns.rows()
    }

    /// True without vectors.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Names and types of the values.
    #[must_use]
    pub fn schema(&self) -> &Schema {
        &self.schema
    }

    /// The names of the values, in order.
    pub fn names(&self) -> impl ExactSizeIterator<Item = &str> {
        self.schema.columns().iter().map(|column| column.name.as_str())
    }

    /// The values column by column, as they came: without defaults.
    #[must_use]
    pub fn columns(&self) -> impl ExactSizeIterator<Item = ColumnRef<'_>> {
        self.reply.columns.iter()
    }

    /// The as-of that was used, in ms. Of vectors that could not be read: the one asked for, `i64::MIN` when that was now.
    #[must_use]
    pub fn as_of(&self) -> i64 {
        self.reply.as_of
    }

    /// True when a window was read at a tile edge instead of the as-of asked for.
    #[must_use]
    pub fn is_snapped(&self) -> bool {
        self.reply.snapped
    }

    /// Status and value of the column called `name` in vector `row`. A value under NOT_FOUND, EXPIRED or ERROR is a default.
    ///
    /// # Errors
    /// [`Error::Invalid`] lists the columns there are, or says how many vectors.
    pub fn get(&self, row: usize, name: &str) -> Result<(Status, Option<Value>), Error> {
        let position = self.schema.position(name)?;
        let (status, value) = self.cell(position, row).ok_or_else(|| {
            let allowed = format!("below {}, the number of vectors read", self.len());
            Error::invalid("row", row.to_string(), allowed)
        })?;
        Ok((status, value.map(ValueRef::to_owned)))
    }

    /// Name, status and value of everything in vector `row`; nothing when there is no such row. A value under NOT_FOUND, EXPIRED
    /// or ERROR is a default.
    pub fn row(&self, row: usize) -> impl Iterator<Item = (&str, Status, Option<ValueRef<'_>>)> {
        self.names().enumerate().filter_map(move |(position, name)| {
            self.cell(position, row).map(|(status, value)| (name, status, value))
        })
    }

    /// Status, and value or default.
    fn cell(&self, position: usize, row: usize) -> Option<(Status, Option<ValueRef<'_>>)> {
        let (status, value) = self.reply.columns.get(position)?.get(row).ok()?;
        let default = || self.defaults.as_ref()?.get(position).filter(|_| is_missing(status));
        Some((status, value.or_else(default)))
    }

    /// Vector `row` as floats, in order: what a model takes. What has no value or is no number is NaN.
    #[must_use]
    pub fn row_f64(&self, row: usize) -> Vec<f64> {
        self.row(row).map(|(_, _, value)| as_f64(value)).collect()
    }

    /// All vectors as floats, row by row: `len() × names().len()`. What has no value or is no number is NaN.
    #[must_use]
    pub fn to_f64(&self) -> Vec<f64> {
        (0..self.len()).flat_map(|row| self.row(row).map(|(_, _, value)| as_f64(value))).collect()
    }

    /// Group and event time in ms (`None` when nothing is stored) of vector `row`; empty unless times were asked for.
    pub fn group_times(&self, row: usize) -> impl Iterator<Item = (&str, Option<i64>)> {
        let times = self.reply.times.iter().flat_map(|times| &times.groups);
        self.schema.groups().iter().zip(times).map(move |(group, times)| {
            let time = times.get(row).copied().filter(|time| *time != i64::MIN);
            (group.as_str(), time)
        })
    }

    /// Name and start of the window in ms of every column that is one; empty unless times were asked for.
    pub fn window_starts(&self) -> impl Iterator<Item = (&str, i64)> {
        let starts = self.reply.times.iter().flat_map(|times| &times.window_starts);
        self.names().zip(starts.copied()).filter(|(_, start)| *start != i64::MIN)
    }
}

fn as_f64(value: Option<ValueRef<'_>>) -> f64 {
    match value {
        // No numbers, and the only ones that would be copied to the heap.
        None | Some(ValueRef::String(_) | ValueRef::Bytes(_) | ValueRef::Vector(_)) => f64::NAN,
        Some(number) => number.to_owned().as_f64().unwrap_or(f64::NAN),
    }
}
