//! A copy of a history, for a backup.

use std::io::ErrorKind;
use std::path::Path;

use super::manifest::HistoryManifest;
use super::{MANIFEST, REFUSED, disk};
use crate::Error;
use crate::reads::ReadFile;

/// Copies the history in the directory `root`, in which nobody changes anything meanwhile, to `target`, which is not there; every
/// byte of it is synced. Nothing is done where there is no history. Of logged reads `reads` are copied, which were listed before the
/// database was copied: later ones may have seen changes that its copy does not have. `go_on` is asked before each MiB.
///
/// # Errors
/// [`Error::File`] when the history is damaged; [`Error::Io`]; that of `go_on`.
pub fn copy(
    root: &Path,
    target: &Path,
    reads: &[ReadFile],
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
                let what = "it is damaged: its length or checksum is not the manifest's; see larder check, then put the file of a \
                            backup in its place, or move the history's directory away: it begins anew";
                return Err(Error::file(&from, what));
            }
        }
    }
    copy_reads(root, target, reads, go_on)?;
    // A history that was refused is so in its copy.
    if let Some(why) = disk::read_text(&root.join(REFUSED))? {
        disk::replace(&target.join(REFUSED), &why)?;
    }
    disk::replace(&target.join(MANIFEST), &text)
}

/// Copies the logged reads `files`. They are a sample that goes on shrinking meanwhile: what is gone when its turn comes, or damaged, is
/// left out.
fn copy_reads(
    root: &Path,
    target: &Path,
    files: &[ReadFile],
    go_on: &mut dyn FnMut() -> Result<(), Error>,
) -> Result<(), Error> {
    for file in files {
        let Some(path) = file.path.strip_prefix(root).ok().filter(|_| file.check().is_ok()) else {
            continue;
        };
        let Some(folder) = path.parent().and_then(Path::to_str) else { continue };
        disk::make_folder(target, folder)?;
        match disk::copy(&file.path, &target.join(path), go_on) {
            Err(Error::Io { source, .. }) if source.kind() == ErrorKind::NotFound => {}
            copied => drop(copied?),
        }
    }
    Ok(())
}
