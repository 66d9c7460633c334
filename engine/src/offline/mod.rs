//! A data directory without a server: what is in it, whether it is whole, and how it is mended.
//!
//! ```text
//! check    every byte read and every record decoded ─► then the start of a server, tried on an overlay that keeps its writes
//! inspect  manifest, segments, batches, records, sections: as the format documents draw them
//! repair   what a cut would lose ─► a copy of everything ─► the cut
//! ```
//!
//! All three take the directory's lock, so that nobody writes meanwhile; `check` and `inspect` change nothing at all. They look at
//! files through `storage`, which knows no feature, and say here what the bytes mean.

mod check;
mod problem;
mod record;
mod repair;
mod section;
mod show;
mod trial;

pub use check::{CheckedSnapshot, Report, check};
pub use problem::Problem;
pub use record::{RecordInfo, RecordReader, WriterInfo};
pub use repair::{Lost, RepairPlan, RepairWish, plan_repair, repair};
pub use section::SectionInfo;
pub use show::{Item, inspect};
pub use storage::{
    FileRole, Manifest,
    inspect::{FileFound, SegmentFound, must_hold_database},
    repair::{Copied, Cut},
    snapshot::SnapshotRef,
    wal::{BatchInfo, SegmentHeader, Verdict},
};
