//! A sample as lines of name and value, for tables and CSV.

use serde_json::Value as Json;

use super::sample::Sample;
use crate::{
    error::CliError,
    output::{Format, Sheet},
};

/// Prints `sample`.
pub(super) fn print(sample: &Sample, format: Format) -> Result<(), CliError> {
    let value = serde_json::to_value(sample);
    let value = value.map_err(|error| CliError::failed(error.to_string()))?;
    let mut sheet = Sheet::new(["name", "value"]);
    for (name, value) in flat("", &value) {
        sheet.push(vec![Json::from(name), value]);
    }
    sheet.print(format)
}

/// Fields by their way there: of what is in a list, its first field, which is its name, instead of a number.
fn flat(prefix: &str, value: &Json) -> Vec<(String, Json)> {
    let below =
        |name: &str| if prefix.is_empty() { name.to_owned() } else { format!("{prefix}.{name}") };
    match value {
        Json::Object(fields) => {
            fields.iter().flat_map(|(name, value)| flat(&below(name), value)).collect()
        }
        Json::Array(items) => {
            let named = |(number, item): (usize, &Json)| {
                let mut fields = item.as_object().cloned().unwrap_or_default();
                let first = fields.keys().next().cloned();
                let name = first.and_then(|first| fields.shift_remove(&first));
                match name.as_ref().and_then(Json::as_str) {
                    Some(name) => flat(&below(name), &Json::Object(fields)),
                    None => vec![(below(&number.to_string()), item.clone())],
                }
            };
            items.iter().enumerate().flat_map(named).collect()
        }
        value => vec![(prefix.to_owned(), value.clone())],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_has_a_name_is_found_by_it() {
        let value = json!({ "a": 1, "ops": [{ "op": "read", "rate": 2 }], "list": ["x"] });
        let expected = [("a", json!(1)), ("ops.read.rate", json!(2)), ("list.0", json!("x"))];
        assert_eq!(flat("", &value), expected.map(|(name, value)| (name.to_owned(), value)));
    }
}
