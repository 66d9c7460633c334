//! The records of a file, one after the other, each as cells of the fields that were wanted, and a key.

use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use engine::replay::DirectFields;
use model::{
    definition::Field,
    key::{self, EntityKey, KeyType},
    name::Name,
    packed_row::Cell,
    value::{DataType, ValueRef},
};

use super::{
    Content, Input, Origin, Records, Source,
    bind::{Binding, KeyColumns},
    columns::{self, Column, Sought},
    text::Given,
};
use crate::Error;
use crate::file::TableReader;

/// See the module.
pub struct Rows {
    binding: Binding,
    current: Current,
    number: u64,
    done: u64,
}

enum Current {
    Text { records: Records, raw: String, read: Result<(Vec<Given>, Option<EntityKey>), String> },
    Table(Box<Table>),
}

struct Table {
    reader: TableReader,
    /// Fields of the key's columns.
    keys: Vec<Field>,
    batch: Arc<RecordBatch>,
    cells: Vec<Option<Column>>,
    /// The same as events have them, once that is asked for; empty where a row has to be looked at by itself.
    exact: Option<Vec<Option<Column>>>,
    key: Vec<Column>,
    row: usize,
}

impl Rows {
    pub(super) fn new(input: Input, binding: Binding) -> Result<Self, Error> {
        let current = match input.source {
            Source::Text(records) => {
                let read = Ok((Vec::new(), None));
                Current::Text { records, raw: String::new(), read }
            }
            Source::Table(reader) => {
                let schema: SchemaRef = reader.schema();
                let given = binding.fields.iter().zip(&binding.places);
                for (field, place) in given.filter_map(|(field, place)| Some((field, (*place)?))) {
                    columns::check(&input.path, &schema, place, (sought(field), false))?;
                }
                let keys = binding.key.as_ref().map(|key| key_fields(key, &schema)).transpose()?;
                let keys = keys.unwrap_or_default();
                let places = binding.key.iter().flat_map(|key| &key.places);
                for (field, place) in keys.iter().zip(places) {
                    columns::check(&input.path, &schema, *place, (sought(field), true))?;
                }
                let batch = Arc::new(RecordBatch::new_empty(schema));
                let (cells, exact, key) = (Vec::new(), None, Vec::new());
                Current::Table(Box::new(Table { reader, keys, batch, cells, exact, key, row: 0 }))
            }
        };
        Ok(Self { binding, current, number: 0, done: 0 })
    }

    /// Moves to the next record; false when there is none.
    ///
    /// # Errors
    /// [`Error::File`] or [`Error::Io`]: the file cannot be read further.
    pub fn advance(&mut self) -> Result<bool, Error> {
        match &mut self.current {
            Current::Text { records, raw, read } => {
                let Some(record) = records.next() else { return Ok(false) };
                let record = record?;
                (self.number, self.done) = (record.line, self.done + record.raw.len() as u64 + 1);
                *read = record.content.and_then(|content| match content {
                    Content::Csv(cells) => self.binding.of_cells(&cells),
                    Content::Json(object) => self.binding.of_object(&object),
                });
                *raw = record.raw;
            }
            Current::Table(table) => {
                table.row += 1;
                while self.number == 0 || table.row >= table.batch.num_rows() {
                    let Some(batch) = table.reader.next() else { return Ok(false) };
                    table.take(batch?, &self.binding)?;
                    if table.batch.num_rows() > 0 {
                        break;
                    }
                }
                (self.number, self.done) = (self.number + 1, self.done + 1);
            }
        }
        Ok(true)
    }

    /// What [`Rows::number`] counts: `line` or `row`.
    #[must_use]
    pub fn unit(&self) -> &'static str {
        match self.current {
            Current::Text { .. } => "line",
            Current::Table(_) => "row",
        }
    }

    /// First line of the record, or its row; from 1.
    #[must_use]
    pub fn number(&self) -> u64 {
        self.number
    }

    /// How much has been read: see [`super::Size`].
    #[must_use]
    pub fn done(&self) -> u64 {
        self.done
    }

    /// The record as it was in the file.
    #[must_use]
    pub fn origin(&self) -> Origin {
        match &self.current {
            Current::Text { raw, .. } => Origin::Text(raw.clone()),
            Current::Table(table) => Origin::Row(Arc::clone(&table.batch), table.row),
        }
    }

    /// Columns of the file that give no field: worth a warning.
    #[must_use]
    pub fn ignored(&self) -> &[String] {
        &self.binding.ignored
    }

    /// The cells of the wanted fields, in their order, into `cells`, which is cleared first.
    ///
    /// # Errors
    /// Why the record gives none.
    pub fn cells<'a>(&'a self, cells: &mut Vec<Cell<'a>>) -> Result<(), String> {
        cells.clear();
        match &self.current {
            Current::Text { read, .. } => {
                let (values, _) = read.as_ref().map_err(Clone::clone)?;
                cells.extend(values.iter().map(|given| match given {
                    None => Cell::Absent,
                    Some(None) => Cell::Null,
                    Some(Some(value)) => Cell::Value(value.borrow()),
                }));
            }
            Current::Table(table) => {
                for column in &table.cells {
                    let cell = column.as_ref().map(|column| column.cell(table.row)).transpose()?;
                    cells.push(cell.unwrap_or(Cell::Absent));
                }
            }
        }
        Ok(())
    }

    /// The wanted fields of the record with floats made exact: where records are rows of a table of which none has a value that its
    /// field cannot take.
    #[inline]
    pub(crate) fn exact(&mut self) -> Option<ExactFields<'_>> {
        let Current::Table(table) = &mut self.current else { return None };
        let cells = &table.cells;
        let exact = table.exact.get_or_insert_with(|| {
            let exact = |column: &Option<Column>| match column {
                Some(column) => column.exact().map(Some),
                None => Some(None),
            };
            cells.iter().map(exact).collect::<Option<_>>().unwrap_or_default()
        });
        (!exact.is_empty()).then_some(ExactFields { columns: exact, row: table.row })
    }

    /// The record's entity key.
    ///
    /// # Errors
    /// Why it has none.
    pub fn key(&self) -> Result<EntityKey, String> {
        let none = || "no entity key is wanted".to_owned();
        match &self.current {
            Current::Text { read, .. } => {
                read.as_ref().map_err(Clone::clone)?.1.clone().ok_or_else(none)
            }
            Current::Table(table) => table.key(self.binding.key.as_ref().ok_or_else(none)?),
        }
    }
}

/// See [`Rows::exact`].
#[derive(Debug, Clone, Copy)]
pub(crate) struct ExactFields<'a> {
    columns: &'a [Option<Column>],
    row: usize,
}

impl<'a> DirectFields<'a> for ExactFields<'a> {
    #[inline]
    fn value(&self, field: usize) -> Option<ValueRef<'a>> {
        self.columns.get(field)?.as_ref()?.given(self.row)
    }

    #[inline]
    fn number(&self, field: usize, data_type: DataType) -> Option<i64> {
        self.columns.get(field)?.as_ref()?.number(self.row, data_type)
    }
}

fn sought(field: &Field) -> Sought<'_> {
    Sought { name: field.name.as_str(), data_type: field.data_type }
}

/// The fields of the key's columns: of a composite key in one column, text.
fn key_fields(key: &KeyColumns, schema: &SchemaRef) -> Result<Vec<Field>, Error> {
    let is_joined = key.is_whole() && key.kinds.len() > 1;
    let field = |(number, place): (usize, &usize)| {
        let data_type = match key.kinds.get(number) {
            Some(KeyType::I64) if !is_joined => DataType::I64,
            Some(KeyType::Bytes) if !is_joined => DataType::Bytes,
            _ => DataType::String,
        };
        // What a message says of it is the column's name.
        let name = Name::new(schema.field(*place).name()).or_else(|_| Name::new("entity_key"))?;
        Ok(Field { name, data_type })
    };
    key.places.iter().enumerate().map(field).collect()
}

impl Table {
    fn take(&mut self, batch: RecordBatch, binding: &Binding) -> Result<(), Error> {
        let column = |(field, place): (&Field, &Option<usize>)| {
            let array = place.and_then(|place| batch.columns().get(place));
            array.map(|array| Column::new(array, sought(field))).transpose()
        };
        let places = binding.key.iter().flat_map(|key| &key.places).map(|place| Some(*place));
        let places: Vec<_> = places.collect();
        let key = self.keys.iter().zip(&places).filter_map(|given| column(given).transpose());
        self.key = key.collect::<Result<_, _>>()?;
        let cells = binding.fields.iter().zip(&binding.places).map(column);
        self.cells = cells.collect::<Result<_, _>>()?;
        self.exact = None;
        (self.batch, self.row) = (Arc::new(batch), 0);
        Ok(())
    }

    fn key(&self, columns: &KeyColumns) -> Result<EntityKey, String> {
        let mut parts = Vec::with_capacity(self.key.len());
        for column in &self.key {
            parts.push(column.cell(self.row)?.value());
        }
        if columns.is_whole() && (columns.kinds.len() > 1 || is_empty(&parts)) {
            let text = |part: &Option<ValueRef<'_>>| match part {
                Some(ValueRef::String(text)) => Some((*text).to_owned()),
                _ => None,
            };
            let texts: Vec<_> = parts.iter().map(text).collect();
            return columns.of_texts(texts.iter().map(Option::as_deref));
        }
        let mut bytes = Vec::new();
        match key::write_values(&mut bytes, parts.into_iter()) {
            Ok(true) => Ok(EntityKey::from_written(&bytes)),
            // A part that is null is missing.
            Ok(false) => columns.of_texts(std::iter::repeat_n(None, self.key.len())),
            Err(error) => Err(error.to_string()),
        }
    }
}

/// As in CSV, an empty text is no key.
fn is_empty(parts: &[Option<ValueRef<'_>>]) -> bool {
    matches!(parts, [None | Some(ValueRef::String(""))])
}
