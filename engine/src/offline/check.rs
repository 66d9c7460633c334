//! `larder check`: reads every byte of a directory, decodes every record and section, and tries the start of a server.

mod log;

use std::sync::Arc;

use stdx::{clock::Clock, hash::KeyHasher};
use storage::{
    Lsn, Manifest, TornTail, Vfs,
    inspect::{self, FileFound},
    snapshot::{Snapshot, SnapshotRef},
};

use super::{
    problem::{self, Problem},
    record::RecordReader,
    section, trial,
};
use crate::{Error, StorageError};

/// What a check covered and found.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// Every file of the directory, by name.
    pub files: Vec<FileFound>,
    /// The manifest's number; `None` without a manifest.
    pub manifest: Option<u64>,
    /// The snapshot, as far as it can be read.
    pub snapshot: Option<CheckedSnapshot>,
    /// Segments of the log.
    pub segments: u64,
    /// Valid batches in them, seals not counted.
    pub batches: u64,
    /// Valid seals.
    pub seals: u64,
    /// Records, all decoded.
    pub records: u64,
    /// First and last of them.
    pub range: Option<(Lsn, Lsn)>,
    /// An unfinished write at the end of the log: normal after a crash, the next start cuts it off.
    pub torn_tail: Option<TornTail>,
    /// Entities of each group after the start that was tried, every one of them read; empty when it failed.
    pub groups: Vec<(String, u64)>,
    /// The start succeeded.
    pub starts: bool,
    /// There is no database in the directory, nor what looks like a part of one: that is the only problem then.
    pub is_empty: bool,
    /// Everything that is wrong.
    pub problems: Vec<Problem>,
}

/// A snapshot whose every block was verified.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CheckedSnapshot {
    /// Its number.
    pub number: u64,
    /// Length of its file.
    pub bytes: u64,
    /// Blocks of 64 KiB.
    pub blocks: u64,
    /// Sections, all decoded.
    pub sections: u64,
    /// Entities in them, each looked up by its key.
    pub entities: u64,
    /// Every record up to this one is in it.
    pub lsn: Lsn,
}

impl Report {
    /// Nothing is wrong.
    #[must_use]
    pub fn is_ok(&self) -> bool {
        self.problems.is_empty()
    }

    /// Bytes of the files that were verified.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        let verified = self.files.iter().filter(|file| file.counts);
        verified.map(|file| file.bytes).sum()
    }
}

/// Checks the directory of `vfs`, which nobody may have open. Nothing is changed.
///
/// # Errors
/// [`StorageError::Locked`]; [`StorageError::Io`] when files cannot be read at all. Damage is no error but in the report.
pub fn check<V: Vfs>(vfs: &V, clock: Arc<dyn Clock>) -> Result<Report, Error> {
    let _lock = vfs.lock()?;
    let mut report = Report::default();
    // The snapshot first: its definitions give names to the log's records.
    let mut reader = RecordReader::default();
    let manifest = inspect::manifest(vfs)?;
    if let Some(manifest) = &manifest {
        report.manifest = Some(manifest.number);
        if let Some(reference) = &manifest.snapshot {
            report.snapshot(vfs, manifest, reference, &mut reader);
        }
    }
    let found = log::walk(vfs, &mut reader, &mut report)?;
    report.files = found.files;
    if let Err(error @ StorageError::NoDatabase { .. }) = inspect::must_hold_database(vfs) {
        report.problems.push(Problem::from_storage(&error, &vfs.path("")));
        report.is_empty = true;
        return Ok(report);
    }
    report.trial(vfs, clock);
    report.problems.dedup();
    Ok(report)
}

impl Report {
    /// Verifies and decodes a snapshot.
    fn snapshot<V: Vfs>(
        &mut self,
        vfs: &V,
        manifest: &Manifest,
        reference: &SnapshotRef,
        reader: &mut RecordReader,
    ) {
        let reaches_back = manifest.segments.first().is_some_and(|first| first.first_lsn == 1);
        let remedy = if reaches_back { problem::DROP } else { problem::RESTORE };
        let name = reference.file_name();
        let file = vfs.path(&name);
        if vfs.list().is_ok_and(|names| !names.contains(&name)) {
            // Told as missing already.
            return;
        }
        let mut problems = Vec::new();
        let mut tell = |error: &Error| {
            let told =
                Problem { remedy: remedy.to_owned(), ..Problem::from_engine(error, &file, remedy) };
            if !problems.contains(&told) {
                problems.push(told);
            }
        };
        match Snapshot::open(vfs, reference, manifest.cluster) {
            Err(error) => tell(&error.into()),
            Ok(snapshot) => {
                verify_blocks(&snapshot, &mut tell);
                let hasher = KeyHasher::new(manifest.key_seed);
                let contents =
                    section::each(&snapshot, reader, Some(&hasher), &mut |_, section| {
                        if let Err(error) = section {
                            tell(&error);
                        }
                    });
                self.snapshot = Some(CheckedSnapshot {
                    number: reference.number,
                    bytes: reference.bytes,
                    blocks: snapshot.verified().1 as u64,
                    sections: snapshot.sections().len() as u64,
                    entities: contents.entities,
                    lsn: Lsn(contents.clocks.everything),
                });
            }
        }
        self.problems.append(&mut problems);
    }

    /// Tries the start of a server. Why it fails is news only when nothing else was found.
    fn trial<V: Vfs>(&mut self, vfs: &V, clock: Arc<dyn Clock>) {
        match trial::start(vfs, clock) {
            Ok(started) => {
                (self.starts, self.groups) = (started.unreadable.is_empty(), started.groups);
                if self.is_ok() {
                    self.problems.extend(started.unreadable.iter().map(|(group, error)| {
                        let what = format!("entities of group {group} cannot be read: {error}");
                        Problem::of(&vfs.path(""), what, problem::RESTORE)
                    }));
                }
            }
            Err(error) if self.is_ok() => {
                let what = format!("a server does not start on it: {error}");
                let mut told = Problem::from_engine(&error, &vfs.path(""), problem::RESTORE);
                if told.offset.is_none() && told.records.is_none() {
                    told.what = what;
                }
                self.problems.push(told);
            }
            Err(_) => {}
        }
    }
}

/// Verifies every block of a snapshot, behind damage too.
fn verify_blocks(snapshot: &Snapshot, tell: &mut dyn FnMut(&Error)) {
    const BLOCKS: usize = 256;
    loop {
        match snapshot.verify(BLOCKS) {
            Ok(progress) if progress.done >= progress.total => return,
            Ok(_) => {}
            Err(error @ StorageError::Damaged { .. }) => tell(&error.into()),
            Err(error) => return tell(&error.into()),
        }
    }
}
