//! A copy of a directory in use: the snapshot, the log behind it as far as it is synced, and a manifest of the two.

use crate::{
    Error, ListedSegment, Manifest, SegmentFile, Vfs, Wal,
    copy::{GoOn, copy_file, must_be_empty, whole_or_nothing},
    dir::{self, MANIFEST},
    fs::VFile,
};

impl<V: Vfs> Wal<V> {
    /// Copies what counts of the directory into `target`, an empty one: files and bytes. Nobody may install a snapshot meanwhile;
    /// the log may go on. `go_on` is told of every piece before it is copied, with its bytes, a MiB at most; an error of it ends the
    /// copy.
    ///
    /// # Errors
    /// [`Error::NotEmpty`], those of the files, and those of `go_on`. What was copied so far is removed.
    pub fn copy_to(
        &self,
        target: &V,
        go_on: &mut dyn FnMut(u64) -> Result<(), Error>,
    ) -> Result<(u64, u64), Error> {
        must_be_empty(target)?;
        whole_or_nothing(target, self.copy_all(target, go_on))
    }

    fn copy_all(&self, target: &V, go_on: &mut GoOn<'_>) -> Result<(u64, u64), Error> {
        let directory = self.directory();
        // The manifest first: what it calls durable is in the segments then. Those that come after this need not be copied.
        let (manifest, segments) = (directory.manifest(), self.segments());
        let mut bytes = 0;
        let mut copy = |name: &str, length: u64| -> Result<(), Error> {
            bytes += length;
            copy_file((directory.vfs(), target), name, length, go_on)
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
