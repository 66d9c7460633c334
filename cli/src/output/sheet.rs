//! Rows of named columns, printed in any format.

use comfy_table::{ContentArrangement, Table, presets};
use serde_json::{Map, Value as Json};

use super::{Format, line};
use crate::error::CliError;

/// Columns of a terminal from which on a table is fitted to it.
const COLUMNS_MIN: u16 = 40;

/// A small table of data.
#[derive(Debug, Default)]
pub(crate) struct Sheet {
    header: Vec<String>,
    rows: Vec<Vec<Json>>,
}

impl Sheet {
    /// An empty sheet with these columns.
    pub(crate) fn new<S: Into<String>>(header: impl IntoIterator<Item = S>) -> Self {
        Self { header: header.into_iter().map(Into::into).collect(), rows: Vec::new() }
    }

    /// Appends a row, one value for each column.
    pub(crate) fn push(&mut self, row: Vec<Json>) {
        debug_assert_eq!(row.len(), self.header.len(), "a sheet's rows are as wide as its header");
        self.rows.push(row);
    }

    /// Prints the sheet.
    pub(crate) fn print(&self, format: Format) -> Result<(), CliError> {
        match format {
            Format::Table => line(&self.to_table()),
            Format::Json => self.rows.iter().try_for_each(|row| line(&self.to_object(row))),
            Format::Csv => self.print_csv(true),
        }
    }

    /// Prints the sheet as CSV, the header only when asked: a long output is printed in parts.
    pub(crate) fn print_csv(&self, with_header: bool) -> Result<(), CliError> {
        let text = self.to_csv(with_header)?;
        if text.is_empty() { Ok(()) } else { line(text.trim_end()) }
    }

    /// The sheet as aligned columns.
    pub(crate) fn to_table(&self) -> String {
        let mut table = Table::new();
        table.load_style(presets::UTF8_FULL_CONDENSED);
        table.set_content_arrangement(arrangement(table.width()));
        table.set_header(self.header.clone());
        for row in &self.rows {
            table.add_row(row.iter().map(shown));
        }
        table.to_string()
    }

    fn to_object(&self, row: &[Json]) -> String {
        let object: Map<String, Json> =
            self.header.iter().cloned().zip(row.iter().cloned()).collect();
        Json::Object(object).to_string()
    }

    fn to_csv(&self, with_header: bool) -> Result<String, CliError> {
        let failed = |error: csv::Error| CliError::failed(format!("cannot write CSV: {error}"));
        let mut writer = csv::Writer::from_writer(Vec::new());
        if with_header {
            writer.write_record(&self.header).map_err(failed)?;
        }
        for row in &self.rows {
            writer.write_record(row.iter().map(shown)).map_err(failed)?;
        }
        let bytes = writer.into_inner().map_err(|error| failed(error.into_error().into()))?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }
}

/// How a table is laid out on a terminal of so many columns: one of none has not said how many it has.
fn arrangement(columns: Option<u16>) -> ContentArrangement {
    match columns {
        Some(columns) if columns >= COLUMNS_MIN => ContentArrangement::Dynamic,
        _ => ContentArrangement::Disabled,
    }
}

/// A value without JSON's quotes; null is empty.
fn shown(value: &Json) -> String {
    match value {
        Json::Null => String::new(),
        Json::String(text) => text.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_that_does_not_say_how_wide_it_is_gets_whole_words() {
        let fitted = |columns| matches!(arrangement(columns), ContentArrangement::Dynamic);
        assert_eq!([None, Some(0), Some(80)].map(fitted), [false, false, true]);
    }

    #[test]
    fn a_sheet_prints_as_csv_json_and_table() {
        let mut sheet = Sheet::new(["name", "count"]);
        sheet.push(vec![Json::from("a,b"), Json::from(1)]);
        sheet.push(vec![Json::Null, Json::from(2)]);
        assert_eq!(sheet.to_csv(true).ok().as_deref(), Some("name,count\n\"a,b\",1\n,2\n"));
        assert_eq!(sheet.to_object(&sheet.rows[0]), r#"{"name":"a,b","count":1}"#);
        let table = sheet.to_table();
        assert!(table.contains("name") && table.contains("a,b"), "{table}");
    }
}
