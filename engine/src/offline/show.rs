//! `larder inspect`: everything in a directory, in the order of its bytes, as the format documents draw it.

use storage::{
    Lsn, Manifest, Vfs,
    inspect::{self, SegmentFound},
    snapshot::{Snapshot, SnapshotRef},
    wal::{BatchInfo, Piece, SegmentHeader},
};

use super::{
    record::{RecordInfo, RecordReader},
    section::{self, SectionInfo},
};
use crate::Error;

/// One thing in a directory.
#[derive(Debug)]
pub enum Item<'a> {
    /// The manifest.
    Manifest(&'a Manifest),
    /// The snapshot that counts; its sections follow.
    Snapshot(&'a SnapshotRef),
    /// A section of it, or why it cannot be decoded.
    Section(Result<SectionInfo, Error>),
    /// A segment's header; its batches follow.
    Segment(&'a str, SegmentHeader),
    /// A batch or a seal; its records follow.
    Batch(BatchInfo),
    /// A record, or why it cannot be decoded.
    Record {
        /// Its number.
        lsn: Lsn,
        /// Bytes of its payload.
        bytes: usize,
        /// What it says.
        info: Result<RecordInfo, Error>,
    },
    /// Bytes of the segment that are no valid batch.
    Gap {
        /// Where they begin, in bytes.
        offset: u64,
        /// How many.
        bytes: u64,
    },
    /// A segment is over: how it was found.
    SegmentEnd(&'a SegmentFound),
    /// What is wrong with a file or with the directory as a whole.
    Problem(&'a Error),
}

/// Shows everything in the directory of `vfs`, which nobody may have open, to `visit`. Nothing is changed. Of segments, the
/// judgements come at the end.
///
/// # Errors
/// [`StorageError::Locked`](crate::StorageError::Locked); [`StorageError::NoDatabase`](crate::StorageError::NoDatabase);
/// [`StorageError::Io`](crate::StorageError::Io) when files cannot be read.
pub fn inspect<V: Vfs>(vfs: &V, visit: &mut dyn FnMut(Item<'_>)) -> Result<(), Error> {
    let _lock = vfs.lock()?;
    inspect::must_hold_database(vfs)?;
    let mut reader = RecordReader::default();
    let manifest = inspect::manifest(vfs)?;
    if let Some(manifest) = &manifest {
        visit(Item::Manifest(manifest));
        if let Some(reference) = &manifest.snapshot {
            visit(Item::Snapshot(reference));
            match Snapshot::open(vfs, reference, manifest.cluster) {
                Ok(snapshot) => {
                    let mut show = |_, section| visit(Item::Section(section));
                    section::each(&snapshot, &mut reader, None, &mut show);
                }
                Err(error) => visit(Item::Problem(&error.into())),
            }
        }
    }
    let found = inspect::walk(vfs, &mut |segment, piece| match piece {
        Piece::Header(header) => visit(Item::Segment(segment, header)),
        Piece::Batch(batch) => visit(Item::Batch(batch)),
        Piece::Record { lsn, kind, payload } => {
            let info = reader.read(kind, payload);
            visit(Item::Record { lsn, bytes: payload.len(), info });
        }
        Piece::Gap { offset, bytes } => visit(Item::Gap { offset, bytes }),
    })?;
    found.segments.iter().for_each(|segment| visit(Item::SegmentEnd(segment)));
    found.problems.into_iter().for_each(|error| visit(Item::Problem(&error.into())));
    Ok(())
}
