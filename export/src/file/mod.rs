//! Files of tables: which format a name stands for, how tables are written and read.

mod columns;
mod disk;
mod folder;
mod infer;
mod plain;
mod read;
mod write;

use std::fmt;
use std::path::Path;

pub use columns::write_columns;
pub(crate) use disk::Unfinished;
pub use folder::{PARTIAL, UnfinishedFolder, clear_unfinished};
pub(crate) use plain::Plain;
pub use read::{TableReader, open_file};
pub use write::{FileWritten, TableWriter};

use crate::Error;

/// How a table is laid out in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FileFormat {
    /// Arrow IPC: the *file* format is written, with zstd.
    Arrow,
    /// Parquet, with zstd.
    Parquet,
    /// Comma-separated values under a header: for people.
    Csv,
    /// One JSON object a line: for people.
    Jsonl,
}

impl FileFormat {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Arrow, Self::Parquet, Self::Csv, Self::Jsonl];
    /// The extensions that name one, for messages.
    pub const EXTENSIONS: &'static str =
        ".arrow, .feather, .ipc (Arrow), .parquet, .csv, .jsonl, .ndjson";

    /// The format that the extension of `path` stands for, in any case.
    ///
    /// # Errors
    /// [`Error::File`] names the extension and those that there are.
    pub fn of_path(path: &Path) -> Result<Self, Error> {
        let extension = path.extension().map(|extension| extension.to_string_lossy());
        let extension = extension.unwrap_or_default().to_lowercase();
        match extension.as_str() {
            "arrow" | "feather" | "ipc" => Ok(Self::Arrow),
            "parquet" => Ok(Self::Parquet),
            "csv" => Ok(Self::Csv),
            "jsonl" | "ndjson" => Ok(Self::Jsonl),
            "" => Err(Error::file(
                path,
                format!("the name has no extension; it says the format: {}", Self::EXTENSIONS),
            )),
            other => Err(Error::file(
                path,
                format!("the extension .{other} names no format; there are {}", Self::EXTENSIONS),
            )),
        }
    }

    /// The extension of files that are written, without the dot; also its name on the command line.
    #[must_use]
    pub fn extension(self) -> &'static str {
        match self {
            Self::Arrow => "arrow",
            Self::Parquet => "parquet",
            Self::Csv => "csv",
            Self::Jsonl => "jsonl",
        }
    }
}

impl fmt::Display for FileFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.extension())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extensions_name_formats() {
        for format in FileFormat::ALL {
            let path = format!("some/dir.csv/table.{format}");
            assert_eq!(FileFormat::of_path(Path::new(&path)).ok(), Some(format));
        }
        for (name, format) in [
            ("a.feather", FileFormat::Arrow),
            ("b.IPC", FileFormat::Arrow),
            ("c.ndjson", FileFormat::Jsonl),
        ] {
            assert_eq!(FileFormat::of_path(Path::new(name)).ok(), Some(format));
        }
    }

    #[test]
    fn another_extension_is_told_with_what_there_is() {
        for (name, part) in [("table.xlsx", ".xlsx names no format"), ("table", "no extension")] {
            let error = FileFormat::of_path(Path::new(name)).expect_err(name).to_string();
            assert!(error.contains(part) && error.contains(".parquet"), "{error}");
        }
    }
}
