//! Snapshot files: named sections of bytes, checksummed by the block, read where the system maps them.
//!
//! ```text
//! write:  begin ─► write … ─► end, for each section ─► finish: synced, named, directory synced ─► a SnapshotRef for the manifest
//! read:   open: header, footer and tables are checked ─► Section::bytes: a block is checked before its first byte is used
//! ```
//!
//! Everything in a file hangs on one number, the footer's checksum, which the manifest holds: it covers the checksums of all
//! blocks and the directory of sections. What a section means is the affair of whoever writes it. Bytes:
//! `docs/formats/snapshot.md`.
//!
//! Not here: which snapshot counts (the manifest does), and copies of the bytes: a section lends them as long as it lives.

mod blocks;
mod format;
mod layout;
mod reader;
mod section;
mod writer;

pub use reader::Snapshot;
pub use section::Section;
pub use writer::SnapshotWriter;

/// Names a section; no two of a snapshot have the same tag. The numbers mean what their writer says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SectionTag {
    /// What the section holds.
    pub kind: u32,
    /// Of which shard.
    pub shard: u32,
    /// Of which group.
    pub group: u32,
}

/// A finished snapshot as the manifest names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SnapshotRef {
    /// Its number, from 1; its file is called by it.
    pub number: u64,
    /// Length of its file.
    pub bytes: u64,
    /// Checksum of its footer, to which everything in it is chained.
    pub checksum: u64,
}

impl SnapshotRef {
    /// The name of its file.
    #[must_use]
    pub fn file_name(&self) -> String {
        crate::dir::snapshot(self.number)
    }
}

/// How far the verification of a snapshot is, in blocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Looked at: found good, or found damaged and told.
    pub done: usize,
    /// All there are.
    pub total: usize,
}
