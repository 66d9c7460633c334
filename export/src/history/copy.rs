//! A copy of a history, for a backup.
//!
//! ```text
//! begin   manifest read, its files linked beside the copy ─► history goes on: what it removes stays under the copy's links
//! finish  each link ─► a file of its own, checksum looked at, synced ─► manifest, as it was
//! ```

use std::path::{Path, PathBuf};

use engine::Lsn;

use super::manifest::HistoryManifest;
use super::{MANIFEST, REFUSED, disk};
use crate::Error;
use crate::reads::ReadFile;

/// Is told how many bytes are still to be copied, before each MiB; an error ends the copy.
type GoOn<'a> = dyn FnMut(u64) -> Result<(), Error> + 'a;

/// A copy that was begun.
#[derive(Debug)]
pub struct HistoryCopy {
    root: PathBuf,
    target: PathBuf,
    manifest: HistoryManifest,
    /// The manifest's text.
    text: String,
    /// Why the history was refused, if it was: its copy is so too.
    refused: Option<String>,
    is_linked: bool,
}

impl HistoryCopy {
    /// Begins a copy of the history in the directory `root`, in which nobody changes anything until this returns, to `target`, which
    /// is not there. `None` where there is no history.
    ///
    /// # Errors
    /// [`Error::File`] when the manifest is damaged; [`Error::Io`].
    pub fn begin(root: &Path, target: &Path) -> Result<Option<Self>, Error> {
        let Some(text) = disk::read_text(&root.join(MANIFEST))? else { return Ok(None) };
        let manifest = HistoryManifest::parse(root, &text)?;
        let refused = disk::read_text(&root.join(REFUSED))?;
        disk::make_folder(target, "")?;
        let mut is_linked = true;
        for (source, history) in &manifest.sources {
            for file in &history.files {
                disk::make_folder(target, &source.folder())?;
                let (from, to) = (root.join(&file.path), target.join(&file.path));
                is_linked = is_linked && disk::link(&from, &to)?;
            }
        }
        let (root, target) = (root.to_owned(), target.to_owned());
        Ok(Some(Self { root, target, manifest, text, refused, is_linked }))
    }

    /// Up to this record of the log the copy has everything.
    #[must_use]
    pub fn position(&self) -> Lsn {
        self.manifest.position
    }

    /// True when the history may go on before the copy is finished: all its files are held by links. Not where the target is on
    /// another file system, or on one without links.
    #[must_use]
    pub fn is_linked(&self) -> bool {
        self.is_linked
    }

    /// Copies what was there when it was begun; every byte of it is synced. Of logged reads `reads` are copied, which were listed
    /// before the database was copied: later ones may have seen changes that its copy does not have.
    ///
    /// # Errors
    /// [`Error::File`] when the history is damaged; [`Error::Io`]; that of `go_on`.
    pub fn finish(self, reads: &[ReadFile], go_on: &mut GoOn<'_>) -> Result<(), Error> {
        let files = || self.manifest.sources.values().flat_map(|history| &history.files);
        let bytes = files().map(|file| file.bytes).chain(reads.iter().map(|file| file.bytes));
        let mut left: u64 = bytes.sum();
        for file in files() {
            let (named, to) = (self.root.join(&file.path), self.target.join(&file.path));
            // A file of its own takes the place of the link: what happens to one happens to no other.
            let from = if self.is_linked { &to } else { &named };
            let copied = disk::copy(from, &to, &mut |piece| count(go_on, &mut left, piece))?;
            // A copy of damage is no backup.
            if copied != (file.bytes, file.checksum) {
                let what = "it is damaged: its length or checksum is not the manifest's; see larder check, then put the history \
                            of a backup in the place of this one, files and manifest, or move its directory away: it begins anew";
                return Err(Error::file(&named, what));
            }
        }
        for file in reads {
            let behind = left.saturating_sub(file.bytes);
            self.copy_reads(file, &mut |piece| count(go_on, &mut left, piece))?;
            // Also when it is left out, or was given up in its middle.
            left = behind;
        }
        if let Some(why) = &self.refused {
            disk::replace(&self.target.join(REFUSED), why)?;
        }
        disk::replace(&self.target.join(MANIFEST), &self.text)
    }

    /// Copies the logged reads of `file`. They are a sample that goes on shrinking meanwhile: what is gone when its turn comes, or
    /// damaged, is left out.
    fn copy_reads(&self, file: &ReadFile, go_on: &mut GoOn<'_>) -> Result<(), Error> {
        let path = file.path.strip_prefix(&self.root).ok().filter(|_| file.check().is_ok());
        let Some(path) = path else { return Ok(()) };
        let Some(folder) = path.parent().and_then(Path::to_str) else { return Ok(()) };
        disk::make_folder(&self.target, folder)?;
        match disk::copy(&file.path, &self.target.join(path), go_on) {
            Err(gone) if gone.is_not_found() => Ok(()),
            copied => copied.map(drop),
        }
    }
}

/// Tells `go_on` how much is left, of which a piece comes now.
fn count(go_on: &mut GoOn<'_>, left: &mut u64, piece: u64) -> Result<(), Error> {
    go_on(*left)?;
    *left = left.saturating_sub(piece);
    Ok(())
}

/// [`HistoryCopy`] from its begin to its end: of a history in which nobody changes anything meanwhile.
///
/// # Errors
/// As [`HistoryCopy::begin`] and [`HistoryCopy::finish`].
pub fn copy(
    root: &Path,
    target: &Path,
    reads: &[ReadFile],
    go_on: &mut GoOn<'_>,
) -> Result<(), Error> {
    match HistoryCopy::begin(root, target)? {
        Some(begun) => begun.finish(reads, go_on),
        None => Ok(()),
    }
}
