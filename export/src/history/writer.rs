//! The writing end: changes into open files, which are closed together, so that one position in the log says what all of them hold.
//!
//! ```text
//! changes ─► open files ─► closed: synced, named ─► manifest, synced, named ─► old files go
//! ```
//!
//! `retain` says which files are old, `merge` makes one of many small ones.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use engine::Lsn;
use engine::changes::{Change, ChangeSource, DefinitionsVersion};
use model::definition::Definitions;

use super::file::OpenFile;
use super::manifest::{HistoryGap, HistoryManifest, HistorySpan};
use super::merge::Merges;
use super::source::{HistorySource, sources};
use super::table::Layout;
use super::{HistoryLimits, MANIFEST, REFUSED, disk};
use crate::Error;

/// The directories of a history's own files.
const FOLDERS: [&str; 2] = ["streams", "groups"];

/// See the module. There is one at a time for a data directory: whoever holds its lock.
pub struct HistoryWriter {
    pub(super) root: PathBuf,
    pub(super) limits: HistoryLimits,
    pub(super) manifest: HistoryManifest,
    pub(super) definitions: Arc<Definitions>,
    tables: BTreeMap<ChangeSource, OpenFile>,
    /// All records up to this one were gone through.
    passed: Lsn,
    /// Bytes of log since files were closed.
    log_bytes: u64,
    /// Since when something is not in the manifest.
    since_ns: Option<u64>,
    /// A manifest is on the disk.
    has_manifest: bool,
    /// The manifest has to be written soon: a history began or ended.
    is_urgent: bool,
    /// How often the manifest was written.
    generation: u64,
    pub(super) merges: Merges,
}

impl HistoryWriter {
    /// Opens the history in the directory `root` of the database called `cluster`, whose log ends with record `log_end`, or begins
    /// one. What the manifest does not list is removed.
    ///
    /// # Errors
    /// [`Error::File`] when the manifest is damaged, or of another database, or goes beyond the log or did so once, and then nothing
    /// is removed; or when there are files and no manifest; [`Error::Io`].
    pub fn open(
        root: &Path,
        (cluster, log_end): (u128, Lsn),
        limits: HistoryLimits,
    ) -> Result<Self, Error> {
        let text = disk::read_text(&root.join(MANIFEST))?;
        let manifest = text.map(|text| HistoryManifest::parse(root, &text)).transpose()?;
        let has_manifest = manifest.is_some();
        if !has_manifest {
            must_be_without_files(root)?;
        }
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
            has_manifest,
            is_urgent: false,
            generation: 0,
            merges: Merges::default(),
        };
        writer.remove_unlisted()?;
        Ok(writer)
    }

    /// What the files on the disk hold.
    #[must_use]
    pub fn manifest(&self) -> &HistoryManifest {
        &self.manifest
    }

    /// A number that grows whenever the files on the disk are others.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.generation
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
        table.take(change)?;
        table.write_full()
    }

    fn begin(&self, change: &Change<'_>) -> Result<OpenFile, Error> {
        let source = HistorySource::named(change.source, &self.definitions);
        let source =
            source.ok_or_else(|| Error::Usage(format!("no definition has {:?}", change.source)))?;
        let layout = Layout::of(&source, (&self.definitions, self.version()), None)?;
        let folder = source.folder();
        disk::make_folder(&self.root, &folder)?;
        let path = format!("{folder}/{:020}.arrow", change.lsn.0);
        OpenFile::create(&self.root, path, source, layout)
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
        let rows = tables().map(OpenFile::rows).sum::<u64>();
        let bytes = tables().map(OpenFile::bytes);
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
        if !self.has_manifest && !self.tables.is_empty() {
            // One that lists nothing, before the first file: so files without any are those of a manifest that was lost.
            let empty = HistoryManifest::new(self.manifest.cluster);
            disk::replace(&self.root.join(MANIFEST), &empty.text())?;
            self.has_manifest = true;
        }
        while let Some((_, table)) = self.tables.pop_first() {
            let (source, file) = table.finish()?;
            self.manifest.sources.entry(source).or_default().files.push(file);
        }
        self.manifest.position = self.passed;
        let dropped = self.retire(wall_ms);
        disk::make_folder(&self.root, "")?;
        self.write_manifest()?;
        (self.log_bytes, self.since_ns, self.is_urgent) = (0, None, false);
        self.merges.files_changed();
        self.remove(&dropped)?;
        Ok(self.position())
    }

    /// Has what the manifest says in memory count.
    pub(super) fn write_manifest(&mut self) -> Result<(), Error> {
        disk::replace(&self.root.join(MANIFEST), &self.manifest.text())?;
        (self.has_manifest, self.generation) = (true, self.generation + 1);
        Ok(())
    }

    /// Removes files that the manifest does not list any more.
    pub(super) fn remove(&self, paths: &[String]) -> Result<(), Error> {
        paths.iter().try_for_each(|path| disk::remove(&self.root.join(path)))
    }

    /// Removes what an interruption left.
    fn remove_unlisted(&self) -> Result<(), Error> {
        let listed: std::collections::BTreeSet<_> = self
            .manifest
            .sources
            .values()
            .flat_map(|history| history.files.iter().map(|file| file.path.as_str()))
            .collect();
        disk::remove_unfinished(&self.root)?;
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

/// Refuses files of a history in `root` that has lost its manifest: a manifest is there before the first of them, and without it they
/// would be taken for what a crash left.
pub(super) fn must_be_without_files(root: &Path) -> Result<(), Error> {
    for folder in FOLDERS {
        let files = disk::files_below(root, folder)?;
        let is_whole = |path: &&String| Path::new(path).extension().is_some_and(|it| it == "arrow");
        if let Some(file) = files.iter().find(is_whole) {
            let what = format!(
                "it is missing, but there are files of a history, such as {file}: put it back, or the history of a backup as a whole, \
                 files and manifest; or move the directory away, and history begins anew"
            );
            return Err(Error::file(&root.join(MANIFEST), what));
        }
    }
    Ok(())
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

impl std::fmt::Debug for HistoryWriter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HistoryWriter").field("position", &self.position()).finish_non_exhaustive()
    }
}
