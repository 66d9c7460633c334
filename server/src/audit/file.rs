//! Files of the audit log: they are only ever appended to, so that a file system that allows nothing else can hold them.
#![expect(
    clippy::disallowed_methods,
    reason = "the log of who did what is none of the database's files: they go through storage::fs"
)]

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::path::Path;

/// What the files' names begin and end with; between them stands the number of the first line.
const PREFIX: &str = "audit-";
const SUFFIX: &str = ".jsonl";
/// Digits of the number: names in their order are files in theirs.
const DIGITS: usize = 20;
/// Whoever writes has this file locked.
pub(super) const LOCK: &str = "lock";

/// The name of the file whose first line has this number.
pub(super) fn name(first: u64) -> String {
    format!("{PREFIX}{first:0DIGITS$}{SUFFIX}")
}

/// The number in a file's name; `None` when it is no file of the log.
fn first_of(name: &str) -> Option<u64> {
    let digits = name.strip_prefix(PREFIX)?.strip_suffix(SUFFIX)?;
    (digits.len() == DIGITS).then(|| digits.parse().ok()).flatten()
}

/// The files of the log in their order, as numbers of their first lines.
pub(super) fn list(directory: &Path) -> io::Result<Vec<u64>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory)? {
        found.extend(entry?.file_name().to_str().and_then(first_of));
    }
    found.sort_unstable();
    Ok(found)
}

/// As long as it is there nobody else writes.
pub(super) struct Held(File);

impl Drop for Held {
    /// To close the file is not enough: a process that is just being started has a copy of it until it runs its own program.
    fn drop(&mut self) {
        // On a failure the file is closed a moment later, and the lock goes with it.
        let _ = self.0.unlock();
    }
}

/// Makes the directory, readable by its owner alone, and takes it for this process.
pub(super) fn take(directory: &Path) -> io::Result<Held> {
    use std::os::unix::fs::DirBuilderExt;
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
    let lock =
        OpenOptions::new().create(true).truncate(false).write(true).open(directory.join(LOCK))?;
    match lock.try_lock() {
        Ok(()) => Ok(Held(lock)),
        Err(TryLockError::WouldBlock) => {
            Err(io::Error::other("another server writes it: give each server a directory"))
        }
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// Opens a file to append to it; makes it when it is not there.
pub(super) fn append_to(directory: &Path, first: u64) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt;
    let path = directory.join(name(first));
    let file = OpenOptions::new().create(true).append(true).mode(0o600).open(path)?;
    // Without this a power loss could take the whole file.
    File::open(directory)?.sync_all()?;
    Ok(file)
}

/// All of a file of the log.
pub(super) fn read(directory: &Path, first: u64) -> io::Result<Vec<u8>> {
    std::fs::read(directory.join(name(first)))
}

/// Writes a file anew, as somebody does who changes what was written.
#[cfg(test)]
pub(super) fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    std::fs::write(path, bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_numbers_in_order_and_others_are_not_ours() {
        assert_eq!(name(12), "audit-00000000000000000012.jsonl");
        assert_eq!(first_of(&name(u64::MAX)), Some(u64::MAX));
        for other in ["audit-1.jsonl", "audit-.jsonl", "lock", "audit-0000000000000000001x.jsonl"] {
            assert_eq!(first_of(other), None, "{other}");
        }
    }

    #[test]
    fn a_directory_has_one_writer() {
        let directory = tempfile::tempdir().expect("a directory");
        let root = directory.path().join("deep/audit");
        let held = take(&root).expect("it is free");
        let error = take(&root).err().expect("it is taken").to_string();
        assert!(error.contains("another server"), "{error}");
        // As a process has it that another thread is starting.
        let copy = held.0.try_clone().expect("copied");
        drop(held);
        assert!(take(&root).is_ok());
        drop(copy);
    }
}
