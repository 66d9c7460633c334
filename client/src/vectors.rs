//! Vectors as read: every value with its status.

use std::sync::Arc;

use model::{
    Error,
    column::Column,
    status::Status,
    value::{Value, ValueRef},
};
use protocol::ReadReply;

use crate::Schema;

/// One vector for each key tuple of a read, in its order.
#[derive(Debug, Clone)]
pub struct Vectors {
    schema: Arc<Schema>,
    reply: ReadReply,
}

impl Vectors {
    pub(crate) fn new(schema: Arc<Schema>, reply: ReadReply) -> Self {
        Self { schema, reply }
    }

    /// Number of vectors.
    #[must_use]
    pub fn len(&self) -> usize {
        self.reply.rows as usize
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

    /// The values column by column, as they came.
    #[must_use]
    pub fn columns(&self) -> &[Column] {
        &self.reply.columns
    }

    /// The as-of that was used, in ms.
    #[must_use]
    pub fn as_of(&self) -> i64 {
        self.reply.as_of
    }

    /// True when a window was read at a tile edge instead of the as-of asked for.
    #[must_use]
    pub fn is_snapped(&self) -> bool {
        self.reply.snapped
    }

    /// Status and value of the column called `name` in vector `row`.
    ///
    /// # Errors
    /// [`Error::Invalid`] lists the columns there are, or says how many vectors.
    pub fn get(&self, row: usize, name: &str) -> Result<(Status, Option<Value>), Error> {
        let position = self.schema.position(name)?;
        let cell = self.reply.columns.get(position).and_then(|column| column.get(row).ok());
        let (status, value) = cell.ok_or_else(|| {
            let allowed = format!("below {}, the number of vectors read", self.len());
            Error::invalid("row", row.to_string(), allowed)
        })?;
        Ok((status, value.map(ValueRef::to_owned)))
    }

    /// Name, status and value of everything in vector `row`; nothing when there is no such row.
    pub fn row(&self, row: usize) -> impl Iterator<Item = (&str, Status, Option<ValueRef<'_>>)> {
        self.names().zip(&self.reply.columns).filter_map(move |(name, column)| {
            column.get(row).ok().map(|(status, value)| (name, status, value))
        })
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
