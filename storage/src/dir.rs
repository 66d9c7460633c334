//! The names in a data directory: which file is what.
//!
//! ```text
//! LOCK                                held by the process that has the directory open
//! MANIFEST                            which of the files below count
//! wal-<first LSN, 20 digits>.log      a segment of the log
//! snapshot-<number, 20 digits>.lsnap  a snapshot
//! MANIFEST.next, wal-next, snapshot-next, REPAIR.next   being made: nothing in them counts, they may be removed
//! REPAIR                              a repair that was begun and not finished: nothing else is done before it is
//! ```
//!
//! Other names are left alone, with one exception: what looks like a part of the log but is none was renamed by somebody, and
//! a log that starts without it would silently lose what it holds.

use crate::{Error, Lsn};

/// The lock file.
pub(crate) const LOCK: &str = "LOCK";
/// The manifest.
pub(crate) const MANIFEST: &str = "MANIFEST";
/// The manifest to come.
pub(crate) const NEXT_MANIFEST: &str = "MANIFEST.next";
/// Space for the segment to come.
pub(crate) const NEXT_SEGMENT: &str = "wal-next";
/// The snapshot being written.
pub(crate) const NEXT_SNAPSHOT: &str = "snapshot-next";

/// The name of the segment whose first record is `first_lsn`.
pub(crate) fn segment(first_lsn: u64) -> String {
    format!("wal-{first_lsn:020}.log")
}

/// The name of the snapshot `number`.
pub(crate) fn snapshot(number: u64) -> String {
    format!("snapshot-{number:020}.lsnap")
}

/// A repair under way.
pub(crate) const REPAIR: &str = "REPAIR";
/// A repair about to begin.
pub(crate) const NEXT_REPAIR: &str = "REPAIR.next";

/// Names of what is being made: nothing in these files counts.
pub(crate) const UNFINISHED: [&str; 4] = [NEXT_MANIFEST, NEXT_SEGMENT, NEXT_SNAPSHOT, NEXT_REPAIR];

/// The number of the snapshot called `name`; `None` when no snapshot is called so.
pub(crate) fn snapshot_number(name: &str) -> Option<u64> {
    number(name, "snapshot-", ".lsnap")
}

/// The first record of the segment called `name`; `None` when no segment is called so.
pub(crate) fn segment_first_lsn(name: &str) -> Option<u64> {
    number(name, "wal-", ".log")
}

fn number(name: &str, prefix: &str, suffix: &str) -> Option<u64> {
    let digits = name.strip_prefix(prefix)?.strip_suffix(suffix)?;
    let is_number = digits.len() == 20 && digits.bytes().all(|byte| byte.is_ascii_digit());
    // So high a number is nobody's: one more must be possible.
    is_number.then(|| digits.parse().ok()).flatten().filter(|number| *number <= Lsn::MAX.0)
}

/// What a file of a data directory is, by its name alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileRole {
    /// Says which files count.
    Manifest,
    /// A segment of the log.
    Segment,
    /// A snapshot.
    Snapshot,
    /// The lock.
    Lock,
    /// A repair that was begun and not finished.
    Repair,
    /// Being made, or what an interruption left of that: the next start removes it.
    Unfinished,
    /// None of a database's: left alone.
    Stray,
}

impl FileRole {
    /// The role of the file called `name`.
    pub(crate) fn of(name: &str) -> Self {
        match name {
            MANIFEST => Self::Manifest,
            LOCK => Self::Lock,
            REPAIR => Self::Repair,
            name if UNFINISHED.contains(&name) => Self::Unfinished,
            name if segment_first_lsn(name).is_some() => Self::Segment,
            name if snapshot_number(name).is_some() => Self::Snapshot,
            _ => Self::Stray,
        }
    }

    /// As it is printed.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Manifest => "manifest",
            Self::Segment => "segment",
            Self::Snapshot => "snapshot",
            Self::Lock => "lock",
            Self::Repair => "repair",
            Self::Unfinished => "unfinished",
            Self::Stray => "stray",
        }
    }
}

/// The names among `names` that look like a segment's and are none's.
pub(crate) fn strays(names: &[String]) -> impl Iterator<Item = &String> {
    let is_stray = |name: &&String| {
        name.starts_with("wal-") && segment_first_lsn(name).is_none() && *name != NEXT_SEGMENT
    };
    names.iter().filter(is_stray)
}

/// The first records of the segments among `names`, ascending. `path` shows a name in a message.
///
/// # Errors
/// [`Error::Stray`] for a name that only looks like a segment's.
pub(crate) fn segments(names: &[String], path: impl Fn(&str) -> String) -> Result<Vec<u64>, Error> {
    if let Some(name) = strays(names).next() {
        return Err(Error::Stray { file: path(name) });
    }
    let mut segments: Vec<u64> = names.iter().filter_map(|name| segment_first_lsn(name)).collect();
    segments.sort_unstable();
    Ok(segments)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_sort_as_their_numbers() {
        assert_eq!(segment(42), "wal-00000000000000000042.log");
        assert_eq!(snapshot_number(&snapshot(7)), Some(7));
        let names = [&segment(100), LOCK, &segment(9), NEXT_SEGMENT, &snapshot(7), "notes.txt"];
        let found = segments(&names.map(str::to_owned), str::to_owned);
        assert_eq!(found.expect("nothing strange"), [9, 100]);
    }

    #[test]
    fn a_renamed_segment_is_refused_by_name() {
        for name in [
            "wal-00000000000000000042.log.bak",
            "wal-42.log",
            "wal-+0000000000000000042.log",
            "wal-18446744073709551615.log",
        ] {
            assert_eq!(segment_first_lsn(name), None);
            let error = segments(&[name.to_owned()], str::to_owned).expect_err("refused");
            assert!(error.to_string().contains(name), "{error}");
        }
    }
}
