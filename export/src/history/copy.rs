//! A copy of a history, for a backup.

use std::io::ErrorKind;
use std::path::Path;

use super::manifest::HistoryManifest;
use super::{MANIFEST, disk};
use crate::Error;
use crate::reads::{self, ReadLogReader};

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
    copy_reads(root, target, go_on)?;
    disk::replace(&target.join(MANIFEST), &text)
}

/// Copies the logged reads. They are a sample that goes on growing and shrinking meanwhile: what is gone when its turn comes, or damaged,
/// is left out.
fn copy_reads(
    root: &Path,
    target: &Path,
    go_on: &mut dyn FnMut() -> Result<(), Error>,
) -> Result<(), Error> {
    let reader = ReadLogReader::new(root);
    for service in reader.services()? {
        for file in reader.files(&service)? {
            let folder = format!("{}/{service}", reads::DIRECTORY);
            let Some(name) = file.path.file_name().filter(|_| file.check().is_ok()) else {
                continue;
            };
            let to = disk::make_folder(target, &folder)?.join(name);
            match disk::copy(&file.path, &to, go_on) {
                Err(Error::Io { source, .. }) if source.kind() == ErrorKind::NotFound => {}
                copied => drop(copied?),
            }
        }
    }
    Ok(())
}
