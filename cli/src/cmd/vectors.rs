//! Feature vectors and rows of a scan, printed.

use model::{status::Status, value::ValueRef};
use serde_json::{Map, Value as Json, json};

use crate::{
    error::CliError,
    output::{self, Format, Sheet, value_to_json},
};

/// One entity's values, in order.
pub(super) struct Printed {
    pub(super) key: Json,
    /// Name, status, value.
    pub(super) values: Vec<(String, Status, Json)>,
    /// What else belongs to the line of JSON.
    pub(super) more: Map<String, Json>,
}

impl Printed {
    pub(super) fn new<'a>(
        key: Json,
        values: impl Iterator<Item = (&'a str, Status, Option<ValueRef<'a>>)>,
    ) -> Self {
        let json = |value: Option<ValueRef<'_>>| {
            value.map_or(Json::Null, |value| value_to_json(&value.to_owned()))
        };
        let values = values.map(|(name, status, value)| (name.to_owned(), status, json(value)));
        Self { key, values: values.collect(), more: Map::new() }
    }

    /// One line of JSON: `{"key": …, "values": {…}, "status": {…}}`.
    pub(super) fn to_json(&self) -> Json {
        let values: Map<_, _> =
            self.values.iter().map(|(name, _, value)| (name.clone(), value.clone())).collect();
        let status: Map<_, _> = self
            .values
            .iter()
            .map(|(name, status, _)| (name.clone(), status.as_str().into()))
            .collect();
        let mut object = json!({"key": self.key, "values": values, "status": status});
        if let Some(object) = object.as_object_mut() {
            object.extend(self.more.clone());
        }
        object
    }

    /// The vector as a table of name, value and status.
    pub(super) fn to_sheet(&self) -> Sheet {
        let mut sheet = Sheet::new(["feature", "value", "status"]);
        for (name, status, value) in &self.values {
            sheet.push(vec![Json::from(name.as_str()), value.clone(), status.as_str().into()]);
        }
        sheet
    }
}

/// Prints vectors: a table each, a line of JSON each, or one CSV for all.
pub(super) fn print(vectors: &[Printed], format: Format) -> Result<(), CliError> {
    match format {
        Format::Json => {
            vectors.iter().try_for_each(|vector| output::line(&vector.to_json().to_string()))
        }
        Format::Table => vectors.iter().try_for_each(|vector| {
            output::line(&format!("key {}", shown_key(&vector.key)))?;
            for (name, value) in &vector.more {
                output::line(&format!("{name} {value}"))?;
            }
            vector.to_sheet().print(Format::Table)
        }),
        Format::Csv => {
            let Some(first) = vectors.first() else { return Ok(()) };
            let names =
                first.values.iter().flat_map(|(name, ..)| [name.clone(), format!("{name}.status")]);
            let mut sheet = Sheet::new(std::iter::once("key".to_owned()).chain(names));
            for vector in vectors {
                let values = vector
                    .values
                    .iter()
                    .flat_map(|(_, status, value)| [value.clone(), status.as_str().into()]);
                sheet.push(std::iter::once(shown_key(&vector.key).into()).chain(values).collect());
            }
            sheet.print(Format::Csv)
        }
    }
}

fn shown_key(key: &Json) -> String {
    match key {
        Json::String(text) => text.clone(),
        other => other.to_string(),
    }
}
