//! Planted bugs: the tests of the tests.
//!
//! Under the feature `mutants` a test plants one of them, and the harness that claims to find such a bug must find it. Without the
//! feature [`is_planted`] is a constant, and nothing of this is compiled.

/// A bug that somebody once made, or could make.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Mutant {
    /// A write is called durable before it is synced.
    AcknowledgeBeforeSync = 1,
    /// A new name is not made durable: the directory is never synced.
    NoDirectorySync = 2,
    /// Segments of the log are removed before the manifest that does not need them is on the disk.
    LogDeletedEarly = 3,
    /// A sync that failed is tried again and believed.
    RetryFailedSync = 4,
    /// What is behind the last good batch stays where it is.
    TornTailNotCut = 5,
    /// Batches are taken as they are found.
    NoBatchChecksum = 6,
    /// A snapshot counts before it is on the disk.
    SnapshotNotSynced = 7,
    /// A shard's fence is one record too high: that record is in neither snapshot nor replay.
    FenceOffByOne = 8,
    /// The before-image of what changes while a shard is written is forgotten.
    BeforeImageForgotten = 9,
    /// A snapshot counts although the log does not hold on the disk what it holds.
    SnapshotAheadOfLog = 10,
    /// Blocks of a snapshot are taken as they are found.
    NoBlockChecksum = 11,
    /// Sequences of producers are not in the snapshot.
    ProducersForgotten = 12,
    /// A snapshot knows of writes that are newer than it, and lost with the end of the log.
    ProducersAheadOfSnapshot = 13,
    /// A row that was written before its group had its last features goes into the next snapshot as it lies in the last.
    OldRowLayoutKept = 14,
    /// Ids of events arrive when the machine's clock says, in the log when the stream's does.
    IdsArriveByWallClock = 15,
}

/// Every mutant.
pub const ALL: [Mutant; 15] = [
    Mutant::AcknowledgeBeforeSync,
    Mutant::NoDirectorySync,
    Mutant::LogDeletedEarly,
    Mutant::RetryFailedSync,
    Mutant::TornTailNotCut,
    Mutant::NoBatchChecksum,
    Mutant::SnapshotNotSynced,
    Mutant::FenceOffByOne,
    Mutant::BeforeImageForgotten,
    Mutant::SnapshotAheadOfLog,
    Mutant::NoBlockChecksum,
    Mutant::ProducersForgotten,
    Mutant::ProducersAheadOfSnapshot,
    Mutant::OldRowLayoutKept,
    Mutant::IdsArriveByWallClock,
];

#[cfg(feature = "mutants")]
static PLANTED: std::sync::atomic::AtomicU8 = std::sync::atomic::AtomicU8::new(0);

/// Plants one bug in this process, or takes it out.
#[cfg(feature = "mutants")]
pub fn plant(mutant: Option<Mutant>) {
    let code = mutant.map_or(0, |mutant| mutant as u8);
    PLANTED.store(code, std::sync::atomic::Ordering::SeqCst);
}

/// Whether `mutant` is planted in this process.
#[cfg(feature = "mutants")]
#[must_use]
pub fn is_planted(mutant: Mutant) -> bool {
    PLANTED.load(std::sync::atomic::Ordering::SeqCst) == mutant as u8
}

/// No bug is planted.
#[cfg(not(feature = "mutants"))]
#[inline(always)]
#[must_use]
pub const fn is_planted(_: Mutant) -> bool {
    false
}
