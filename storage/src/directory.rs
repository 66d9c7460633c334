//! A data directory that this process has for itself: its manifest, read at the start and replaced whenever a file comes to
//! count or ceases to.
//!
//! ```text
//! a segment:   written to wal-next, synced ─► MANIFEST.next lists it, synced ─► named ─► directory synced
//!                                          ─► MANIFEST.next becomes MANIFEST ─► directory synced ─► first batch
//! a snapshot:  written, synced, named, directory synced ─► MANIFEST with it, without the segments it makes needless
//!                                          ─► directory synced ─► only then those files are removed
//! ```
//!
//! So whichever manifest a crash leaves, all that it lists is there. What needs space comes before what cannot be taken back:
//! a full disk refuses without having changed anything.

use std::sync::Arc;

use stdx::{
    mutant::{Mutant, is_planted},
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering},
    },
};

use crate::{
    Error, Lsn, Vfs,
    dir::{self, MANIFEST, NEXT_MANIFEST, NEXT_SEGMENT, UNFINISHED},
    examine::{Examined, examine},
    fs::VFile,
    manifest::{ListedSegment, Manifest},
    snapshot::SnapshotRef,
};

/// Files that a new snapshot made needless.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Removed {
    /// Segments of the log.
    pub segments: u64,
    /// Snapshots.
    pub snapshots: u64,
}

/// The log's segments as the directory has them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Listing {
    /// Those that count, first to last.
    pub(crate) segments: Vec<ListedSegment>,
    /// One that had its name already when the power went, but was not listed yet: it must be empty.
    pub(crate) unlisted: Option<u64>,
}

#[derive(Debug)]
struct State {
    manifest: Manifest,
    /// The file MANIFEST says what `manifest` says.
    written: bool,
    unlisted: Option<u64>,
    /// There may be a file MANIFEST.next.
    next_is_there: bool,
    /// Highest number any snapshot of this directory had: none is given twice.
    newest_snapshot: u64,
}

/// See the module. Share it by [`Arc`]; every method takes `&self`.
pub struct Directory<V: Vfs> {
    vfs: V,
    state: Mutex<State>,
    /// Newest record known to be on the disk.
    durable: AtomicU64,
    /// Segments with this record or a later one stay, whatever a snapshot holds.
    kept_from: AtomicU64,
    _lock: V::Lock,
}

impl<V: Vfs> Directory<V> {
    /// Takes the directory of `vfs` and reads its manifest. A directory of the format before has none: it is inferred from the
    /// segments. A new one gets its name and the seed of its keys from `seed`. Nothing but LOCK is changed.
    ///
    /// # Errors
    /// [`Error::Locked`]; [`Error::Missing`], [`Error::Unlisted`], [`Error::Stray`], [`Error::Damaged`] and
    /// [`Error::UnsupportedFormat`] name the file that is not as it should be.
    pub fn open(vfs: V, seed: u64) -> Result<Arc<Self>, Error> {
        let lock = vfs.lock()?;
        let names = vfs.list()?;
        let Examined { manifest, written, unlisted } = examine(&vfs, &names, seed)?;
        let newest_snapshot = names.iter().filter_map(|name| dir::snapshot_number(name)).max();
        let listed = manifest.snapshot.map_or(0, |snapshot| snapshot.number);
        let state = State {
            manifest,
            written,
            unlisted,
            next_is_there: names.iter().any(|name| name == NEXT_MANIFEST),
            newest_snapshot: newest_snapshot.unwrap_or(0).max(listed),
        };
        let durable = AtomicU64::new(state.manifest.durable.0);
        let kept_from = AtomicU64::new(u64::MAX);
        Ok(Arc::new(Self { vfs, state: Mutex::new(state), durable, kept_from, _lock: lock }))
    }

    /// The files.
    pub fn vfs(&self) -> &V {
        &self.vfs
    }

    /// True when there is no MANIFEST and what counts was inferred from the segments: a directory of the format before, or one that
    /// has lost its manifest.
    pub fn is_inferred(&self) -> bool {
        let state = self.state.lock();
        !state.written && !state.manifest.segments.is_empty()
    }

    /// Names the database: every file of it says the same.
    pub fn cluster(&self) -> u128 {
        self.state.lock().manifest.cluster
    }

    /// Seed of the hash that places keys, the same for the life of the directory.
    pub fn key_seed(&self) -> u64 {
        self.state.lock().manifest.key_seed
    }

    /// The snapshot that counts.
    pub fn snapshot(&self) -> Option<SnapshotRef> {
        self.state.lock().manifest.snapshot
    }

    /// First record that the snapshot does not hold for every shard; 1 without one.
    pub fn replay_from(&self) -> Lsn {
        self.state.lock().manifest.replay_from
    }

    /// A number for the next snapshot that no other had: not even one that failed to count.
    pub fn next_snapshot_number(&self) -> u64 {
        self.state.lock().newest_snapshot + 1
    }

    /// Has segments that hold `lsn` or a later record stay when snapshots make them needless, from the next one on: somebody has
    /// not read them yet. Nobody does who has never called this, or with a number above all.
    pub fn keep_from(&self, lsn: Lsn) {
        self.kept_from.store(lsn.0, Ordering::Release);
    }

    /// See [`Directory::keep_from`].
    pub fn kept_from(&self) -> Lsn {
        Lsn(self.kept_from.load(Ordering::Acquire))
    }

    /// The manifest as it is now.
    pub fn manifest(&self) -> Manifest {
        self.state.lock().manifest.clone()
    }

    /// Has `snapshot`, whose file is whole and synced under its name, count from here on: a start reads it and replays what
    /// comes from `replay_from` on. Then removes the segments that are wholly below that, and other snapshots.
    ///
    /// # Errors
    /// [`Error::Full`], [`Error::Io`]: nothing was removed. Which of the two manifests the disk has may be unknown then; both
    /// can be opened, and the next call settles it. [`Error::NoLog`] when there is no log to go on with.
    pub fn install(&self, snapshot: SnapshotRef, replay_from: Lsn) -> Result<Removed, Error> {
        let mut state = self.state.lock();
        state.newest_snapshot = state.newest_snapshot.max(snapshot.number);
        let mut manifest = self.next(&state);
        (manifest.snapshot, manifest.replay_from) = (Some(snapshot), replay_from);
        self.drop_needless(&mut manifest)?;
        if is_planted(Mutant::LogDeletedEarly) {
            self.remove_needless(&manifest)?;
        }
        self.prepare(&mut state, &manifest)?;
        self.commit(&mut state, manifest)?;
        let manifest = state.manifest.clone();
        // A rotation does not wait for removals.
        drop(state);
        // What cannot be removed now does not count any more: the next call or start tries again.
        let removed = self.remove_needless(&manifest).unwrap_or_default();
        Ok(removed)
    }

    /// Removes segments that the last snapshot made needless, once nobody has them kept any more.
    ///
    /// # Errors
    /// As [`Directory::install`].
    pub fn remove_unkept(&self) -> Result<Removed, Error> {
        let mut state = self.state.lock();
        let mut manifest = self.next(&state);
        if self.drop_needless(&mut manifest)? == 0 {
            return Ok(Removed::default());
        }
        self.prepare(&mut state, &manifest)?;
        self.commit(&mut state, manifest)?;
        let manifest = state.manifest.clone();
        drop(state);
        Ok(self.remove_needless(&manifest).unwrap_or_default())
    }

    /// Takes the segments out of `manifest` that nobody needs any more; how many.
    fn drop_needless(&self, manifest: &mut Manifest) -> Result<usize, Error> {
        let open = manifest.segments.last().copied().ok_or(Error::NoLog)?;
        // A segment ends where the next one begins.
        let ends = manifest.segments.iter().skip(1).map(|next| next.first_lsn);
        let needed_from = manifest.replay_from.min(self.kept_from());
        let needless = ends.take_while(|end| *end <= needed_from.0).count();
        manifest.segments.drain(..needless);
        assert!(manifest.segments.last() == Some(&open), "the open segment always stays");
        Ok(needless)
    }

    /// The log's segments.
    pub(crate) fn listing(&self) -> Listing {
        let state = self.state.lock();
        Listing { segments: state.manifest.segments.clone(), unlisted: state.unlisted }
    }

    /// First record of the oldest segment that counts.
    pub(crate) fn first_segment(&self) -> u64 {
        self.state.lock().manifest.segments.first().map_or(0, |segment| segment.first_lsn)
    }

    /// Gives `wal-next`, which is whole and synced, its name as `segment`, and lists it. No batch may be in it before.
    ///
    /// # Errors
    /// [`Error::Full`]: nothing was changed, and it can be tried again. [`Error::Io`]: nobody knows what is on the disk.
    pub(crate) fn add_segment(&self, segment: ListedSegment) -> Result<(), Error> {
        let mut state = self.state.lock();
        let mut manifest = self.next(&state);
        manifest.segments.push(segment);
        self.prepare(&mut state, &manifest)?;
        let named = self.vfs.rename(NEXT_SEGMENT, &dir::segment(segment.first_lsn));
        named.and_then(|()| self.sync_names()).map_err(broken_promise)?;
        self.commit(&mut state, manifest).map_err(broken_promise)
    }

    /// Removes what does not count, now that everything that does was found good. What an interrupted rotation left is empty.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub(crate) fn clean(&self) -> Result<(), Error> {
        let mut state = self.state.lock();
        let names = self.vfs.list()?;
        if names.iter().any(|name| is_needless(name, &state.manifest)) {
            // The sync of its name may have failed: the disk could have the manifest of before, which needs what this one does
            // not.
            self.sync_names()?;
        }
        for name in names {
            if UNFINISHED.contains(&name.as_str()) {
                self.vfs.remove(&name)?;
            }
        }
        state.next_is_there = false;
        self.remove_needless(&state.manifest)?;
        if let Some(unlisted) = state.unlisted.take() {
            self.vfs.remove(&dir::segment(unlisted))?;
        }
        Ok(())
    }

    /// Writes the manifest of a directory that has none yet although it has a log.
    ///
    /// # Errors
    /// [`Error::Full`], [`Error::Io`].
    pub(crate) fn write_inferred(&self) -> Result<(), Error> {
        let mut state = self.state.lock();
        if state.written || state.manifest.segments.is_empty() {
            return Ok(());
        }
        let manifest = self.next(&state);
        self.prepare(&mut state, &manifest)?;
        self.commit(&mut state, manifest)
    }

    /// The log is on the disk up to `lsn`. The next manifest says so.
    pub(crate) fn note_durable(&self, lsn: u64) {
        self.durable.fetch_max(lsn, Ordering::AcqRel);
    }

    /// Newest record that the manifest says was on the disk: a log that ends before it has lost some.
    pub(crate) fn listed_durable(&self) -> u64 {
        self.state.lock().manifest.durable.0
    }

    /// Has the manifest say how far the log is on the disk, at a clean end: then damage to its end is told from an earlier end.
    ///
    /// # Errors
    /// [`Error::Full`], [`Error::Io`]: the manifest of before counts, or this one, and both are right.
    pub(crate) fn write_durable(&self) -> Result<(), Error> {
        let mut state = self.state.lock();
        let manifest = self.next(&state);
        if !state.written || manifest.durable == state.manifest.durable {
            return Ok(());
        }
        self.prepare(&mut state, &manifest)?;
        self.commit(&mut state, manifest)
    }

    /// What comes after the manifest of now.
    fn next(&self, state: &State) -> Manifest {
        let mut manifest = state.manifest.clone();
        manifest.number += 1;
        manifest.durable = Lsn(self.durable.load(Ordering::Acquire));
        manifest
    }

    /// Makes new names, renames and removals survive a power cut.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub(crate) fn sync_names(&self) -> Result<(), Error> {
        if is_planted(Mutant::NoDirectorySync) {
            return Ok(());
        }
        self.vfs.sync_dir()
    }

    /// Writes `manifest` beside the one that counts: all that a replacement needs space for.
    fn prepare(&self, state: &mut State, manifest: &Manifest) -> Result<(), Error> {
        if state.next_is_there {
            self.vfs.remove(NEXT_MANIFEST)?;
            state.next_is_there = false;
        }
        // Even if it comes to nothing: no two manifests have one number.
        state.manifest.number = manifest.number;
        let written = write_next(&self.vfs, manifest);
        state.next_is_there = match &written {
            Ok(()) => true,
            Err(_) => self.vfs.list()?.iter().any(|name| name == NEXT_MANIFEST),
        };
        written
    }

    /// Has what was prepared count. When this fails, the manifest of before goes on: all that either lists is there.
    fn commit(&self, state: &mut State, manifest: Manifest) -> Result<(), Error> {
        self.vfs.rename(NEXT_MANIFEST, MANIFEST)?;
        state.next_is_there = false;
        self.sync_names()?;
        (state.manifest, state.written) = (manifest, true);
        Ok(())
    }

    /// Removes segments below the first one that `manifest` lists, and snapshots other than its own.
    fn remove_needless(&self, manifest: &Manifest) -> Result<Removed, Error> {
        let mut removed = Removed::default();
        for name in self.vfs.list()?.iter().filter(|name| is_needless(name, manifest)) {
            self.vfs.remove(name)?;
            let is_segment = dir::segment_first_lsn(name).is_some();
            let count = if is_segment { &mut removed.segments } else { &mut removed.snapshots };
            *count += 1;
        }
        if removed != Removed::default() {
            self.sync_names()?;
        }
        Ok(removed)
    }
}

/// A segment below the first one that `manifest` lists, or a snapshot that is not its own.
fn is_needless(name: &str, manifest: &Manifest) -> bool {
    let first = manifest.segments.first().map_or(0, |segment| segment.first_lsn);
    let snapshot = manifest.snapshot.map(|snapshot| snapshot.number);
    dir::segment_first_lsn(name).is_some_and(|lsn| lsn < first)
        || dir::snapshot_number(name).is_some_and(|number| Some(number) != snapshot)
}

/// Writes the manifest to come.
///
/// # Errors
/// [`Error::Full`], [`Error::Io`].
pub(crate) fn write_next<V: Vfs>(vfs: &V, manifest: &Manifest) -> Result<(), Error> {
    let bytes = manifest.encode();
    let file = vfs.create_new(NEXT_MANIFEST, bytes.len() as u64)?;
    file.write_at(0, &bytes)?;
    file.sync_data()
}

/// What needs space was written before: a full disk is then a broken promise of the file system, hence a failed write.
fn broken_promise(error: Error) -> Error {
    match error {
        Error::Full(file) => Error::broken("name", file, std::io::ErrorKind::StorageFull.into()),
        other => other,
    }
}

impl<V: Vfs> std::fmt::Debug for Directory<V> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Directory").field("state", &*self.state.lock()).finish_non_exhaustive()
    }
}
