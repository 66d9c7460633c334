//! A directory in use as it is at one moment, for a second database beside the one that goes on: no byte of the snapshot is copied,
//! and the log behind it, as far as it is synced, stands in memory.

use crate::{
    Error, ListedSegment, Manifest, SegmentFile, Vfs, Wal,
    dir::{self, MANIFEST},
    fs::{OverlayFs, VFile},
};

impl<V: Vfs> Wal<V> {
    /// What counts of the directory now. Nobody may install a snapshot meanwhile; afterwards anything may happen to the directory:
    /// it does not show. So much memory is taken as the segments that count have bytes.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn view(&self) -> Result<OverlayFs<V>, Error> {
        let directory = self.directory();
        // The manifest first: what it calls durable is in the segments then.
        let (manifest, mut segments) = (directory.manifest(), self.segments());
        // What is kept for somebody who reads the log, and needed by no start, does not have to be in memory.
        let needed = segments.partition_point(|segment| segment.first_lsn <= manifest.replay_from);
        segments.drain(..needed.saturating_sub(1));
        let listed = |segment: &SegmentFile| ListedSegment {
            first_lsn: segment.first_lsn.0,
            bytes_min: segment.bytes,
        };
        let listed = Manifest { segments: segments.iter().map(listed).collect(), ..manifest };
        let mut own = vec![(MANIFEST.to_owned(), listed.encode())];
        for segment in segments {
            let bytes = directory.vfs().open(&segment.name)?.map()?;
            let synced = usize::try_from(segment.bytes).unwrap_or(usize::MAX).min(bytes.len());
            own.push((segment.name, bytes.slice(..synced).to_vec()));
        }
        let snapshot = listed.snapshot.map(|snapshot| dir::snapshot(snapshot.number));
        OverlayFs::of(directory.vfs().clone(), snapshot.as_slice(), own)
    }
}
