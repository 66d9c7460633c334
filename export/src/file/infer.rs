//! CSV and JSON lines as tables. The file is read twice: a column has a type only if every value of it is written as that type's
//! values are, so that `007` stays text.

use std::io::BufReader;
use std::path::Path;
use std::sync::Arc;

use arrow_array::builder::{
    BooleanBuilder, Float64Builder, Int64Builder, ListBuilder, StringBuilder,
};
use arrow_array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow_schema::{DataType as Arrow, Field, Schema, SchemaRef};
use serde_json::Value as Json;

use super::FileFormat;
use super::read::{BATCH_ROWS, Batches, open_file};
use crate::Error;
use crate::input::{Content, Record, Records, records, text::plain};

/// What all values of a column are, so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// There was none.
    Nothing,
    Bool,
    I64,
    /// Whole numbers that floats do not tell apart.
    Large,
    F64,
    List,
    Text,
}

/// Floats hold every whole number up to this one.
const EXACT_MAX: u64 = 1 << 53;

impl Kind {
    fn of_cell(cell: &str) -> Self {
        match cell {
            "" => return Self::Nothing,
            "true" | "false" => return Self::Bool,
            _ => {}
        }
        let digits = cell.strip_prefix('-').unwrap_or(cell);
        let is_canonical = match digits.as_bytes() {
            [b'0', b'.' | b'e' | b'E', ..] | [b'0'] => true,
            [first, ..] => first.is_ascii_digit() && *first != b'0',
            [] => false,
        };
        if !is_canonical {
            return Self::Text;
        }
        match cell.parse::<i64>() {
            Ok(_) if cell == "-0" => Self::F64,
            Ok(whole) if whole.unsigned_abs() <= EXACT_MAX => Self::I64,
            Ok(_) => Self::Large,
            // More digits than either type has.
            Err(_) if digits.bytes().all(|byte| byte.is_ascii_digit()) => Self::Text,
            Err(_) if cell.parse::<f64>().is_ok_and(f64::is_finite) => Self::F64,
            Err(_) => Self::Text,
        }
    }

    fn of_json(json: &Json) -> Self {
        match json {
            Json::Null => Self::Nothing,
            Json::Bool(_) => Self::Bool,
            Json::Number(number) => Self::of_cell(&number.to_string()),
            Json::Array(elements) => {
                let is_number = |element: &Json| element.is_number() || element.is_null();
                if elements.iter().all(is_number) { Self::List } else { Self::Text }
            }
            Json::String(_) | Json::Object(_) => Self::Text,
        }
    }

    fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Nothing, kind) | (kind, Self::Nothing) => kind,
            (one, same) if one == same => one,
            (Self::I64, Self::Large) | (Self::Large, Self::I64) => Self::Large,
            (Self::I64, Self::F64) | (Self::F64, Self::I64) => Self::F64,
            _ => Self::Text,
        }
    }

    fn arrow(self) -> Arrow {
        match self {
            Self::Nothing | Self::Text => Arrow::Utf8,
            Self::Bool => Arrow::Boolean,
            Self::I64 | Self::Large => Arrow::Int64,
            Self::F64 => Arrow::Float64,
            Self::List => Arrow::List(Arc::new(Field::new_list_field(Arrow::Float64, true))),
        }
    }
}

/// Columns and batches of the file at `path`.
pub(super) fn open(
    path: &Path,
    format: FileFormat,
    text: &[&str],
) -> Result<(SchemaRef, Batches), Error> {
    let open = || {
        let file = BufReader::with_capacity(1 << 18, open_file(path)?);
        records(path, Box::new(file), format)
    };
    let (header, records) = open()?;
    let mut columns: Vec<(String, Kind)> =
        header.unwrap_or_default().0.into_iter().map(|name| (name, Kind::Nothing)).collect();
    for record in records {
        match content(path, record)? {
            Content::Csv(cells) => {
                for ((_, kind), cell) in columns.iter_mut().zip(&cells) {
                    *kind = kind.and(Kind::of_cell(cell));
                }
            }
            Content::Json(object) => {
                for (name, json) in &object {
                    let kind = Kind::of_json(json);
                    match columns.iter_mut().find(|(known, _)| known == name) {
                        Some((_, known)) => *known = known.and(kind),
                        None => columns.push((name.clone(), kind)),
                    }
                }
            }
        }
    }
    for (name, kind) in &mut columns {
        if text.contains(&name.as_str()) {
            *kind = Kind::Text;
        }
    }
    let field = |(name, kind): &(String, Kind)| Field::new(name, kind.arrow(), true);
    let schema: SchemaRef = Arc::new(Schema::new(columns.iter().map(field).collect::<Vec<_>>()));
    let (_, mut records) = open()?;
    let (path, of_batches) = (path.to_owned(), Arc::clone(&schema));
    let batches = std::iter::from_fn(move || {
        let batch = batch(&path, &mut records, &columns, &of_batches);
        batch.map(|batch| (batch.num_rows() > 0).then_some(batch)).transpose()
    });
    Ok((schema, Box::new(batches)))
}

fn content(path: &Path, record: Result<Record, Error>) -> Result<Content, Error> {
    let record = record?;
    let line = record.line;
    record.content.map_err(|reason| Error::file(path, format!("line {line}: {reason}")))
}

/// The next rows, none at the end.
fn batch(
    path: &Path,
    records: &mut Records,
    columns: &[(String, Kind)],
    schema: &SchemaRef,
) -> Result<RecordBatch, Error> {
    let mut builders: Vec<_> = columns.iter().map(|(_, kind)| Builder::new(*kind)).collect();
    let mut rows = 0;
    for record in records.by_ref().take(BATCH_ROWS) {
        rows += 1;
        match content(path, record)? {
            Content::Csv(cells) => {
                let cells = cells.iter().map(String::as_str).chain(std::iter::repeat(""));
                builders.iter_mut().zip(cells).for_each(|(builder, cell)| builder.push(cell));
            }
            Content::Json(object) => {
                for (builder, (name, _)) in builders.iter_mut().zip(columns) {
                    builder.push_json(object.get(name).unwrap_or(&Json::Null));
                }
            }
        }
    }
    let arrays = builders.into_iter().map(Builder::finish).collect();
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    Ok(RecordBatch::try_new_with_options(Arc::clone(schema), arrays, &options)?)
}

/// A column on its way.
enum Builder {
    Bool(BooleanBuilder),
    I64(Int64Builder),
    F64(Float64Builder),
    List(ListBuilder<Float64Builder>),
    Text(StringBuilder),
}

impl Builder {
    fn new(kind: Kind) -> Self {
        match kind {
            Kind::Bool => Self::Bool(BooleanBuilder::new()),
            Kind::I64 | Kind::Large => Self::I64(Int64Builder::new()),
            Kind::F64 => Self::F64(Float64Builder::new()),
            Kind::List => Self::List(ListBuilder::new(Float64Builder::new())),
            Kind::Nothing | Kind::Text => Self::Text(StringBuilder::new()),
        }
    }

    /// A cell of CSV; what does not have the column's type, as in a file that changed since, is null.
    fn push(&mut self, cell: &str) {
        match self {
            Self::Bool(column) => column.append_option(cell.parse().ok()),
            Self::I64(column) => column.append_option(cell.parse().ok()),
            Self::F64(column) => column.append_option(cell.parse().ok()),
            Self::List(column) => column.append(false),
            Self::Text(column) => column.append_option(Some(cell).filter(|cell| !cell.is_empty())),
        }
    }

    fn push_json(&mut self, json: &Json) {
        match (self, json) {
            (Self::List(column), Json::Array(elements)) => {
                for element in elements {
                    column.values().append_option(plain(element).parse().ok());
                }
                column.append(true);
            }
            (Self::Text(column), Json::Null) => column.append_null(),
            (Self::Text(column), json) => column.append_value(plain(json)),
            (other, Json::Null) => other.push(""),
            (other, json) => other.push(&plain(json)),
        }
    }

    fn finish(self) -> ArrayRef {
        match self {
            Self::Bool(mut column) => Arc::new(column.finish()),
            Self::I64(mut column) => Arc::new(column.finish()),
            Self::F64(mut column) => Arc::new(column.finish()),
            Self::List(mut column) => Arc::new(column.finish()),
            Self::Text(mut column) => Arc::new(column.finish()),
        }
    }
}
