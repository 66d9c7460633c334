//! A checkpoint: all of memory into a snapshot, while reads and writes go on.
//!
//! ```text
//! definitions ─► shard by shard: fence, then step by step ─► ids of streams ─► clocks ─► producers
//!     ─► the log is on the disk up to there ─► snapshot is finished ─► manifest names it ─► old segments go
//! ```
//!
//! No fork, no pause: one shard at a time is fenced, and a write that changes what is not written yet keeps an image of it first.
//! What each part holds goes up to a position of its own in the log; recovery skips the records that a part holds already. So
//! parts need not be of one moment. When definitions change meanwhile, the checkpoint begins anew.

mod backup;
mod due;
mod progress;
mod state;
mod tables;

pub use backup::BackedUp;
pub use due::{CheckpointReason, Verified};
pub(crate) use progress::Checkpoints;
pub use progress::{CheckpointPhase, CheckpointProgress, Checkpointed};
pub(crate) use state::{
    Clocks, SectionKind, decode_catalog, decode_clocks, decode_ids, decode_producers,
};

use std::sync::Arc;

use stdx::mutant::{Mutant, is_planted};
use storage::{
    Lsn, Vfs,
    snapshot::{SectionTag, Snapshot, SnapshotRef, SnapshotWriter},
};

use crate::{Database, Error, stream::STRIPES};

/// Definitions that change more often than this while checkpoints are tried are being changed by a machine.
const ATTEMPTS_MAX: usize = 5;
/// Segments of the log for which snapshots and backups leave space on the disk.
const KEPT_FREE_SEGMENTS: u64 = 2;
/// Bytes of a snapshot after which it is told how far it is, and whether it may go on is looked at.
const PIECE_BYTES: usize = 4 << 20;

impl<V: Vfs> Database<V> {
    /// Writes a snapshot of everything, and removes what of the log it makes unnecessary. One at a time: a second caller waits.
    /// When nothing was written since the last one and nothing is known against it, that is the answer, and nothing is done.
    /// `progress` is told when a shard is fenced, every 4 MiB, and when clocks were taken; no lock is held then.
    ///
    /// # Errors
    /// [`Error::Storage`] when the disk is full or fails, or the last snapshot is damaged: the last snapshot and the log stay as they
    /// were, and the database goes on.
    pub fn checkpoint(
        &self,
        progress: &mut dyn FnMut(CheckpointProgress),
    ) -> Result<Checkpointed, Error> {
        if self.wal.policy() == storage::SyncPolicy::Memory {
            return Err(Error::Storage(storage::Error::NoLog));
        }
        let _one = self.checkpoints.turn();
        if let Some(last) = self.nothing_new() {
            return Ok(last);
        }
        let started_ns = self.clock.mono_ns();
        let done = self.checkpoint_now(progress, started_ns);
        self.checkpoints.ended(&done, self.clock.mono_ns());
        done
    }

    /// Gives up the checkpoint or backup that runs, within some MiB, and every later one: the database is about to be closed.
    pub fn stop_checkpoints(&self) {
        self.checkpoints.stop();
    }

    /// That `bytes` more fit on `disk`, which may be the database's own, while what the log may need stays free: who writes beside the
    /// log asks before it does.
    ///
    /// # Errors
    /// [`Error::Storage`]: [`storage::Error::Full`] with the figures, [`storage::Error::Io`].
    pub fn leaves_room(&self, disk: &V, bytes: u64) -> Result<(), Error> {
        let kept = KEPT_FREE_SEGMENTS * self.segment_bytes;
        Ok(storage::must_leave_room(disk, bytes, kept)?)
    }

    fn checkpoint_now(
        &self,
        progress: &mut dyn FnMut(CheckpointProgress),
        started_ns: u64,
    ) -> Result<Checkpointed, Error> {
        // Else it would find none for a snapshot.
        self.make_room(KEPT_FREE_SEGMENTS)?;
        for _ in 0..ATTEMPTS_MAX {
            if let Some(mut done) = self.try_checkpoint(progress)? {
                done.took_ms = self.clock.mono_ns().saturating_sub(started_ns) / 1_000_000;
                return Ok(done);
            }
        }
        Err(Error::Busy("definitions changed again and again while a snapshot was written"))
    }

    /// Nothing when definitions changed meanwhile.
    fn try_checkpoint(
        &self,
        progress: &mut dyn FnMut(CheckpointProgress),
    ) -> Result<Option<Checkpointed>, Error> {
        let directory = &self.directory;
        let (number, salt) = (directory.next_snapshot_number(), self.anonymous.lock().next_u64());
        let mut out = SnapshotWriter::create(directory.vfs(), number, directory.cluster(), salt)?;
        // The log needs room for a segment more, and clients are refused before it has none.
        out.keep_free(KEPT_FREE_SEGMENTS * self.segment_bytes);
        let start = self.write_catalog(&mut out, progress)?;
        let Some(tables) = self.write_tables(&mut out, start.version, progress)? else {
            return Ok(None);
        };
        let ids = self.write_ids(&mut out, progress)?;
        let Some(clocks) = self.clocks(start, tables.fences.clone(), ids) else {
            return Ok(None);
        };
        self.write_section(&mut out, SectionKind::Clocks.tag(), &clocks.encode(), progress)?;
        let lsn = Lsn(clocks.everything);
        progress(self.checkpoints.running());
        let producers = self.encode_producers(lsn);
        self.write_section(&mut out, SectionKind::Producers.tag(), &producers, progress)?;
        let is_early = is_planted(Mutant::ProducersAheadOfSnapshot);
        // A producer may have forgotten sequences because of later ones.
        let newest = if is_early { lsn } else { self.wal.appended_lsn() };
        if !is_planted(Mutant::SnapshotAheadOfLog) {
            // What is in the snapshot is in the log too: else records of a batch could be in it that others of the batch are lost
            // with the log.
            self.wait_durable(newest)?;
        }
        self.check_whole()?;
        let reference = out.finish()?;
        self.bound_history_hold(Lsn(clocks.replay_from()));
        let removed = directory.install(reference, Lsn(clocks.replay_from()))?;
        self.serve_from(&reference, &tables);
        Ok(Some(Checkpointed {
            number,
            lsn,
            entities: tables.entities,
            bytes: reference.bytes,
            took_ms: 0,
            segments_removed: removed.segments,
            is_new: true,
        }))
    }

    /// Serves from the new snapshot what was served from the last one, whose file is gone: its space is free only then.
    fn serve_from(&self, reference: &SnapshotRef, tables: &tables::Tables) {
        let mut served = self.snapshot.lock();
        // Let go after the tables have, not under a shard's lock: the kernel frees the file's pages then, 200 ms for 140 MB.
        let Some(last) = served.take() else { return };
        let (vfs, cluster) = (self.directory.vfs(), self.directory.cluster());
        let opened = Snapshot::open(vfs, reference, cluster).map_err(Error::from);
        let done = match opened {
            Ok(snapshot) => {
                // Also when only some tables come to be served from it: what is damaged in it has to be known.
                *served = Some(Arc::clone(&snapshot));
                self.rebase(&snapshot, tables)
            }
            Err(error) => {
                *served = Some(Arc::clone(&last));
                Err(error)
            }
        };
        drop((served, last));
        if let Err(error) = done {
            // A start could not open it either: another one is due.
            self.checkpoints.note_damage(reference.number, &error);
            tracing::error!(%error, "the new snapshot cannot be read: tables go on being served from the one before");
        }
    }

    /// Writes all definitions there ever were; how things are at that moment, when nobody writes.
    fn write_catalog(
        &self,
        out: &mut SnapshotWriter<V>,
        progress: &mut dyn FnMut(CheckpointProgress),
    ) -> Result<Start, Error> {
        let catalog = self.catalog.write();
        let history = catalog.history.clone();
        let start = Start {
            version: catalog.version,
            lsn: self.wal.appended_lsn(),
            streams: catalog.streams.iter().map(|stream| stream.state.clocks()).collect(),
        };
        drop(catalog);
        let bytes = state::encode_catalog(&history)?;
        self.write_section(out, SectionKind::Catalog.tag(), &bytes, progress)?;
        Ok(start)
    }

    /// Writes a section that is no table, piece by piece: ids of one stripe may be 100 MB.
    fn write_section(
        &self,
        out: &mut SnapshotWriter<V>,
        tag: SectionTag,
        bytes: &[u8],
        progress: &mut dyn FnMut(CheckpointProgress),
    ) -> Result<(), Error> {
        out.begin(tag);
        for piece in bytes.chunks(PIECE_BYTES) {
            out.write(piece)?;
            if piece.len() == PIECE_BYTES {
                self.checkpoints
                    .at(CheckpointProgress { bytes: out.position(), ..self.checkpoints.running() });
                progress(self.checkpoints.running());
                self.checkpoints.may_go_on()?;
            }
        }
        out.end();
        Ok(())
    }

    /// Writes the ids of every stream that remembers some; for each its stripes' positions.
    fn write_ids(
        &self,
        out: &mut SnapshotWriter<V>,
        progress: &mut dyn FnMut(CheckpointProgress),
    ) -> Result<Vec<Vec<u64>>, Error> {
        let streams: Vec<_> = {
            let catalog = self.catalog.read();
            catalog.streams.iter().map(|stream| Arc::clone(&stream.state)).collect()
        };
        let mut positions = Vec::with_capacity(streams.len());
        for (stream, state) in (0..).zip(&streams) {
            let mut stripes = Vec::with_capacity(STRIPES);
            for stripe in 0..STRIPES {
                let (ids, Lsn(position)) = state.dedup.copy(stripe, || self.wal.appended_lsn());
                stripes.push(position);
                if !ids.is_empty() {
                    let shard = u32::try_from(stripe).unwrap_or(u32::MAX);
                    let tag = SectionTag { shard, group: stream, ..SectionKind::Ids.tag() };
                    self.write_section(out, tag, &state::encode_ids(&ids), progress)?;
                }
                progress(self.checkpoints.running());
                self.checkpoints.may_go_on()?;
            }
            positions.push(stripes);
        }
        Ok(positions)
    }

    /// The clocks of streams and groups, at a moment when nobody writes: from there on recovery does everything. Nothing when
    /// definitions are of another version.
    fn clocks(&self, start: Start, fences: Vec<u64>, ids: Vec<Vec<u64>>) -> Option<Clocks> {
        let catalog = self.catalog.write();
        let everything = self.wal.appended_lsn().0;
        let streams = catalog.streams.iter().map(|stream| stream.state.clocks()).collect();
        let observed = (0..catalog.groups.len())
            .map(|group| catalog.windows(group).map_or(i64::MAX, |group| group.observed_since()))
            .collect();
        (catalog.version == start.version).then_some(Clocks {
            everything,
            start: start.lsn.0,
            fences,
            ids,
            streams,
            start_streams: start.streams,
            observed,
        })
    }

    fn encode_producers(&self, up_to: Lsn) -> Vec<u8> {
        if is_planted(Mutant::ProducersForgotten) {
            return Vec::new();
        }
        state::encode_producers(&self.producers, up_to)
    }
}

/// How things are when a checkpoint begins.
struct Start {
    /// Of the definitions.
    version: u64,
    /// Newest record.
    lsn: Lsn,
    /// Clocks of the streams.
    streams: Vec<(i64, i64)>,
}
