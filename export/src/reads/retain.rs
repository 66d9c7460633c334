//! Which files of logged reads go: those that are too old, and the oldest where there are too many.

use std::path::Path;

use model::definition::{History, ReadLog};

use super::{ReadFile, names};
use crate::Error;
use crate::file::{FileFormat, TableReader};
use crate::metadata;

/// What is kept where neither definitions nor files say.
const KEPT: History = History { age_ms: None, bytes: Some(ReadLog::BYTES_DEFAULT) };

/// Removes what is too old or too much of all services below `root`: as much is kept as `kept` says, or the newest file where that says
/// nothing. What was read at `now_ms` or later is new.
///
/// # Errors
/// The first one met, [`Error::Io`]; the other services are looked at all the same.
pub(super) fn services(
    root: &Path,
    kept: &dyn Fn(&str) -> Option<History>,
    now_ms: i64,
) -> Result<(), Error> {
    let mut first = Ok(());
    for service in names::folders(root)? {
        let folder = root.join(&service);
        let kept = kept(&service).map_or_else(|| said(&folder), Ok);
        first = first.and(kept.and_then(|kept| files(&folder, kept, now_ms)));
    }
    first
}

/// Removes the oldest files in `folder` of which `kept` says that they go; a file's last read was at most one file's age after its
/// first, and that is what `now_ms` is before now.
///
/// # Errors
/// [`Error::Io`].
pub(super) fn files(folder: &Path, kept: History, now_ms: i64) -> Result<(), Error> {
    let files = names::files(folder)?;
    let mut bytes: u64 = files.iter().map(|file| file.bytes).sum();
    let last = files.len().saturating_sub(1);
    for (index, file) in files.iter().enumerate() {
        let is_old = kept.age_ms.is_some_and(|age| file.first_ms < now_ms.saturating_sub(age));
        // One file is kept, however small the limit: else there would be none where one alone is too much.
        let is_much = index < last && kept.bytes.is_some_and(|most| bytes > most);
        if !is_old && !is_much {
            break;
        }
        names::remove(&file.path)?;
        bytes = bytes.saturating_sub(file.bytes);
    }
    Ok(())
}

/// How much was to be kept when the newest file in `folder` was written.
fn said(folder: &Path) -> Result<History, Error> {
    let files = names::files(folder)?;
    let limits = |file: &ReadFile| {
        let schema = TableReader::open(&file.path, Some(FileFormat::Arrow)).ok()?.schema();
        let limit = |name| match schema.metadata().get(name)?.as_str() {
            metadata::UNLIMITED => Some(None),
            number => Some(Some(number.parse::<u64>().ok()?)),
        };
        let age_ms =
            limit(metadata::KEPT_AGE_MS)?.map(|age| i64::try_from(age).unwrap_or(i64::MAX));
        Some(History { age_ms, bytes: limit(metadata::KEPT_BYTES)? })
    };
    Ok(files.last().and_then(limits).unwrap_or(KEPT))
}
