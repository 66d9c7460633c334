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

/// See the module. Reads what the manifest said when it was opened: what a server drops later is missed.
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
        let text = disk::read_text(&root.join(MANIFEST))?.ok_or_else(|| {
            let what = "there is no history here: it is in the directory `history` of a data directory, once a stream or row group \
                        declares history = true";
            Error::file(root, what)
        })?;
        let manifest = HistoryManifest::parse(root, &text)?;
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
        let (files, open) = (history.files.iter().collect(), None);
        Ok(Changes { reader: self, source: source.clone(), files, open })
    }

    /// The changes of one file of `source`.
    pub(super) fn file<'r>(&'r self, source: &HistorySource, file: &'r HistoryFile) -> Changes<'r> {
        let (files, open) = (VecDeque::from([file]), None);
        Changes { reader: self, source: source.clone(), files, open }
    }

    /// Shows `visit` every change of `source` in the order of the log.
    ///
    /// # Errors
    /// As [`HistoryReader::changes`]; [`Error::File`] for a damaged file; those of `visit`.
    pub fn for_each(
        &self,
        source: &HistorySource,
        visit: &mut dyn FnMut(&Change<'_>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        self.changes(source)?.try_for_each(|batch| batch?.for_each(visit))
    }
}

/// Changes of one source, batch by batch in the order of the log.
pub struct Changes<'r> {
    reader: &'r HistoryReader,
    source: HistorySource,
    files: VecDeque<&'r HistoryFile>,
    open: Option<(PathBuf, Layout, TableReader)>,
}

impl Changes<'_> {
    fn open(&self, file: &HistoryFile) -> Result<(PathBuf, Layout, TableReader), Error> {
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
        Ok((path, layout, table))
    }

    fn next_batch(&mut self) -> Result<Option<ChangeBatch>, Error> {
        loop {
            if let Some((path, layout, table)) = &mut self.open
                && let Some(batch) = table.next()
            {
                let source = self.source.index(&self.reader.newest_definitions());
                let source = source
                    .ok_or_else(|| Error::Usage(format!("{} is not defined", self.source)))?;
                return ChangeBatch::new((path, source), layout, batch?).map(Some);
            }
            let Some(file) = self.files.pop_front() else { return Ok(None) };
            self.open = Some(self.open(file)?);
        }
    }
}

/// Looks whether a file has the length and checksum that the manifest says.
fn look(path: &Path, file: &HistoryFile) -> Result<(), Error> {
    let (bytes, checksum) = super::disk::measure(path)?;
    let wrong = |what: String| {
        Err(Error::file(
            path,
            format!("{what}: put the file of a backup in its place; the database does not need it"),
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
