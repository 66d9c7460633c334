//! `larder repair`: what a cut would lose, a copy of everything, the cut.

use storage::{
    Lsn, Vfs,
    inspect::{self, SegmentFound},
    repair::{Copied, Cut, Plan, Repair},
    snapshot::{Snapshot, SnapshotRef},
    wal::{Piece, Verdict},
};

use super::{record::RecordReader, section};
use crate::Error;

/// What is asked of a repair.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RepairWish {
    /// Where the log is to end.
    pub cut: Cut,
    /// Gives up the snapshot: the log must reach back to its first record.
    pub drops_snapshot: bool,
}

/// What a repair will do and lose.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RepairPlan {
    /// The changes.
    pub plan: Plan,
    /// It was begun before: the copy is made already, and nothing else than finishing it is possible.
    pub is_begun: bool,
    /// What is lost.
    pub lost: Lost,
}

/// Records that a repair gives up.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Lost {
    /// The first of them and the newest that is known to have been there; `None`: none, but an unfinished write at most.
    pub range: Option<(Lsn, Lsn)>,
    /// How many of them could still be read.
    pub readable: u64,
    /// Valid batches that go, seals not counted.
    pub batches: u64,
}

/// What the repair that is wished for would do to the directory of `vfs`. Nothing is changed.
///
/// # Errors
/// [`storage::Error::Locked`]; [`storage::Error::NoDatabase`]; [`storage::Error::CannotCut`] and [`storage::Error::CannotDrop`] when what would be left cannot be opened;
/// [`storage::Error::Damaged`] for a manifest, or for a snapshot that the wish keeps.
pub fn plan_repair<V: Vfs>(vfs: &V, wish: &RepairWish) -> Result<RepairPlan, Error> {
    planned(&Repair::begin(vfs)?, vfs, wish)
}

/// Repairs the directory of `vfs`, once everything in it was copied into `copy`, an empty directory. What was interrupted before is
/// finished, without another copy; where nothing is to be repaired, nothing is copied.
///
/// # Errors
/// See [`plan_repair`]; [`storage::Error::NotEmpty`], [`storage::Error::NoRoom`], [`storage::Error::Full`] when the copy cannot be made:
/// nothing was changed then. [`storage::Error::Io`]: begin anew to finish it.
pub fn repair<V: Vfs>(
    vfs: &V,
    wish: &RepairWish,
    copy: impl FnOnce() -> Result<V, Error>,
) -> Result<(RepairPlan, Option<Copied>), Error> {
    let repair = Repair::begin(vfs)?;
    let planned = planned(&repair, vfs, wish)?;
    if planned.plan.is_needless {
        return Ok((planned, None));
    }
    let copied = if planned.is_begun { None } else { Some(repair.copy_to(&copy()?)?) };
    repair.run(&planned.plan)?;
    Ok((planned, copied))
}

fn planned<V: Vfs>(
    repair: &Repair<'_, V>,
    vfs: &V,
    wish: &RepairWish,
) -> Result<RepairPlan, Error> {
    inspect::must_hold_database(vfs)?;
    // What was begun was possible.
    let is_begun = repair.is_begun();
    let keeps_snapshot = !is_begun && !wish.drops_snapshot;
    let floor = if keeps_snapshot { newest_in_snapshot(vfs)? } else { Lsn(0) };
    let plan = repair.plan(wish.cut, wish.drops_snapshot, floor)?;
    let lost = lost(vfs, plan.last_lsn)?;
    Ok(RepairPlan { plan, is_begun, lost })
}

/// The newest record that the snapshot holds for any of its parts, every block of it verified; 0 without one.
fn newest_in_snapshot<V: Vfs>(vfs: &V) -> Result<Lsn, Error> {
    let Some(manifest) = inspect::manifest(vfs)? else { return Ok(Lsn(0)) };
    let Some(reference) = &manifest.snapshot else { return Ok(Lsn(0)) };
    let first_lsn = manifest.segments.first().map(|first| first.first_lsn);
    newest_in(vfs, reference, manifest.cluster).map_err(|error| error.with_log(first_lsn))
}

fn newest_in<V: Vfs>(vfs: &V, reference: &SnapshotRef, cluster: u128) -> Result<Lsn, Error> {
    let snapshot = Snapshot::open(vfs, reference, cluster)?;
    while let progress = snapshot.verify(1024)?
        && progress.done < progress.total
    {}
    let mut failed = None;
    let mut reader = RecordReader::default();
    let contents = section::each(&snapshot, &mut reader, None, &mut |_, section| {
        if let Err(error) = section {
            failed.get_or_insert(error);
        }
    });
    let clocks = contents.clocks;
    let parts = clocks.fences.iter().chain(clocks.ids.iter().flatten()).copied();
    failed.map_or(Ok(Lsn(parts.fold(clocks.everything, u64::max))), Err)
}

/// What of the log is behind record `last`. What stands in an unfinished write at the end was never there.
fn lost<V: Vfs>(vfs: &V, Lsn(last): Lsn) -> Result<Lost, Error> {
    let found = inspect::walk(vfs, &mut |_, _| ())?;
    let end = match found.segments.last() {
        Some(SegmentFound { walked, .. }) if matches!(walked.verdict, Verdict::TornTail { .. }) => {
            walked.last_lsn.0
        }
        _ => u64::MAX,
    };
    let durable = found.manifest.map_or(0, |manifest| manifest.durable.0);
    let (mut lost, mut newest) = (Lost::default(), durable);
    inspect::walk(vfs, &mut |_, piece| match piece {
        Piece::Header(header) => newest = newest.max(header.first_lsn.0.saturating_sub(1)),
        Piece::Batch(batch) if batch.first_lsn.0 <= end => {
            let batch_end = batch.first_lsn.0.saturating_add(batch.count.into()).saturating_sub(1);
            newest = newest.max(batch_end).max(batch.durable_before.0);
            lost.batches += u64::from(batch_end > last && !batch.is_seal);
        }
        Piece::Record { lsn: Lsn(lsn), .. } => lost.readable += u64::from(lsn > last && lsn <= end),
        Piece::Batch(_) | Piece::Gap { .. } => {}
    })?;
    lost.range = (newest > last).then_some((Lsn(last + 1), Lsn(newest)));
    Ok(lost)
}
