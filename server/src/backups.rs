//! Where backups lie: one directory for each, `<data>/backups/<name>`. It has that name when everything in it is on the disk;
//! until then it is called `<name>.partial`, which no client can ask for.

use std::path::{Path, PathBuf};

use engine::{OsFs, StorageError, Vfs};
use protocol::{CallStatus, Failure};

use crate::{dispatch::failure, error::engine_failure};

/// The end of the name of a backup that is being made.
const PARTIAL: &str = ".partial";

/// The directory of all backups.
#[derive(Debug)]
pub(crate) struct Backups {
    root: Option<PathBuf>,
}

impl Backups {
    /// Backups below `root`; without one there are none.
    pub(crate) fn new(root: Option<PathBuf>) -> Self {
        Self { root }
    }

    /// Removes what a server left behind that ended in the middle of a backup.
    pub(crate) fn clear(&self) {
        let entries = self.root.as_deref().map(std::fs::read_dir);
        // Nothing there is nothing to clear.
        let Some(Ok(entries)) = entries else { return };
        for path in entries.flatten().map(|entry| entry.path()) {
            if !path.to_string_lossy().ends_with(PARTIAL) {
                continue;
            }
            match std::fs::remove_dir_all(&path) {
                Ok(()) => {
                    tracing::warn!(path = %path.display(), "an unfinished backup was removed")
                }
                Err(error) => {
                    tracing::warn!(path = %path.display(), %error, "an unfinished backup cannot be removed: remove it");
                }
            }
        }
    }

    /// Has `copy` fill a new directory, and calls it `name`, which must be a name as the protocol checks it. Returns what `copy`
    /// does, and the path.
    pub(crate) fn make<T>(
        &self,
        name: &str,
        copy: impl FnOnce(&OsFs) -> Result<T, engine::Error>,
    ) -> Result<(T, String), Failure> {
        let Some(root) = &self.root else {
            let message = "this server has no place for backups: it was started without one";
            return Err(failure(CallStatus::Unavailable, message));
        };
        let path = root.join(name);
        if path.exists() {
            let message = format!(
                "backup {name}: there is one already, at {}: choose another name, or remove it there",
                path.display()
            );
            return Err(failure(CallStatus::Invalid, message));
        }
        let partial = root.join(format!("{name}{PARTIAL}"));
        let made = fill(root, &partial, name, copy);
        if made.is_err() {
            // Half a backup is worth nothing, and it takes space. What cannot be removed now is removed at the next start.
            let _ = std::fs::remove_dir_all(&partial);
        }
        let made = made.map_err(engine_failure)?;
        let path = path.canonicalize().unwrap_or(path);
        Ok((made, path.display().to_string()))
    }
}

fn fill<T>(
    root: &Path,
    partial: &Path,
    name: &str,
    copy: impl FnOnce(&OsFs) -> Result<T, engine::Error>,
) -> Result<T, engine::Error> {
    if partial.exists() {
        std::fs::remove_dir_all(partial)
            .map_err(|error| StorageError::io("remove", partial.display().to_string(), error))?;
    }
    let made = copy(&OsFs::open(partial)?)?;
    let files = OsFs::open(root)?;
    files.rename(&format!("{name}{PARTIAL}"), name)?;
    files.sync_dir()?;
    Ok(made)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn backups() -> (tempfile::TempDir, Backups) {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let backups = Backups::new(Some(directory.path().join("backups")));
        (directory, backups)
    }

    fn note(files: &OsFs) -> Result<(), engine::Error> {
        files.create_new("note", 3)?;
        Ok(())
    }

    #[test]
    fn a_backup_is_there_whole_or_not_at_all() {
        let (directory, backups) = backups();
        let root = directory.path().join("backups");
        let failed = backups.make("one", |files| {
            note(files)?;
            assert!(!root.join("one").exists(), "it has no name yet");
            Err::<(), _>(engine::Error::Busy("nothing works"))
        });
        assert_eq!(failed.map_err(|failure| failure.status), Err(CallStatus::Overloaded));
        assert_eq!(std::fs::read_dir(&root).expect("it was made").count(), 0);
        let ((), path) = backups.make("one", note).expect("now it works");
        assert!(path.ends_with("/backups/one") && Path::new(&path).join("note").exists(), "{path}");
        let again = backups.make("one", note).expect_err("the name is taken");
        assert!(again.status == CallStatus::Invalid && again.message.contains(&path), "{again:?}");
    }

    #[test]
    fn what_a_killed_server_left_is_cleared() {
        let (directory, backups) = backups();
        backups.clear();
        let root = directory.path().join("backups");
        backups.make("kept", note).expect("made");
        note(&OsFs::open(&root.join("half.partial")).expect("made")).expect("made");
        backups.clear();
        assert!(root.join("kept").exists() && !root.join("half.partial").exists());
    }

    #[test]
    fn without_a_place_there_are_no_backups() {
        let refused = Backups::new(None).make("one", note).expect_err("no place");
        assert_eq!(refused.status, CallStatus::Unavailable);
    }
}
