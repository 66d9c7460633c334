//! The manifest of an export: what the files are, in JSON. `docs/formats/export.md` describes every member.

use arrow_schema::Field;
use model::time::format_timestamp;
use serde_json::{Value as Json, json};

use super::ExportedFile;
use super::table::GroupTable;
use crate::file::FileFormat;

/// Version of the manifest's form.
const VERSION: u32 = 1;

/// The manifest of an export of `tables`, each with its files.
pub(super) fn text(
    (version, definitions): (u64, String),
    lsn: Option<u64>,
    format: FileFormat,
    tables: &[(GroupTable, Vec<ExportedFile>)],
) -> String {
    let manifest = json!({
        "larder_export": VERSION,
        "lsn": lsn,
        "definitions": { "version": version, "toml": definitions },
        "format": format.extension(),
        "groups": tables.iter().map(|(table, files)| group(table, files)).collect::<Vec<_>>(),
    });
    format!("{manifest:#}\n")
}

fn group(table: &GroupTable, files: &[ExportedFile]) -> Json {
    let columns = table.schema().fields().iter().map(|field| column(field));
    json!({
        "group": table.name,
        "entity": table.entity,
        "kind": if table.is_rows { "rows" } else { "windows" },
        "as_of_ms": table.dump.as_of(),
        "as_of": format_timestamp(table.dump.as_of()),
        "rows": files.iter().map(|file| file.rows).sum::<u64>(),
        "columns": columns.collect::<Vec<_>>(),
        "files": files.iter().map(|file| json!({
            "path": file.path,
            "rows": file.rows,
            "bytes": file.bytes,
            "crc64_nvme": format!("{:016x}", file.checksum),
        })).collect::<Vec<_>>(),
    })
}

/// A column with all its metadata, without the product's name before each.
fn column(field: &Field) -> Json {
    let mut members = serde_json::Map::new();
    members.insert("name".to_owned(), field.name().as_str().into());
    members.insert("arrow".to_owned(), field.data_type().to_string().into());
    let mut metadata: Vec<_> = field.metadata().iter().collect();
    metadata.sort_unstable();
    for (name, value) in metadata {
        let name = name.strip_prefix("larder.").unwrap_or(name);
        members.insert(name.to_owned(), value.as_str().into());
    }
    members.into()
}
