//! A copy of a directory in use: the snapshot, the log behind it as far as it is synced, and a manifest of the two.

use crate::{
    Error, ListedSegment, Manifest, SegmentFile, Vfs, Wal,
    copy::{GoOn, copy_file, must_be_empty, must_leave_room, whole_or_nothing},
    dir::{self, MANIFEST},
    fs::VFile,
};

impl<V: Vfs> Wal<V> {
    /// Copies what counts of the directory into `target`, an empty one: files and bytes. Nobody may install a snapshot meanwhile;
    /// the log may go on, for which `kept_free` bytes of the target's disk are left. `go_on` is told of every piece before it is
    /// copied, with its bytes, a MiB at most; an error of it ends the copy.
    ///
    /// # Errors
    /// [`Error::NotEmpty`]; [`Error::Full`] as soon as the rest of the copy would take what is to be kept free; those of the files,
    /// and those of `go_on`. What was copied so far is removed.
    pub fn copy_to(
        &self,
        target: &V,
        kept_free: u64,
        go_on: &mut dyn FnMut(u64) -> Result<(), Error>,
    ) -> Result<(u64, u64), Error> {
        must_be_empty(target)?;
        whole_or_nothing(target, self.copy_all(target, kept_free, go_on))
    }

    fn copy_all(
        &self,
        target: &V,
        kept_free: u64,
        go_on: &mut GoOn<'_>,
    ) -> Result<(u64, u64), Error> {
        let directory = self.directory();
        // The manifest first: what it calls durable is in the segments then. Those that come after this need not be copied.
        let (manifest, segments) = (directory.manifest(), self.segments());
        let mut files: Vec<(String, u64)> = Vec::with_capacity(1 + segments.len());
        files.extend(manifest.snapshot.map(|it| (dir::snapshot(it.number), it.bytes)));
        files.extend(segments.iter().map(|segment| (segment.name.clone(), segment.bytes)));
        let bytes: u64 = files.iter().map(|(_, bytes)| bytes).sum();
        let mut left = bytes;
        must_leave_room(target, left, kept_free)?;
        for (name, length) in &files {
            let behind = left - length;
            copy_file((directory.vfs(), target), name, *length, &mut |piece| {
                // Others write to the disk as well: the log, and whatever else lies there.
                must_leave_room(target, left, kept_free)?;
                left = left.saturating_sub(piece).max(behind);
                go_on(piece)
            })?;
            left = behind;
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
        Ok((files.len() as u64 + 1, bytes + manifest.len() as u64))
    }
}
