//! Columns of the spine as typed cells. How values become a field's is the same for all commands: see [`crate::input`].

use std::path::Path;

use arrow_array::RecordBatch;
use arrow_schema::Schema;
use model::packed_row::Cell;
use model::value::DataType;

use crate::Error;
use crate::input::columns::{self, Column, Sought};

/// A column that the spine must have.
#[derive(Debug, Clone)]
pub(super) struct Wish {
    pub(super) name: String,
    pub(super) data_type: DataType,
    /// It is a part of a key.
    pub(super) is_key: bool,
}

/// Some columns of a batch as cells.
#[derive(Debug)]
pub(super) struct Table {
    columns: Vec<Column>,
}

impl Table {
    /// Binds the columns of `batch`, of the file `path`, to `wishes` by name.
    ///
    /// # Errors
    /// [`Error::File`] names a column that is missing, or whose type no value of the field can be made of.
    pub(super) fn bind(path: &Path, batch: &RecordBatch, wishes: &[Wish]) -> Result<Self, Error> {
        let schema = batch.schema();
        let bind = |wish: &Wish| match schema.index_of(&wish.name) {
            Ok(place) => {
                let sought = Sought { name: &wish.name, data_type: wish.data_type };
                columns::check(path, &schema, place, (sought, wish.is_key))?;
                Column::new(batch.column(place), sought)
            }
            Err(_) => Err(missing(path, &schema, wish, wishes)),
        };
        Ok(Self { columns: wishes.iter().map(bind).collect::<Result<_, _>>()? })
    }

    /// The cells of a row, into `cells`, which is cleared first.
    ///
    /// # Errors
    /// What is wrong with a value, for whoever made the file.
    pub(super) fn row<'a>(&'a self, row: usize, cells: &mut Vec<Cell<'a>>) -> Result<(), String> {
        cells.clear();
        for column in &self.columns {
            cells.push(column.cell(row)?);
        }
        Ok(())
    }
}

fn missing(path: &Path, schema: &Schema, wish: &Wish, wishes: &[Wish]) -> Error {
    let there: Vec<_> = schema.fields().iter().map(|field| field.name().as_str()).collect();
    let needed: Vec<_> = wishes.iter().map(|wish| wish.name.as_str()).collect();
    let (name, there, needed) = (&wish.name, there.join(", "), needed.join(", "));
    Error::file(path, format!("the file has no column {name}; it has {there}; needed are {needed}"))
}
