//! History: what streams and row groups took, as rolling Arrow files in the data directory, each change exactly once and in order.
//!
//! ```text
//! log, once on the disk ─► ChangeReader ─► HistoryWriter ─► streams/payments/<first LSN>.arrow   closed, synced, named
//!                                                        └► manifest.json: the files, and up to which record they reach
//! ```
//!
//! What the manifest does not list does not count: after a crash it is written anew from the log, of which everything behind the
//! manifest's position is still there. `follow` brings log and files together, `manifest` says what there is, `table` is what a file
//! looks like, `file` one that is being written, `writer` and `reader` are the two ends, `retain` drops what is old, `merge` makes large
//! files of small ones, `disk` knows the names. `docs/formats/history.md` describes every byte.

mod check;
mod copy;
mod disk;
mod file;
mod follow;
mod manifest;
mod merge;
mod reader;
mod retain;
mod rows;
mod source;
mod table;
mod writer;

pub use check::{HistoryChecked, HistoryProblem, check};
pub use copy::{HistoryCopy, copy};
pub use follow::HistoryFollower;
pub use manifest::{HistoryFile, HistoryGap, HistoryManifest, HistorySpan, SourceHistory};
pub use merge::HistoryMerge;
pub use reader::{Changes, HistoryReader};
pub use rows::ChangeBatch;
pub use source::HistorySource;
pub use writer::HistoryWriter;

/// The directory of history in a data directory.
pub const DIRECTORY: &str = "history";
/// Name of the file that says what the others are.
pub const MANIFEST: &str = "manifest.json";
/// Name of the file that says why a history was refused.
const REFUSED: &str = "refused";

/// When files are closed: at whichever comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HistoryLimits {
    /// Rows of all open files together.
    pub rows: u64,
    /// Bytes of all open files together.
    pub bytes: u64,
    /// So long after the first row in them, in ms.
    pub age_ms: u64,
    /// So many bytes of log were gone through, whatever was in them.
    pub log_bytes: u64,
}

impl Default for HistoryLimits {
    fn default() -> Self {
        Self { rows: 1_000_000, bytes: 64 << 20, age_ms: 60_000, log_bytes: 256 << 20 }
    }
}
