//! Bytes, LSNs and files: manifest, write-ahead log, snapshots, and the file system beneath. No idea what a feature is.
//!
//! ```text
//! append ─► buffer ─┐                        ┌─► written ─► synced ─► tickets wake
//! append ─► buffer ─┴─► flusher: one batch ──┘
//! open: directory lock ─► manifest ─► segments in order ─► batch by batch, checksum and chain ─► your replay
//! ```
//!
//! A data directory holds `LOCK`, the `MANIFEST` that says what counts, the snapshot that does, and the log's segments
//! `wal-<first LSN>.log`; every byte of them is described in `docs/formats/`. Files are reached through [`fs::Vfs`] only:
//! [`fs::OsFs`] for real ones, [`fs::SimFs`] for a disk that loses, tears and fails as a test says.

pub mod fs;
pub mod inspect;
pub mod repair;
pub mod snapshot;
pub mod wal;

mod backup;
mod copy;
mod dir;
mod directory;
mod error;
mod examine;
mod lsn;
mod manifest;
mod view;

pub use copy::must_leave_room;
pub use dir::FileRole;
pub use directory::{Directory, Removed};
pub use error::{Error, Remedy};
pub use fs::{OsFs, Vfs};
pub use lsn::Lsn;
pub use manifest::{ListedSegment, Manifest};
pub use wal::{
    CommitTicket, Durable, LogReader, ReadOn, RecoveryReport, SegmentFile, SyncLevel, SyncPolicy,
    TornTail, Wal, WalConfig, WalStats,
};
