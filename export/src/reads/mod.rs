//! The log of reads: a sample of the vectors that a service was served, as rolling Arrow files in the data directory.
//!
//! ```text
//! read ─► ReadSample ─► ReadLog, where it waits for the log to be on the disk ─► reads/fraud_v3/<first read>-<checksum>.arrow
//! ```
//!
//! A row is one vector: its values and statuses as they were served, and what is needed to compute them again from history alone
//! (`larder verify`). `layout` says what the columns are, `sample` is what a server hands over, `log` writes, `retain` says
//! what goes, `reader` reads, `names` knows the files. `docs/formats/reads.md` describes every column.
//!
//! **Only what is on the disk is written.** A sample waits until the log is synced up to the positions it saw. A position that was
//! never durable may be given again after a crash, to another change: a file that named it would say that the read saw that change.

mod check;
mod layout;
mod log;
mod names;
mod reader;
mod retain;
mod sample;

pub use check::{ReadsChecked, ReadsProblem, check};
pub use layout::ReadLayout;
pub use log::{ReadLog, ReadLogCounts, ReadLogLimits};
pub use names::ReadFile;
pub use reader::{LoggedReads, ReadFileReader, ReadLogReader};
pub use sample::ReadSample;

/// The form of the files' columns.
const FORM: &str = "1";
/// The directory of logged reads in that of the history.
pub const DIRECTORY: &str = "reads";
