//! The reading end: what a history says of itself, and its changes file by file.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use engine::Lsn;
use engine::changes::{Change, DefinitionsVersion};
use model::definition::Definitions;

use super::manifest::{HistoryFile, HistoryGap, HistoryManifest};
use super::rows::ChangeBatch;
use super::source::HistorySource;
use super::table::Layout;
use super::{MANIFEST, disk};
use crate::Error;
use crate::file::{FileFormat, TableReader};
use crate::metadata;

/// How often a list of files is asked for anew when one that it names is not there: each time a server must have merged it meanwhile.
const ATTEMPTS_MAX: usize = 20;

/// See the module. Reads what the manifest said when it was opened, also beside a server that merges files meanwhile.
#[derive(Debug)]
pub struct HistoryReader {
    root: PathBuf,
    manifest: HistoryManifest,
    /// The definitions of each version, in their order.
    definitions: Vec<Arc<Definitions>>,
}

impl HistoryReader {
    /// Opens the history in the directory `root`: `DATA/history`.
    ///
    /// # Errors
    /// [`Error::File`] when there is none, or its manifest is damaged; [`Error::Io`].
    pub fn open(root: &Path) -> Result<Self, Error> {
        Self::of(root, manifest_now(root)?)
    }

    /// What there is now.
    ///
    /// # Errors
    /// As [`HistoryReader::open`].
    pub fn again(&self) -> Result<Self, Error> {
        Self::open(&self.root)
    }

    /// That of the files that `manifest` lists in the directory `root`.
    pub(super) fn of(root: &Path, manifest: HistoryManifest) -> Result<Self, Error> {
        let (mut definitions, mut newest) = (Vec::new(), Definitions::default());
        for version in &manifest.versions {
            newest = Definitions::parse(&version.file, &version.text, &newest)?;
            definitions.push(Arc::new(newest.clone()));
        }
        Ok(Self { root: root.to_owned(), manifest, definitions })
    }

    /// All that the manifest says.
    #[must_use]
    pub fn manifest(&self) -> &HistoryManifest {
        &self.manifest
    }

    /// Up to this record of the log all changes are here, and none after it.
    #[must_use]
    pub fn position(&self) -> Lsn {
        self.manifest.position
    }

    /// All versions of the definitions up to there, each with the record that made it valid.
    #[must_use]
    pub fn versions(&self) -> &[DefinitionsVersion] {
        &self.manifest.versions
    }

    /// The definitions of `version`.
    #[must_use]
    pub fn definitions(&self, version: u64) -> Option<&Arc<Definitions>> {
        let place = self.manifest.versions.iter().position(|it| it.version == version)?;
        self.definitions.get(place)
    }

    /// The newest definitions, in which `Change::source` is an index.
    #[must_use]
    pub fn newest_definitions(&self) -> Arc<Definitions> {
        self.definitions.last().map_or_else(Arc::default, Arc::clone)
    }

    /// Records of the log that are missing from every history.
    #[must_use]
    pub fn gaps(&self) -> &[HistoryGap] {
        &self.manifest.gaps
    }

    /// What has a history, or had one.
    pub fn sources(&self) -> impl Iterator<Item = &HistorySource> {
        self.manifest.sources.keys()
    }

    /// The record with which the history of `source` began, for the last time if it had ended before; `None`: it has none.
    #[must_use]
    pub fn began(&self, source: &HistorySource) -> Option<Lsn> {
        self.manifest.sources.get(source)?.spans.last().map(|span| span.from)
    }

    /// From this record on, to [`HistoryReader::position`] or to where its history ended, no change of `source` is missing: behind
    /// the newest gap, and behind what was dropped. And whether there was nothing before, so that the changes from there on are all
    /// there ever were.
    #[must_use]
    pub fn complete_from(&self, source: &HistorySource) -> Option<(Lsn, bool)> {
        let history = self.manifest.sources.get(source)?;
        let span = history.spans.last()?;
        let gap = self.manifest.gaps.last().map_or(Lsn(0), |gap| gap.last);
        let missing = gap.max(history.dropped_to);
        if missing < span.from {
            return Some((span.from, span.was_empty));
        }
        Some((Lsn(missing.0 + 1), false))
    }

    /// The changes of `source` in the order of the log, from the oldest file on.
    ///
    /// # Errors
    /// [`Error::Usage`] when it has no history; it lists what has one.
    pub fn changes(&self, source: &HistorySource) -> Result<Changes<'_>, Error> {
        let history = self.manifest.sources.get(source).ok_or_else(|| {
            let all: Vec<_> = self.sources().map(HistorySource::to_string).collect();
            let all = if all.is_empty() { "nothing".to_owned() } else { all.join(", ") };
            Error::Usage(format!("{source} has no history; what has one is {all}"))
        })?;
        Ok(self.changes_of(source, history.files.clone()))
    }

    /// The changes of one file of `source`.
    pub(super) fn file(&self, source: &HistorySource, file: &HistoryFile) -> Changes<'_> {
        self.changes_of(source, vec![file.clone()])
    }

    fn changes_of(&self, source: &HistorySource, files: Vec<HistoryFile>) -> Changes<'_> {
        let first = files.first().map_or(Lsn(0), |file| file.first_lsn);
        let last = files.last().map_or(Lsn(0), |file| file.last_lsn);
        let (source, wanted) = (source.clone(), (first, last));
        Changes { reader: self, source, files: files.into(), wanted, open: None }
    }

    /// Shows `visit` every change of `source` in the order of the log.
    ///
    /// # Errors
    /// As [`HistoryReader::changes`]; [`Error::File`] for a damaged file; [`Error::Dropped`] when a server dropped some of them
    /// meanwhile: [`HistoryReader::again`] has what is left; those of `visit`.
    pub fn for_each(
        &self,
        source: &HistorySource,
        visit: &mut dyn FnMut(&Change<'_>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        self.changes(source)?.try_for_each(|batch| batch?.for_each(visit))
    }
}

/// What the manifest in the directory `root` says now.
fn manifest_now(root: &Path) -> Result<HistoryManifest, Error> {
    let text = disk::read_text(&root.join(MANIFEST))?.ok_or_else(|| {
        let what = "there is no history here: it is in the directory `history` of a data directory, once a stream or row group \
                    declares history = true";
        Error::file(root, what)
    })?;
    HistoryManifest::parse(root, &text)
}

/// Changes of one source, batch by batch in the order of the log. Beside a server that merges files they are the same; one that drops
/// some of them for their age or size ends them with [`Error::Dropped`].
pub struct Changes<'r> {
    reader: &'r HistoryReader,
    source: HistorySource,
    /// Files to come.
    files: VecDeque<HistoryFile>,
    /// The first record of what is to come, and the last: a file may be of more than that, once it was merged with others.
    wanted: (Lsn, Lsn),
    open: Option<OpenChanges>,
}

/// A file that is read, which stays so when it is removed.
struct OpenChanges {
    path: PathBuf,
    layout: Layout,
    table: TableReader,
    /// First and last record of what is wanted of it.
    wanted: (Lsn, Lsn),
}

impl Changes<'_> {
    fn open(&self, file: &HistoryFile) -> Result<OpenChanges, Error> {
        let path = self.reader.root.join(&file.path);
        // Before anything is read of it: Arrow has no checksums.
        look(&path, file)?;
        let table = TableReader::open(&path, Some(FileFormat::Arrow))?;
        let schema = table.schema();
        let version = schema.metadata().get(metadata::DEFINITIONS_VERSION);
        let version = version.and_then(|version| version.parse().ok());
        let definitions = version.and_then(|version| self.reader.definitions(version));
        let (Some(version), Some(definitions)) = (version, definitions) else {
            return Err(Error::file(&path, "it does not say by which definitions it was written"));
        };
        let layout = Layout::of(&self.source, (definitions, version), None)?;
        Ok(OpenChanges { path, layout, table, wanted: self.wanted })
    }

    /// Opens the next file; nothing behind the last.
    fn open_next(&mut self) -> Result<Option<OpenChanges>, Error> {
        for _ in 0..ATTEMPTS_MAX {
            let Some(file) = self.files.front() else { return Ok(None) };
            match self.open(file) {
                Err(error) if error.is_not_found() => self.list_anew(error)?,
                opened => {
                    let opened = opened?;
                    self.wanted.0 = Lsn(file.last_lsn.0.saturating_add(1));
                    self.files.pop_front();
                    return Ok(Some(opened));
                }
            }
        }
        let what =
            "files are merged faster than they are read: read a copy, such as that of a backup";
        Err(Error::file(&self.reader.root, what))
    }

    /// The next file is not there: those that have its changes, and those of the ones behind it, by what the manifest says now.
    fn list_anew(&mut self, missing: Error) -> Result<(), Error> {
        let Some(file) = self.files.front() else { return Ok(()) };
        let path = self.reader.root.join(&file.path);
        let now = manifest_now(&self.reader.root)?;
        let history = now.sources.get(&self.source);
        let (Some(history), true) = (history, now.cluster == self.reader.manifest.cluster) else {
            return Err(missing);
        };
        if history.dropped_to >= self.wanted.0 {
            return Err(Error::Dropped { path });
        }
        let (next, last) = self.wanted;
        let is_wanted = |file: &&HistoryFile| file.last_lsn >= next && file.first_lsn <= last;
        let files: VecDeque<_> = history.files.iter().filter(is_wanted).cloned().collect();
        // Not merged, but gone.
        if files.front().is_none_or(|first| first.path == file.path) {
            return Err(missing);
        }
        self.files = files;
        Ok(())
    }

    fn next_batch(&mut self) -> Result<Option<ChangeBatch>, Error> {
        loop {
            if let Some(OpenChanges { path, layout, table, wanted }) = &mut self.open
                && let Some(batch) = table.next()
            {
                let source = self.source.index(&self.reader.newest_definitions());
                let source = source
                    .ok_or_else(|| Error::Usage(format!("{} is not defined", self.source)))?;
                let batch = ChangeBatch::new((path, source), layout, batch?, *wanted)?;
                if batch.is_empty() {
                    continue;
                }
                return Ok(Some(batch));
            }
            self.open = self.open_next()?;
            if self.open.is_none() {
                return Ok(None);
            }
        }
    }
}

/// Looks whether a file has the length and checksum that the manifest says.
fn look(path: &Path, file: &HistoryFile) -> Result<(), Error> {
    let (bytes, checksum) = super::disk::measure(path)?;
    let wrong = |what: String| {
        Err(Error::file(
            path,
            format!(
                "{what}: put the history of a backup in the place of this one, files and manifest; the database does not need it"
            ),
        ))
    };
    if bytes != file.bytes {
        return wrong(format!("it has {bytes} bytes, the manifest says {}", file.bytes));
    }
    if checksum != file.checksum {
        return wrong("its checksum is not the manifest's".to_owned());
    }
    Ok(())
}

impl Iterator for Changes<'_> {
    type Item = Result<ChangeBatch, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        self.next_batch().transpose()
    }
}
