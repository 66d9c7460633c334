//! The writing end: changes into open files, which are closed together, so that one position in the log says what all of them hold.
//!
//! ```text
//! changes ─► open files ─► closed: synced, named ─► manifest, synced, named ─► told: up to there it lasts ─► old files go
//! ```

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use engine::Lsn;
use engine::changes::{Change, ChangeSource, DefinitionsVersion};
use model::definition::Definitions;

use super::manifest::{HistoryFile, HistoryGap, HistoryManifest, HistorySpan};
use super::source::{HistorySource, sources};
use super::table::{Layout, Rows};
use super::{HistoryLimits, MANIFEST, REFUSED, disk};
use crate::Error;
use crate::file::{FileFormat, TableWriter};

/// Rows of a batch in a file.
const BATCH_ROWS: usize = 8192;
/// Bytes of a batch, about.
const BATCH_BYTES: usize = 4 << 20;
/// The directories of a history's own files.
const FOLDERS: [&str; 2] = ["streams", "groups"];

/// Is told of each position that the files have reached for ever.
pub type OnAdvance = Box<dyn FnMut(Lsn) + Send>;

/// See the module. There is one at a time for a data directory: whoever holds its lock.
pub struct HistoryWriter {
    root: PathBuf,
    limits: HistoryLimits,
    manifest: HistoryManifest,
    definitions: Arc<Definitions>,
    tables: BTreeMap<ChangeSource, OpenTable>,
    /// All records up to this one were gone through.
    passed: Lsn,
    /// Bytes of log since files were closed.
    log_bytes: u64,
    /// Since when something is not in the manifest.
    since_ns: Option<u64>,
    /// The manifest has to be written soon: a history began or ended.
    is_urgent: bool,
    on_advance: OnAdvance,
}

struct OpenTable {
    source: HistorySource,
    path: String,
    rows: Rows,
    writer: TableWriter,
    lsns: (Lsn, Lsn),
    at_ms: (i64, i64),
}

impl HistoryWriter {
    /// Opens the history in the directory `root` of the database called `cluster`, whose log ends with record `log_end`, or begins
    /// one. What the manifest does not list is removed.
    ///
    /// # Errors
    /// [`Error::File`] when the manifest is damaged, or of another database, or goes beyond the log or did so once, and then nothing
    /// is removed; [`Error::Io`].
    pub fn open(
        root: &Path,
        (cluster, log_end): (u128, Lsn),
        limits: HistoryLimits,
        on_advance: OnAdvance,
    ) -> Result<Self, Error> {
        let text = disk::read_text(&root.join(MANIFEST))?;
        let manifest = text.map(|text| HistoryManifest::parse(root, &text)).transpose()?;
        let manifest = manifest.unwrap_or_else(|| HistoryManifest::new(cluster));
        if manifest.cluster != cluster {
            let what = "it is the history of another database: move its directory away";
            return Err(Error::file(&root.join(MANIFEST), what));
        }
        refuse_beyond(root, manifest.position, log_end)?;
        let mut definitions = Definitions::default();
        for version in &manifest.versions {
            definitions = Definitions::parse(&version.file, &version.text, &definitions)?;
        }
        let writer = Self {
            root: root.to_owned(),
            limits,
            definitions: Arc::new(definitions),
            tables: BTreeMap::new(),
            passed: manifest.position,
            manifest,
            log_bytes: 0,
            since_ns: None,
            is_urgent: false,
            on_advance,
        };
        writer.remove_unlisted()?;
        Ok(writer)
    }

    /// What the files on the disk hold.
    #[must_use]
    pub fn manifest(&self) -> &HistoryManifest {
        &self.manifest
    }

    /// The history's directory.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The definitions that `version` makes of those that are known.
    pub(super) fn definitions_with(
        &self,
        version: &DefinitionsVersion,
    ) -> Result<Definitions, Error> {
        Ok(Definitions::parse(&version.file, &version.text, &self.definitions)?)
    }

    /// True when nothing has a history any more by the definitions gone through so far.
    pub(super) fn is_over(&self) -> bool {
        sources(&self.definitions).all(|(_, history)| history.is_none())
    }

    /// All changes up to this record are in files, for ever.
    #[must_use]
    pub fn position(&self) -> Lsn {
        self.manifest.position
    }

    /// Newest version of the definitions that is known; 0: none.
    #[must_use]
    pub fn version(&self) -> u64 {
        self.manifest.versions.last().map_or(0, |version| version.version)
    }

    /// Records that are gone: nothing of them is in the history. Files are closed in front of them.
    ///
    /// # Errors
    /// As [`HistoryWriter::close_files`].
    pub fn gap(&mut self, first: Lsn, last: Lsn, wall_ms: i64) -> Result<(), Error> {
        self.close_files(wall_ms)?;
        self.manifest.gaps.push(HistoryGap { first, last });
        (self.passed, self.is_urgent) = (last, true);
        Ok(())
    }

    /// `definitions` are valid from record `version.lsn` on; `is_gone` when that record was not seen, so that changes may have come
    /// between it and the next one that is. Open files are closed before.
    ///
    /// # Errors
    /// As [`HistoryWriter::close_files`].
    pub fn definitions(
        &mut self,
        version: DefinitionsVersion,
        definitions: Arc<Definitions>,
        is_gone: bool,
        wall_ms: i64,
    ) -> Result<(), Error> {
        if !self.tables.is_empty() {
            self.close_files(wall_ms)?;
        }
        let lsn = version.lsn;
        let before: BTreeMap<_, _> = sources(&self.definitions).collect();
        for (source, history) in sources(&definitions) {
            let was_empty = !is_gone && !before.contains_key(&source);
            let Some(limits) = history else {
                if let Some(known) = self.manifest.sources.get_mut(&source) {
                    let open = known.spans.iter_mut().filter(|span| span.to.is_none());
                    open.for_each(|span| span.to = Some(lsn));
                }
                continue;
            };
            let known = self.manifest.sources.entry(source).or_default();
            known.limits = limits;
            if known.spans.last().is_none_or(|span| span.to.is_some()) {
                known.spans.push(HistorySpan { from: lsn, was_empty, to: None });
            }
        }
        self.manifest.versions.push(version);
        (self.definitions, self.is_urgent) = (definitions, true);
        Ok(())
    }

    /// Takes a change, which comes after all that were taken.
    ///
    /// # Errors
    /// [`Error::Io`], [`Error::Usage`] for a source without definition: the writer is to be opened anew then.
    pub fn write(&mut self, change: &Change<'_>) -> Result<(), Error> {
        if !self.tables.contains_key(&change.source) {
            let table = self.begin(change)?;
            self.tables.insert(change.source, table);
        }
        let Some(table) = self.tables.get_mut(&change.source) else { return Ok(()) };
        table.lsns.1 = change.lsn;
        table.at_ms = (table.at_ms.0.min(change.at_ms), table.at_ms.1.max(change.at_ms));
        table.rows.push(change)?;
        if table.rows.len() >= BATCH_ROWS || table.rows.bytes() >= BATCH_BYTES {
            table.writer.write(&table.rows.batch()?)?;
        }
        Ok(())
    }

    fn begin(&self, change: &Change<'_>) -> Result<OpenTable, Error> {
        let source = HistorySource::named(change.source, &self.definitions);
        let source =
            source.ok_or_else(|| Error::Usage(format!("no definition has {:?}", change.source)))?;
        let layout = Layout::of(&source, (&self.definitions, self.version()), None)?;
        let folder = source.folder();
        disk::make_folder(&self.root, &folder)?;
        let path = format!("{folder}/{:020}.arrow", change.lsn.0);
        let schema = Arc::clone(&layout.schema);
        let writer = TableWriter::create(&self.root.join(&path), FileFormat::Arrow, schema)?;
        let (lsns, at_ms) = ((change.lsn, change.lsn), (change.at_ms, change.at_ms));
        Ok(OpenTable { source, path, rows: Rows::new(layout), writer, lsns, at_ms })
    }

    /// All records before `next` were gone through and their changes taken; they were `bytes` of log.
    pub fn passed(&mut self, next: Lsn, bytes: u64, now_ns: u64) {
        self.passed = self.passed.max(Lsn(next.0.saturating_sub(1)));
        self.log_bytes += bytes;
        if self.passed > self.manifest.position {
            self.since_ns.get_or_insert(now_ns);
        }
    }

    /// Whether it is time to close files.
    #[must_use]
    pub fn is_due(&self, now_ns: u64) -> bool {
        let tables = || self.tables.values();
        let rows = tables().map(|table| table.writer.rows() + table.rows.len() as u64).sum::<u64>();
        let bytes = tables().map(|table| table.writer.bytes() + table.rows.bytes() as u64);
        let age_ns = self.since_ns.map_or(0, |since| now_ns.saturating_sub(since));
        self.is_urgent
            || rows >= self.limits.rows
            || bytes.sum::<u64>() >= self.limits.bytes
            || self.log_bytes >= self.limits.log_bytes
            || (self.since_ns.is_some() && age_ns / 1_000_000 >= self.limits.age_ms)
    }

    /// Closes all files and has them count; drops what is too old at `wall_ms`, or too much. Returns the position reached.
    ///
    /// # Errors
    /// [`Error::Io`]: what the manifest of before lists is there, and the writer is to be opened anew.
    pub fn close_files(&mut self, wall_ms: i64) -> Result<Lsn, Error> {
        let is_new = self.manifest.position < self.passed;
        if !is_new && !self.is_urgent && self.tables.is_empty() {
            return Ok(self.position());
        }
        while let Some((_, table)) = self.tables.pop_first() {
            let (source, file) = table.finish()?;
            self.manifest.sources.entry(source).or_default().files.push(file);
        }
        self.manifest.position = self.passed;
        let dropped = self.retire(wall_ms);
        disk::make_folder(&self.root, "")?;
        disk::replace(&self.root.join(MANIFEST), &self.manifest.text())?;
        (self.log_bytes, self.since_ns, self.is_urgent) = (0, None, false);
        (self.on_advance)(self.manifest.position);
        for path in dropped {
            disk::remove(&self.root.join(path))?;
        }
        Ok(self.position())
    }

    /// Takes files that are too old or too many out of the manifest; their paths.
    fn retire(&mut self, wall_ms: i64) -> Vec<String> {
        let mut dropped = Vec::new();
        for (source, history) in &mut self.manifest.sources {
            // Age is a matter of the clock that arrivals were read from.
            let now = if source.is_on_event_clock(&self.definitions) {
                history.files.iter().map(|file| file.last_at_ms).max().unwrap_or(wall_ms)
            } else {
                wall_ms
            };
            let oldest = history.limits.age_ms.map(|age| now.saturating_sub(age));
            let mut bytes: u64 = history.files.iter().map(|file| file.bytes).sum();
            let last = history.files.len().saturating_sub(1);
            let mut count = 0;
            for (index, file) in history.files.iter().enumerate() {
                let is_old = oldest.is_some_and(|oldest| file.last_at_ms < oldest);
                // One file is kept, however small the limit.
                let is_much = index < last && history.limits.bytes.is_some_and(|max| bytes > max);
                if !is_old && !is_much {
                    break;
                }
                bytes -= file.bytes;
                count = index + 1;
            }
            for file in history.files.drain(..count) {
                history.dropped_to = history.dropped_to.max(file.last_lsn);
                dropped.push(file.path);
            }
        }
        dropped
    }

    /// Removes what an interruption left.
    fn remove_unlisted(&self) -> Result<(), Error> {
        let listed: std::collections::BTreeSet<_> = self
            .manifest
            .sources
            .values()
            .flat_map(|history| history.files.iter().map(|file| file.path.as_str()))
            .collect();
        for folder in FOLDERS {
            for path in disk::files_below(&self.root, folder)? {
                if !listed.contains(path.as_str()) {
                    disk::remove(&self.root.join(path))?;
                }
            }
        }
        Ok(())
    }
}

/// Refuses the history in `root` when it goes beyond the end of the log, and writes down that it was: once the log has grown past
/// `position` nothing else says that other changes stand under the numbers of those in the files.
fn refuse_beyond(root: &Path, position: Lsn, log_end: Lsn) -> Result<(), Error> {
    let refused = root.join(REFUSED);
    let what = match disk::read_text(&refused)? {
        Some(what) => what,
        None if position <= log_end => return Ok(()),
        None => {
            let what = format!(
                "it goes up to record {position}, but the log ends with {log_end}: the log was cut, and what it says now is not what \
                 is in here; move the directory away, and history begins anew"
            );
            disk::replace(&refused, &what)?;
            what
        }
    };
    Err(Error::file(&root.join(MANIFEST), what))
}

impl OpenTable {
    fn finish(mut self) -> Result<(HistorySource, HistoryFile), Error> {
        if self.rows.len() > 0 {
            self.writer.write(&self.rows.batch()?)?;
        }
        let written = self.writer.finish()?;
        let file = HistoryFile {
            path: self.path,
            first_lsn: self.lsns.0,
            last_lsn: self.lsns.1,
            first_at_ms: self.at_ms.0,
            last_at_ms: self.at_ms.1,
            rows: written.rows,
            bytes: written.bytes,
            checksum: written.checksum,
        };
        Ok((self.source, file))
    }
}

impl std::fmt::Debug for HistoryWriter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HistoryWriter").field("position", &self.position()).finish_non_exhaustive()
    }
}
