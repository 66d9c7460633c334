//! A copy of a history, for a backup.

use std::path::Path;

use super::manifest::HistoryManifest;
use super::{MANIFEST, disk};
use crate::Error;

/// Copies the history in the directory `root`, in which nobody changes anything meanwhile, to `target`, which is not there; every
/// byte of it is synced. Nothing is done where there is no history. `go_on` is asked before each MiB.
///
/// # Errors
/// [`Error::File`] when the history is damaged; [`Error::Io`]; that of `go_on`.
pub fn copy(
    root: &Path,
    target: &Path,
    go_on: &mut dyn FnMut() -> Result<(), Error>,
) -> Result<(), Error> {
    let Some(text) = disk::read_text(&root.join(MANIFEST))? else { return Ok(()) };
    let manifest = HistoryManifest::parse(root, &text)?;
    disk::make_folder(target, "")?;
    for (source, history) in &manifest.sources {
        for file in &history.files {
            disk::make_folder(target, &source.folder())?;
            let (from, to) = (root.join(&file.path), target.join(&file.path));
            let copied = disk::copy(&from, &to, go_on)?;
            // A copy of damage is no backup.
            if copied != (file.bytes, file.checksum) {
                let what =
                    "it is damaged: its length or checksum is not the manifest's; see larder check";
                return Err(Error::file(&from, what));
            }
        }
    }
    disk::replace(&target.join(MANIFEST), &text)
}
