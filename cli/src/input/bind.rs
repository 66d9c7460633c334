//! Binding a file's columns to the fields of a stream or group, and turning records into typed values.

use model::{
    Error,
    definition::Field,
    text,
    value::{DataType, Value},
};
use serde_json::Value as Json;

use super::{Content, Record};
use crate::error::CliError;

/// A record that gives no row: where and why.
#[derive(Debug, Clone)]
pub(crate) struct Skipped {
    /// First line of the record.
    pub(crate) line: u64,
    /// What is wrong with it.
    pub(crate) reason: String,
    /// Its text.
    pub(crate) raw: String,
}

impl Skipped {
    /// `record` gives no row, because of `reason`.
    pub(crate) fn new(record: &Record, reason: String) -> Self {
        Self { line: record.line, reason, raw: record.raw.clone() }
    }
}

/// Which column of a CSV file gives which field.
#[derive(Debug)]
pub(crate) struct Binding {
    fields: Vec<Field>,
    /// Name of the column or member that carries the entity key, for rows.
    key: Option<String>,
    /// For each field, the CSV column that gives it.
    columns: Option<Vec<Option<usize>>>,
    /// The CSV column that gives the entity key.
    key_column: Option<usize>,
    /// Columns of the file that give no field.
    ignored: Vec<String>,
}

/// A field of a record: absent, null or a value.
pub(crate) type Given = Option<Option<Value>>;

impl Binding {
    /// Binds `header` (of a CSV file) to `fields` by name, and to the entity key called `key`. The key and every name in
    /// `required` must be there.
    pub(crate) fn new(
        fields: &[Field],
        key: Option<&str>,
        required: &[&str],
        header: Option<&[String]>,
    ) -> Result<Self, CliError> {
        let mut binding = Self {
            fields: fields.to_vec(),
            key: key.map(str::to_owned),
            columns: None,
            key_column: None,
            ignored: Vec::new(),
        };
        let Some(header) = header else { return Ok(binding) };
        let place = |name: &str| header.iter().position(|column| column == name);
        let required: Vec<_> = key.iter().chain(required).copied().collect();
        for name in &required {
            if place(name).is_none() {
                return Err(CliError::failed(format!(
                    "the file has no column {name}; it has {}; needed are {}",
                    header.join(", "),
                    required.join(", ")
                )));
            }
        }
        binding.ignored = header
            .iter()
            .filter(|column| key != Some(column.as_str()))
            .filter(|column| fields.iter().all(|field| field.name.as_str() != column.as_str()))
            .cloned()
            .collect();
        binding.columns = Some(fields.iter().map(|field| place(field.name.as_str())).collect());
        binding.key_column = key.and_then(place);
        Ok(binding)
    }

    /// The entity key of `record` as people write it; in JSON the parts of a composite key may stand in an array.
    pub(crate) fn key(&self, record: &Record) -> Result<String, String> {
        let name = self.key.as_deref().unwrap_or_default();
        let missing = || format!("{name}, the entity key, is missing");
        match &record.content {
            Err(reason) => Err(reason.clone()),
            Ok(Content::Csv(cells)) => {
                let cell = self.key_column.and_then(|column| cells.get(column));
                cell.filter(|cell| !cell.is_empty()).cloned().ok_or_else(missing)
            }
            Ok(Content::Json(object)) => match object.get(name) {
                None | Some(Json::Null) => Err(missing()),
                Some(Json::Array(parts)) => {
                    Ok(parts.iter().map(plain).collect::<Vec<_>>().join("|"))
                }
                Some(part) => Ok(plain(part)),
            },
        }
    }

    /// Columns of a CSV file that give no field: worth a warning.
    pub(crate) fn ignored(&self) -> &[String] {
        &self.ignored
    }

    /// The typed fields of `record`, in field order.
    pub(crate) fn values(&self, record: &Record) -> Result<Vec<Given>, Skipped> {
        let skip = |reason| Skipped::new(record, reason);
        match &record.content {
            Err(reason) => Err(skip(reason.clone())),
            Ok(Content::Csv(cells)) => self.csv(cells).map_err(|error| skip(error.to_string())),
            Ok(Content::Json(object)) => {
                let unknown =
                    object.keys().filter(|name| self.key.as_ref() != Some(name)).find(|key| {
                        self.fields.iter().all(|field| field.name.as_str() != key.as_str())
                    });
                if let Some(unknown) = unknown {
                    let known: Vec<_> =
                        self.fields.iter().map(|field| field.name.as_str()).collect();
                    return Err(skip(format!(
                        "no field is called {unknown}; there are {}",
                        known.join(", ")
                    )));
                }
                let field = |field: &Field| match object.get(field.name.as_str()) {
                    None => Ok(None),
                    Some(json) => from_json(field, json).map(Some),
                };
                self.fields
                    .iter()
                    .map(field)
                    .collect::<Result<_, Error>>()
                    .map_err(|error| skip(error.to_string()))
            }
        }
    }

    fn csv(&self, cells: &[String]) -> Result<Vec<Given>, Error> {
        let columns = self.columns.as_deref().unwrap_or_default();
        let field = |(field, column): (&Field, &Option<usize>)| match column
            .and_then(|column| cells.get(column))
        {
            None => Ok(None),
            Some(cell) if cell.is_empty() => Ok(Some(None)),
            Some(cell) => text::parse_value(field.name.as_str(), cell, field.data_type)
                .map(|value| Some(Some(value))),
        };
        self.fields.iter().zip(columns).map(field).collect()
    }
}

/// A JSON value without its quotes.
fn plain(json: &Json) -> String {
    json.as_str().map_or_else(|| json.to_string(), str::to_owned)
}

/// A JSON value as a field's.
fn from_json(field: &Field, json: &Json) -> Result<Option<Value>, Error> {
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

#[cfg(test)]
mod tests {
    use super::*;
    use model::name::Name;

    fn fields() -> Vec<Field> {
        [("id", DataType::String), ("amount", DataType::Decimal(2)), ("v", DataType::Vector(2))]
            .map(|(name, data_type)| Field { name: Name::new(name).expect("valid"), data_type })
            .to_vec()
    }

    fn json(line: &str) -> Result<Vec<Given>, Skipped> {
        let content = match serde_json::from_str(line) {
            Ok(Json::Object(object)) => Ok(Content::Json(object)),
            _ => Err("no object".to_owned()),
        };
        let record = Record { line: 7, raw: line.to_owned(), content };
        Binding::new(&fields(), None, &[], None).expect("binds").values(&record)
    }

    #[test]
    fn json_numbers_keep_every_digit_and_absent_is_not_null() {
        let values = json(r#"{"amount": 90071992547409.93, "v": null}"#).expect("valid");
        assert_eq!(
            values,
            [None, Some(Some(Value::Decimal(9_007_199_254_740_993, 2))), Some(None)]
        );
        let values = json(r#"{"id": "a", "v": [1, 0.5]}"#).expect("valid");
        assert_eq!(values[2], Some(Some(Value::Vector([1.0, 0.5].into()))));
    }

    #[test]
    fn wrong_fields_are_named_with_their_line() {
        for (line, part) in [
            (r#"{"amout": 1}"#, "no field is called amout; there are id, amount, v"),
            (r#"{"id": 5}"#, "id: expected string, got number 5"),
            (r#"{"amount": true}"#, "amount: expected decimal(2)"),
            (r#"{"v": [1]}"#, "v: expected f32[2]"),
        ] {
            let skipped = json(line).expect_err(line);
            assert!(skipped.line == 7 && skipped.reason.contains(part), "{}", skipped.reason);
        }
    }

    #[test]
    fn csv_columns_bind_by_name_and_missing_ones_are_named() {
        let header = ["extra", "amount"].map(str::to_owned);
        let binding = Binding::new(&fields(), None, &["amount"], Some(&header)).expect("binds");
        assert_eq!(binding.ignored(), ["extra"]);
        let cells = ["x".to_owned(), "1.005".to_owned()].to_vec();
        let record = Record { line: 2, raw: String::new(), content: Ok(Content::Csv(cells)) };
        let values = binding.values(&record).expect("valid");
        assert_eq!(values, [None, Some(Some(Value::Decimal(100, 2))), None], "half to even");
        let error = Binding::new(&fields(), None, &["id"], Some(&header)).expect_err("no id");
        assert!(error.to_string().contains("no column id; it has extra, amount"), "{error}");
    }
}
