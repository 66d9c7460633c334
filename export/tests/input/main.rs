//! A user brings the same rows as Arrow, Parquet, CSV and JSON lines, of every type that their tools write: the values are the
//! same, and what is no value of a field is told with its row.

mod columns;
mod rows;
mod tables;
mod text;

use std::path::{Path, PathBuf};

use arrow_array::{ArrayRef, RecordBatch};
use export::file::{FileFormat, TableWriter};
use export::input::{Input, Mapping, Rows, Wanted};
use model::definition::Field;
use model::name::Name;
use model::packed_row::Cell;
use model::value::{DataType, ValueRef};

/// A value as shown, null, absent, or why there is none.
pub(crate) type Shown = Vec<String>;

pub(crate) struct Place(tempfile::TempDir);

impl Place {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().expect("there is room"))
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    #[expect(clippy::disallowed_methods, reason = "a user's file is no file of a database")]
    pub(crate) fn text(&self, name: &str, text: &str) -> PathBuf {
        std::fs::write(self.path(name), text).expect("there is room");
        self.path(name)
    }

    pub(crate) fn table(&self, name: &str, columns: Vec<(&str, ArrayRef)>) -> PathBuf {
        let batch = RecordBatch::try_from_iter_with_nullable(
            columns.into_iter().map(|(name, array)| (name, array, true)),
        );
        let batch = batch.expect("columns of one length");
        let path = self.path(name);
        let format = FileFormat::of_path(&path).expect("a known extension");
        let mut writer = TableWriter::create(&path, format, batch.schema()).expect("there is room");
        writer.write(&batch).expect("there is room");
        writer.finish().expect("there is room");
        path
    }
}

pub(crate) fn fields(types: &[(&str, DataType)]) -> Vec<Field> {
    let field = |(name, data_type): &(&str, DataType)| Field {
        name: Name::new(name).expect("valid"),
        data_type: *data_type,
    };
    types.iter().map(field).collect()
}

pub(crate) fn wanted(types: &[(&str, DataType)]) -> Wanted {
    Wanted { fields: fields(types), required: Vec::new(), entity: None }
}

pub(crate) fn bound(path: &Path, wanted: Wanted, maps: &[(&str, &str)]) -> Result<Rows, String> {
    let pairs = maps.iter().map(|(field, column)| ((*field).to_owned(), (*column).to_owned()));
    let mapping = Mapping::new(pairs.collect()).map_err(|error| error.to_string())?;
    let input = Input::open(path, None).map_err(|error| error.to_string())?;
    input.bind(wanted, &mapping).map_err(|error| error.to_string())
}

pub(crate) fn shown(rows: &Rows) -> Result<Shown, String> {
    let mut cells = Vec::new();
    rows.cells(&mut cells)?;
    let show = |cell: &Cell<'_>| match cell {
        Cell::Absent => "absent".to_owned(),
        Cell::Null => "null".to_owned(),
        Cell::Value(value) => ValueRef::to_owned(*value).to_string(),
    };
    Ok(cells.iter().map(show).collect())
}

/// Every row: its values, or why it has none.
pub(crate) fn all(mut rows: Rows) -> Vec<Result<Shown, String>> {
    let mut found = Vec::new();
    while rows.advance().expect("the file is whole") {
        found.push(shown(&rows));
    }
    found
}
