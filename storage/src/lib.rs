//! Bytes, LSNs and files: the write-ahead log and the file system beneath it. No idea what a feature is.
//!
//! ```text
//! append ─► buffer ─┐                        ┌─► written ─► synced ─► tickets wake
//! append ─► buffer ─┴─► flusher: one batch ──┘
//! open: directory lock ─► segments in order ─► batch by batch, checksum and chain ─► your replay
//! ```
//!
//! A data directory holds `LOCK` and the log's segments `wal-<first LSN>.log`; every byte of them is described in
//! `docs/formats/wal.md`. Files are reached through [`fs::Vfs`] only: [`fs::OsFs`] for real ones, [`fs::SimFs`] for a disk that
//! loses, tears and fails as a test says.

pub mod fs;
pub mod snapshot;
pub mod wal;

mod dir;
mod error;
mod lsn;

pub use error::Error;
pub use fs::{OsFs, Vfs};
pub use lsn::Lsn;
pub use wal::{
    CommitTicket, Durable, RecoveryReport, SyncLevel, SyncPolicy, TornTail, Wal, WalConfig,
    WalStats,
};
