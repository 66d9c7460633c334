//! Export: every group at one moment as Arrow or Parquet files, in a directory of the server's machine.
//!
//! ```text
//! request    name text, format u8 (1 Arrow, 2 Parquet), list of groups text (all when empty), as-of i64 (-2^63: now),
//!            partials bool
//! reply      directory text: path on the server's machine, lsn u64 (0 without a log), definitions version u64, took ms u64,
//!            files u64, rows u64, bytes u64,
//!            list of files (group text, path in the directory text, rows u64, bytes u64, CRC-64/NVME u64), the first 16,384
//! ```
//!
//! A client names an export, never a path: where exports lie is the server's business.

use model::limits::{DEFINITIONS_MAX, EXPORT_FILES_LISTED_MAX, EXPORT_NAME_BYTES_MAX};
use stdx::cursor::{Reader, Writer};

use crate::{Error, checked};

/// "Now" where an as-of is asked for.
const NO_TIME: i64 = i64::MIN;

/// How files are laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum ExportFormat {
    /// Arrow IPC files.
    Arrow = 1,
    /// Parquet.
    Parquet = 2,
}

/// See the module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExportRequest<'a> {
    /// Name of the directory to make: see [`is_export_name`].
    pub name: &'a str,
    /// How files are laid out.
    pub format: ExportFormat,
    /// Names of groups; all of them when empty.
    pub groups: Vec<&'a str>,
    /// The time values are of, in ms; now when not given.
    pub as_of: Option<i64>,
    /// Also the sketches of distinct counts.
    pub partials: bool,
}

impl<'a> ExportRequest<'a> {
    /// Appends the body.
    pub fn encode(&self, out: &mut Writer<'_>) {
        out.block(self.name.as_bytes()).u8(self.format as u8);
        checked::write_count(out, self.groups.len());
        for group in &self.groups {
            out.block(group.as_bytes());
        }
        out.i64(self.as_of.unwrap_or(NO_TIME)).u8(u8::from(self.partials));
    }

    /// Reads a body.
    ///
    /// # Errors
    /// [`Error::Truncated`], [`Error::TooMany`], or [`Error::Malformed`], also for a name that is none.
    pub fn decode(body: &'a [u8]) -> Result<Self, Error> {
        let mut input = Reader::new(body);
        let name = checked::text(&mut input)?;
        if !is_export_name(name) {
            // What is no name is not repeated: it may be long, and it may be anything.
            return Err(Error::Malformed(format!(
                "an export's name has 1 to {EXPORT_NAME_BYTES_MAX} of A-Z, a-z, 0-9, _, - and ., does not begin with . and does not end with .partial"
            )));
        }
        let format = match input.u8()? {
            1 => ExportFormat::Arrow,
            2 => ExportFormat::Parquet,
            other => {
                return Err(Error::Malformed(format!(
                    "format {other} is not known: 1 is Arrow, 2 is Parquet"
                )));
            }
        };
        let groups = checked::list(&mut input, ("groups", DEFINITIONS_MAX, 4), checked::text)?;
        let as_of = Some(input.i64()?).filter(|as_of| *as_of != NO_TIME);
        let partials = checked::boolean(&mut input)?;
        checked::end(&input)?;
        Ok(Self { name, format, groups, as_of, partials })
    }
}

/// True for 1 to [`EXPORT_NAME_BYTES_MAX`] ASCII letters, digits, `_`, `-` and `.` that do not begin with `.`, so that they are
/// neither hidden nor lead out of a directory, and do not end as unfinished exports do.
#[must_use]
pub fn is_export_name(name: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
    (1..=EXPORT_NAME_BYTES_MAX).contains(&name.len())
        && name.bytes().all(is_allowed)
        && !name.starts_with('.')
        && !name.ends_with(".partial")
}

/// See the module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExportReply {
    /// Where the files lie on the server's machine.
    pub directory: String,
    /// Every record of the log up to this one is in them, and none after it; `None` without a log.
    pub lsn: Option<u64>,
    /// Version of the definitions.
    pub definitions_version: u64,
    /// From start to end.
    pub took_ms: u64,
    /// How many files there are, the manifest aside.
    pub file_count: u64,
    /// Rows of all files.
    pub rows: u64,
    /// Bytes of all files.
    pub bytes: u64,
    /// The first [`EXPORT_FILES_LISTED_MAX`] files.
    pub files: Vec<ExportedFile>,
}

/// A file of an export.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExportedFile {
    /// The group it is of.
    pub group: String,
    /// Its path in the directory of the export.
    pub path: String,
    /// Rows in it.
    pub rows: u64,
    /// Its length.
    pub bytes: u64,
    /// CRC-64/NVME of its bytes.
    pub checksum: u64,
}

impl ExportReply {
    /// Appends the body.
    pub fn encode(&self, out: &mut Writer<'_>) {
        out.block(self.directory.as_bytes()).u64(self.lsn.unwrap_or(0));
        out.u64(self.definitions_version).u64(self.took_ms);
        out.u64(self.file_count).u64(self.rows).u64(self.bytes);
        let listed = self.files.iter().take(EXPORT_FILES_LISTED_MAX);
        checked::write_count(out, listed.len());
        for file in listed {
            out.block(file.group.as_bytes()).block(file.path.as_bytes());
            out.u64(file.rows).u64(file.bytes).u64(file.checksum);
        }
    }

    /// Reads a body.
    ///
    /// # Errors
    /// [`Error::Truncated`], [`Error::TooMany`] or [`Error::Malformed`].
    pub fn decode(body: &[u8]) -> Result<Self, Error> {
        let mut input = Reader::new(body);
        let reply = Self {
            directory: checked::string(&mut input)?,
            lsn: Some(input.u64()?).filter(|lsn| *lsn != 0),
            definitions_version: input.u64()?,
            took_ms: input.u64()?,
            file_count: input.u64()?,
            rows: input.u64()?,
            bytes: input.u64()?,
            files: checked::list(&mut input, ("files", EXPORT_FILES_LISTED_MAX, 32), |input| {
                Ok(ExportedFile {
                    group: checked::string(input)?,
                    path: checked::string(input)?,
                    rows: input.u64()?,
                    bytes: input.u64()?,
                    checksum: input.u64()?,
                })
            })?,
        };
        checked::end(&input)?;
        Ok(reply)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn again(name: &str, format: u8) -> Result<(), Error> {
        let mut body = Vec::new();
        Writer::new(&mut body).block(name.as_bytes()).u8(format).u32(0).i64(NO_TIME).u8(0);
        ExportRequest::decode(&body).map(drop)
    }

    #[test]
    fn a_name_never_leads_anywhere() {
        for good in ["a", "nightly-2026_11_21", "v1.2", &"x".repeat(EXPORT_NAME_BYTES_MAX)] {
            assert_eq!(again(good, 1), Ok(()), "{good}");
        }
        let long = "x".repeat(EXPORT_NAME_BYTES_MAX + 1);
        for bad in
            ["", ".", "..", ".a", "a/b", "/etc", "a b", "ä", "a\0", "~", "a\\b", "a.partial", &long]
        {
            let error = again(bad, 1).expect_err(bad).to_string();
            assert!(error.contains("1 to 64 of A-Z"), "{error}");
        }
        let error = again("a", 3).expect_err("no format").to_string();
        assert!(error.contains("1 is Arrow, 2 is Parquet"), "{error}");
    }
}
