//! What a read does when values are missing or the server cannot be asked: says so, fails, or goes on with defaults that are told
//! apart from what was read.
//!
//! | | status | value |
//! |---|---|---|
//! | read | PRESENT, PARTIAL, NULL | as read |
//! | missing | NOT_FOUND, EXPIRED, ERROR | none; the default with [`OnMissing::Default`] |
//! | whole call failed, with `or_defaults` | ERROR | the default, if there is one |
//!
//! NULL is no missing value: a stored null and the mean of no events are what a model was trained with.

use std::sync::Arc;

use model::{
    status::Status,
    value::{Value, ValueRef},
};

use stdx::sync::Mutex;

use crate::{Error, Input, Schema, Vectors};

/// What a read does about values that are missing: NOT_FOUND, EXPIRED or ERROR. (NULL is a value: nothing happened, or a null was
/// stored.)
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnMissing {
    /// Gives none; the status says why.
    #[default]
    Null,
    /// Gives the default of that name, if there is one; the status still says why, so that it never looks like a value that was
    /// read.
    Default,
    /// Fails with [`Error::Missing`].
    Error,
}

/// True when there is no value to be had.
pub(crate) fn is_missing(status: Status) -> bool {
    matches!(status, Status::NotFound | Status::Expired | Status::Error)
}

/// What a read does in trouble.
#[derive(Clone)]
pub(crate) struct Policy {
    pub(crate) on_missing: OnMissing,
    pub(crate) or_defaults: bool,
    defaults: Arc<Defaults>,
}

/// A default for some columns of a schema.
#[derive(Debug, Clone)]
pub(crate) struct Defaults {
    schema: Arc<Schema>,
    values: Vec<Option<Value>>,
    renewed: Renewed,
}

/// The same defaults under the schema that was asked for last, so that a reader does not convert them at every read.
#[derive(Debug, Default)]
struct Renewed(Mutex<Option<Arc<Defaults>>>);

impl Clone for Renewed {
    /// A copy is made to be changed: what was converted is not its own.
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl Policy {
    /// Nothing special, for a service that reads `schema`.
    pub(crate) fn none(schema: Arc<Schema>) -> Self {
        let values = vec![None; schema.columns().len()];
        let defaults = Arc::new(Defaults { schema, values, renewed: Renewed::default() });
        Self { on_missing: OnMissing::Null, or_defaults: false, defaults }
    }

    /// Sets the default of the column called `name`.
    ///
    /// # Errors
    /// When there is no such column, or the value does not fit it.
    pub(crate) fn set(&mut self, name: &str, value: Input) -> Result<(), model::Error> {
        let defaults = Arc::make_mut(&mut self.defaults);
        defaults.renewed = Renewed::default();
        let position = defaults.schema.position(name)?;
        let columns = defaults.schema.columns().get(position);
        if let Some((column, place)) = columns.zip(defaults.values.get_mut(position)) {
            *place = value.convert(name, column.data_type)?;
        }
        Ok(())
    }

    /// What the caller gets of what was read.
    pub(crate) fn judge(&self, vectors: Vectors) -> Result<Vectors, Error> {
        match self.on_missing {
            OnMissing::Null => Ok(vectors),
            OnMissing::Default => {
                let defaults = self.under(vectors.shared_schema())?;
                Ok(vectors.with_defaults(defaults))
            }
            OnMissing::Error => match vectors.first_missing() {
                Some((row, name, status)) => {
                    Err(Error::Missing { feature: name.to_owned(), row, status })
                }
                None => Ok(vectors),
            },
        }
    }

    /// What the caller gets when the read of `rows` vectors as of `as_of` failed with `error`.
    pub(crate) fn instead(
        &self,
        error: Error,
        schema: &Arc<Schema>,
        rows: usize,
        as_of: Option<i64>,
    ) -> Result<Vectors, Error> {
        if !self.or_defaults || !error.is_trouble() {
            return Err(error);
        }
        let defaults = self.under(schema)?;
        Ok(Vectors::unread(Arc::clone(schema), rows, as_of, error).with_defaults(defaults))
    }

    /// The defaults under `schema`: those of columns that are still there.
    fn under(&self, schema: &Arc<Schema>) -> Result<Arc<Defaults>, model::Error> {
        let old = &self.defaults;
        if Arc::ptr_eq(&old.schema, schema) {
            return Ok(Arc::clone(old));
        }
        let mut renewed = old.renewed.0.lock();
        if let Some(known) = renewed.as_ref().filter(|known| Arc::ptr_eq(&known.schema, schema)) {
            return Ok(Arc::clone(known));
        }
        let mut values = vec![None; schema.columns().len()];
        for (column, value) in old.schema.columns().iter().zip(&old.values) {
            let Some(value) = value else { continue };
            let mut new = schema.columns().iter().zip(&mut values);
            if let Some((new, place)) = new.find(|(new, _)| new.name == column.name) {
                *place = Input::from(value.clone()).convert(&new.name, new.data_type)?;
            }
        }
        let schema = Arc::clone(schema);
        let fresh = Arc::new(Defaults { schema, values, renewed: Renewed::default() });
        *renewed = Some(Arc::clone(&fresh));
        Ok(fresh)
    }
}

impl Defaults {
    /// The default of the `column`-th column.
    pub(crate) fn get(&self, column: usize) -> Option<ValueRef<'_>> {
        self.values.get(column)?.as_ref().map(Value::borrow)
    }
}
