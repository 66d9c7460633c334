//! Takes a backup from where a server made it to where it is wanted: moved on the same file system, else copied, synced and
//! removed.
#![expect(
    clippy::disallowed_methods,
    reason = "a finished backup belongs to nobody yet: no database has these files open"
)]

use std::fs::File;
use std::io;
use std::path::Path;

use crate::error::CliError;

/// Checks that a backup can go to `target`: nothing is there, or an empty directory.
pub(super) fn check(target: &Path) -> Result<(), CliError> {
    let message = match std::fs::read_dir(target).map(|mut entries| entries.next().is_none()) {
        Ok(true) => return Ok(()),
        Ok(false) => "the directory is not empty: choose another one, or one that is not there yet"
            .to_owned(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => format!("a backup cannot go there: {error}"),
    };
    Err(CliError::failed(format!("{}: {message}", target.display())))
}

/// Moves the directory `from` to `target`. When it fails, `from` is as it was.
pub(super) fn take(from: &Path, target: &Path) -> io::Result<()> {
    let parent = parent(target);
    std::fs::create_dir_all(parent)?;
    // A rename replaces an empty directory. It fails between file systems, and where the target is mounted on.
    if std::fs::rename(from, target).is_err() {
        if let Err(error) = copy(from, target) {
            remove_contents(target);
            return Err(error);
        }
        sync_directory(parent)?;
        // The copy is safe: a backup that cannot be removed is no reason to call it failed.
        let _ = std::fs::remove_dir_all(from);
        return Ok(());
    }
    sync_directory(parent)
}

/// Copies every file, and syncs all of it.
fn copy(from: &Path, target: &Path) -> io::Result<()> {
    std::fs::create_dir_all(target)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let copied = target.join(entry.file_name());
        std::fs::copy(entry.path(), &copied)?;
        File::open(&copied)?.sync_all()?;
    }
    sync_directory(target)
}

/// Takes a half copy away, but not a directory that was there before.
fn remove_contents(target: &Path) {
    for entry in std::fs::read_dir(target).into_iter().flatten().flatten() {
        // What stays behind is seen by the next attempt, which refuses it by name.
        let _ = std::fs::remove_file(entry.path());
    }
}

fn parent(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn sync_directory(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn backup(root: &Path) -> std::path::PathBuf {
        let from = root.join("backup");
        std::fs::create_dir(&from).expect("made");
        std::fs::write(from.join("MANIFEST"), "m").expect("written");
        std::fs::write(from.join("wal"), "w").expect("written");
        from
    }

    fn read(path: &Path) -> Vec<String> {
        ["MANIFEST", "wal"].map(|name| std::fs::read_to_string(path.join(name)).expect(name)).into()
    }

    #[test]
    fn a_backup_is_moved_to_a_new_or_empty_directory() {
        for is_there in [false, true] {
            let root = tempfile::tempdir().expect("a temporary directory");
            let (from, target) = (backup(root.path()), root.path().join("deep/er/copy"));
            if is_there {
                std::fs::create_dir_all(&target).expect("made");
            }
            assert!(check(&target).is_ok());
            take(&from, &target).expect("taken");
            assert_eq!(read(&target), ["m", "w"]);
            assert!(!from.exists());
            let refused = check(&target).expect_err("it is full now").to_string();
            assert!(refused.contains("not empty") && refused.contains("copy"), "{refused}");
        }
    }

    #[test]
    fn a_copy_between_file_systems_is_the_same() {
        let root = tempfile::tempdir().expect("a temporary directory");
        let (from, target) = (backup(root.path()), root.path().join("copy"));
        copy(&from, &target).expect("copied");
        assert_eq!((read(&target), read(&from)), (read(&from), vec!["m".into(), "w".into()]));
        remove_contents(&target);
        assert!(check(&target).is_ok(), "empty again");
    }

    #[test]
    fn a_file_is_no_place_for_a_backup() {
        let root = tempfile::tempdir().expect("a temporary directory");
        let file = root.path().join("file");
        std::fs::write(&file, "x").expect("written");
        assert!(check(&file).is_err());
        let from = backup(root.path());
        assert!(take(&from, &file.join("copy")).is_err());
        assert_eq!(read(&from), ["m", "w"], "it is as it was");
    }
}
