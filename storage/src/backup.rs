//! A copy of a directory in use: the snapshot, the log behind it as far as it is synced, and a manifest of the two.

use crate::{
    Error, ListedSegment, Manifest, SegmentFile, Vfs, Wal,
    dir::{self, MANIFEST},
    fs::VFile,
};

/// Bytes copied in one piece.
const PIECE_BYTES: usize = 1 << 20;

impl<V: Vfs> Wal<V> {
    /// Copies what counts of the directory into `target`, an empty one: files and bytes. Nobody may install a snapshot meanwhile;
    /// the log may go on.
    ///
    /// # Errors
    /// [`Error::NotEmpty`], and those of the files. What was copied so far is left behind.
    pub fn copy_to(&self, target: &V) -> Result<(u64, u64), Error> {
        if let Some(name) = target.list()?.first() {
            return Err(Error::NotEmpty { file: target.path(name) });
        }
        let directory = self.directory();
        // The manifest first: what it calls durable is in the segments then. Those that come after this need not be copied.
        let (manifest, segments) = (directory.manifest(), self.segments());
        let mut bytes = 0;
        let mut copy = |name: &str, length: u64| -> Result<(), Error> {
            bytes += length;
            copy_file(directory.vfs(), target, name, length)
        };
        if let Some(snapshot) = &manifest.snapshot {
            copy(&dir::snapshot(snapshot.number), snapshot.bytes)?;
        }
        for segment in &segments {
            copy(&segment.name, segment.bytes)?;
        }
        target.sync_dir()?;
        // Last, as always: a copy that was not finished does not look like one that was.
        let listed = |segment: &SegmentFile| ListedSegment {
            first_lsn: segment.first_lsn.0,
            bytes_min: segment.bytes,
        };
        let manifest = Manifest { segments: segments.iter().map(listed).collect(), ..manifest };
        let manifest = manifest.encode();
        let file = target.create_new(MANIFEST, 0)?;
        file.write_at(0, &manifest)?;
        file.sync_data()?;
        target.sync_dir()?;
        let files = segments.len() as u64 + u64::from(directory.snapshot().is_some()) + 1;
        Ok((files, bytes + manifest.len() as u64))
    }
}

/// Copies the first `length` bytes of a file, synced.
fn copy_file<V: Vfs>(from: &V, to: &V, name: &str, length: u64) -> Result<(), Error> {
    let source = from.open(name)?.map()?;
    let length = usize::try_from(length).unwrap_or(usize::MAX).min(source.len());
    let target = to.create_new(name, 0)?;
    let mut at = 0;
    for piece in source.get(..length).unwrap_or_default().chunks(PIECE_BYTES) {
        target.write_at(at, piece)?;
        at += piece.len() as u64;
    }
    target.sync_data()
}
