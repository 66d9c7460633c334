//! Cells of CSV and members of JSON objects as typed values: the same words for both.

use model::{
    Error,
    definition::Field,
    text,
    value::{DataType, Value},
};
use serde_json::Value as Json;

/// A field of a record: absent, null or a value.
pub(super) type Given = Option<Option<Value>>;

/// A cell of CSV as a field's value; an empty one is null.
pub(super) fn of_cell(field: &Field, cell: &str) -> Result<Option<Value>, Error> {
    match cell {
        "" => Ok(None),
        cell => text::parse_value(field.name.as_str(), cell, field.data_type).map(Some),
    }
}

/// A JSON value without its quotes.
pub(crate) fn plain(json: &Json) -> String {
    json.as_str().map_or_else(|| json.to_string(), str::to_owned)
}

/// A JSON value as a field's.
pub(super) fn of_json(field: &Field, json: &Json) -> Result<Option<Value>, Error> {
    let name = field.name.as_str();
    let parse = |text: &str| text::parse_value(name, text, field.data_type).map(Some);
    match (json, field.data_type) {
        (Json::Null, _) => Ok(None),
        (Json::Bool(value), DataType::Bool) => Ok(Some(Value::Bool(*value))),
        (Json::String(text), _) => parse(text),
        (
            Json::Number(number),
            DataType::Bool | DataType::String | DataType::Bytes | DataType::Vector(_),
        ) => {
            Err(Error::mismatch(name, text::describe(field.data_type), format!("number {number}")))
        }
        // The digits as written: a decimal never passes through a float.
        (Json::Number(number), _) => parse(&number.to_string()),
        (Json::Array(elements), DataType::Vector(_)) => {
            let elements: Vec<_> = elements.iter().map(Json::to_string).collect();
            parse(&elements.join(","))
        }
        (other, _) => {
            Err(Error::mismatch(name, text::describe(field.data_type), other.to_string()))
        }
    }
}
