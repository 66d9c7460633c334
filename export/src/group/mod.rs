//! Exports: every group of a database at one moment, as files with a manifest.
//!
//! ```text
//! database ─► cut: a second one that stands still ─► group by group: chunks of entities ─► columns ─► GROUP/part-00000.arrow
//!                                                                          manifest.json, last ─► the directory gets its name
//! ```
//!
//! `table` is what a file of a group looks like, `parts` writes them, `manifest` says what there is. No lock of the database that
//! serves is taken while anything is written. `docs/formats/export.md` describes the files.

mod manifest;
mod parts;
mod table;

use std::path::Path;

use engine::{Database, OsFs, SyncPolicy, Vfs};

use crate::Error;
use crate::file::{FileFormat, UnfinishedFolder};
use parts::Parts;
use table::GroupTable;
pub(crate) use table::{
    feature_field, key_fields, status as status_field, window_features as window_fields,
    with as with_metadata,
};

/// Name of the file that says what the others are; it is written last.
pub const MANIFEST: &str = "manifest.json";
/// Most rows of one file.
pub const PART_ROWS_MAX: u64 = 1_000_000;

/// What is to be exported, and how.
#[derive(Debug, Clone)]
pub struct Options {
    /// [`FileFormat::Arrow`] or [`FileFormat::Parquet`].
    pub format: FileFormat,
    /// Names of groups; `None`: all that there are when it begins.
    pub groups: Option<Vec<String>>,
    /// What it may hold was decided under the definitions of this version: under others it ends without files.
    pub definitions_version: Option<u64>,
    /// The time values are of, in ms; now when not given.
    pub as_of: Option<i64>,
    /// Also the sketches of distinct counts.
    pub partials: bool,
    /// Most rows of one file; at least 1.
    pub part_rows: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            format: FileFormat::Arrow,
            groups: None,
            definitions_version: None,
            as_of: None,
            partials: false,
            part_rows: PART_ROWS_MAX,
        }
    }
}

/// How far an export is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Progress {
    /// The group that is being written.
    pub group: String,
    /// Rows written, of all groups.
    pub rows: u64,
    /// Rows there are; rows of a group that is begun anew count twice.
    pub rows_total: u64,
    /// Files finished.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// Is told how far an export is, every some ten thousand rows; an error of it ends the export.
pub type Tell<'a> = &'a mut dyn FnMut(&Progress) -> Result<(), Error>;

/// A finished export.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exported {
    /// Every record of the log up to this one is in it, and none after it; `None` from a database without a log, which was read
    /// while it went on.
    pub lsn: Option<u64>,
    /// Version of the definitions.
    pub definitions_version: u64,
    /// Its files, the manifest aside.
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
    /// Its length in bytes.
    pub bytes: u64,
    /// CRC-64/NVME of its bytes.
    pub checksum: u64,
}

impl Exported {
    /// Rows of all files.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.files.iter().map(|file| file.rows).sum()
    }

    /// Bytes of all files, the manifest aside.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.files.iter().map(|file| file.bytes).sum()
    }
}

/// Exports `database`, while it is in use, to the directory `target`, which is there when this returns and not before. All of it is
/// as of one record of the log. Without a log (sync policy memory) the database is read as it goes on, some hundred entities
/// at a time: each entity is of one moment, and windows are all of one as-of.
///
/// # Errors
/// [`Error::File`] when `target` is there already, [`Error::Engine`] for groups that are not and an as-of that is too old,
/// [`Error::Usage`] for a format that is for people, [`Error::Io`]; see [`Options::definitions_version`].
pub fn export<V: Vfs>(
    database: &Database<V>,
    target: &Path,
    options: &Options,
    tell: Tell<'_>,
) -> Result<Exported, Error> {
    check(database, options)?;
    let folder = UnfinishedFolder::create(target)?;
    if database.wal().policy() == SyncPolicy::Memory {
        return write(database, None, folder, options, tell);
    }
    let cut = database.cut(&mut |_| {})?;
    let lsn = cut.wal().appended_lsn().0;
    write(&cut, Some(lsn), folder, options, tell)
}

/// Exports the database in the directory `data`, which no server has open, as it would be at `options.as_of` or else at
/// `wall_ms`. No byte of `data` is changed.
///
/// # Errors
/// As [`export`]; [`Error::Engine`] also when a server has it open, and when it is damaged.
pub fn export_directory(
    data: &Path,
    wall_ms: i64,
    target: &Path,
    options: &Options,
    tell: Tell<'_>,
) -> Result<Exported, Error> {
    let files = OsFs::read_only(data).map_err(engine::Error::from)?;
    let _lock = files.lock().map_err(engine::Error::from)?;
    engine::offline::must_hold_database(&files).map_err(engine::Error::from)?;
    let database = Database::open_cut(files, options.as_of.unwrap_or(wall_ms))?;
    check(&database, options)?;
    let lsn = database.wal().appended_lsn().0;
    write(&database, Some(lsn), UnfinishedFolder::create(target)?, options, tell)
}

/// What can be refused before anything is made.
fn check<V: Vfs>(database: &Database<V>, options: &Options) -> Result<(), Error> {
    if !matches!(options.format, FileFormat::Arrow | FileFormat::Parquet) {
        return Err(Error::Usage(format!(
            "an export is written as arrow or parquet, not as {}: `larder scan GROUP --format csv|json` prints a group",
            options.format
        )));
    }
    const MAX: i64 = model::limits::EVENT_TIME_ABS_MAX;
    if let Some(as_of) = options.as_of.filter(|as_of| !(-MAX..=MAX).contains(as_of)) {
        return Err(Error::Usage(format!("as-of {as_of}: a time is within ±{MAX} ms of 1970")));
    }
    let (_, definitions) = database.definitions();
    let groups: Vec<&str> = match &options.groups {
        Some(groups) => groups.iter().map(String::as_str).collect(),
        None => definitions.groups.iter().map(|group| group.name.as_str()).collect(),
    };
    for group in groups {
        let dump = database.dump(group, options.as_of, false)?;
        database.dump_more(&dump, (1, 1), &mut dump.start(1))?;
    }
    Ok(())
}

/// Refuses what was decided under other definitions.
fn check_version<V: Vfs>(database: &Database<V>, options: &Options) -> Result<(), Error> {
    let (current, _) = database.definitions();
    if options.definitions_version.is_none_or(|decided| decided == current) {
        return Ok(());
    }
    let why = "definitions changed since the export was asked for, and with them what it may hold";
    Err(engine::Error::Busy(why).into())
}

/// Writes all of `database`, which nobody else writes to when there is an `lsn`.
fn write<V: Vfs>(
    database: &Database<V>,
    lsn: Option<u64>,
    folder: UnfinishedFolder,
    options: &Options,
    tell: Tell<'_>,
) -> Result<Exported, Error> {
    let (definitions_version, definitions) = database.definitions();
    let is_asked =
        |name: &str| options.groups.as_ref().is_none_or(|groups| groups.iter().any(|g| g == name));
    let memory = database.group_memory();
    let asked = || definitions.groups.iter().enumerate().filter(|(_, g)| is_asked(g.name.as_str()));
    let rows_total = asked().filter_map(|(index, _)| memory.get(index)).map(|m| m.entities).sum();
    let mut progress = Progress { rows_total, ..Progress::default() };
    let (mut files, mut tables) = (Vec::new(), Vec::new());
    for (_, group) in asked() {
        progress.group = group.name.to_string();
        let dump = database.dump(group.name.as_str(), options.as_of, options.partials)?;
        // Of every dump: without a log, definitions may change meanwhile.
        check_version(database, options)?;
        let mut table = GroupTable::new(&definitions, group, dump, (definitions_version, lsn))?;
        let parts = Parts { database, folder: &folder, options };
        let written = parts.write(&mut table, &mut progress, tell)?;
        tables.push((table, written.clone()));
        files.extend(written);
    }
    let text = manifest::text(database.definitions_text(), lsn, options.format, &tables);
    folder.finish(MANIFEST, &text)?;
    Ok(Exported { lsn, definitions_version, files })
}
