//! Takes a backup or an export from where a server made it to where it is wanted: moved on the same file system, else copied,
//! synced and removed.
#![expect(
    clippy::disallowed_methods,
    reason = "a finished backup belongs to nobody yet: no database has these files open"
)]

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::error::CliError;

/// Files that name the others of their directory.
const LAST: [&str; 2] = ["MANIFEST", "manifest.json"];

/// Checks that a backup can go to `target`: nothing is there, or an empty directory, and it is no part of a database.
pub(super) fn check(target: &Path) -> Result<(), CliError> {
    // Where the part of it lies that is there, whatever links lead to it.
    let place = std::path::absolute(target)?;
    let place = place.ancestors().find_map(|above| above.canonicalize().ok()).unwrap_or_default();
    if let Some(database) = place.ancestors().find(|above| is_database(above)) {
        return Err(CliError::failed(format!(
            "{}: a backup cannot go there, it would be part of the data directory {}: choose a place outside of it",
            target.display(),
            database.display()
        )));
    }
    let message = match std::fs::read_dir(target).map(|mut entries| entries.next().is_none()) {
        Ok(true) => return Ok(()),
        Ok(false) => "the directory is not empty: choose another one, or one that is not there yet"
            .to_owned(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => format!("a backup cannot go there: {error}"),
    };
    Err(CliError::failed(format!("{}: {message}", target.display())))
}

/// Whether a database has this directory, by its manifest; links are followed.
fn is_database(directory: &Path) -> bool {
    let mut magic = [0; 8];
    let read = File::open(directory.join("MANIFEST")).and_then(|mut it| it.read_exact(&mut magic));
    read.is_ok() && &magic == b"LARDRMAN"
}

/// Takes the `what` that the server at `addr` made at `from` to `target` on this machine; where that is.
pub(in crate::cmd) fn brought(
    what: &str,
    from: &Path,
    target: &Path,
    addr: &str,
) -> Result<PathBuf, CliError> {
    if !from.is_dir() {
        return Err(CliError::failed(format!(
            "the {what} was made, but it cannot be seen from here: it lies in {} on the machine of {addr}; copy it from there, \
             then remove it there",
            from.display()
        )));
    }
    take(from, target).map_err(|error| {
        CliError::failed(format!(
            "the {what} was made and lies in {}, but it cannot be brought to {}: {error}",
            from.display(),
            target.display()
        ))
    })?;
    Ok(std::path::absolute(target)?)
}

/// Moves the directory `from` to `target`. When it fails, `from` is as it was, and nothing is at `target` that was not.
fn take(from: &Path, target: &Path) -> io::Result<()> {
    let parent = parent(target);
    std::fs::create_dir_all(parent)?;
    // A rename replaces an empty directory, but not one that another file system is mounted on.
    let is_elsewhere = is_elsewhere(from, target);
    let renamed = match is_elsewhere {
        true => Err(io::ErrorKind::CrossesDevices.into()),
        false => std::fs::rename(from, target),
    };
    match renamed {
        Ok(()) => return sync_directory(parent),
        Err(error) if error.kind() == io::ErrorKind::CrossesDevices => {}
        Err(error) => return Err(error),
    }
    if is_elsewhere {
        copy_into(from, target)?;
    } else {
        let beside = beside(target);
        copy_into(from, &beside)?;
        let moved = std::fs::rename(&beside, target).and_then(|()| sync_directory(parent));
        moved.inspect_err(|_| drop(std::fs::remove_dir_all(&beside)))?;
    }
    // The copy is safe: a backup that cannot be removed is no reason to call it failed.
    let _ = std::fs::remove_dir_all(from);
    Ok(())
}

/// Whether `target` is there, and on another file system than `from`.
fn is_elsewhere(from: &Path, target: &Path) -> bool {
    let device = |path: &Path| std::fs::metadata(path).map(|metadata| metadata.dev());
    matches!((device(from), device(target)), (Ok(from), Ok(target)) if from != target)
}

/// A directory that is nobody else's, in the same one as `target`.
fn beside(target: &Path) -> PathBuf {
    let mut name = target.file_name().unwrap_or_default().to_owned();
    name.push(format!(".copying-{}", std::process::id()));
    parent(target).join(name)
}

/// Copies everything in `from`, and syncs all of it; when it fails, what was made is removed, and nothing else.
fn copy_into(from: &Path, target: &Path) -> io::Result<()> {
    let mut made = Vec::new();
    copy(from, target, &mut made).inspect_err(|_| {
        for path in made.into_iter().rev() {
            // What stays behind is seen by the next attempt, which refuses it by name.
            let _ = match path.is_dir() {
                true => std::fs::remove_dir(path),
                false => std::fs::remove_file(path),
            };
        }
    })
}

/// Replaces nothing. What says that the rest is there comes last.
fn copy(from: &Path, target: &Path, made: &mut Vec<PathBuf>) -> io::Result<()> {
    match std::fs::create_dir(target) {
        Ok(()) => made.push(target.to_owned()),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(error),
    }
    let mut names: Vec<_> =
        std::fs::read_dir(from)?.map(|entry| Ok(entry?.file_name())).collect::<io::Result<_>>()?;
    names.sort_by_key(|name| LAST.contains(&name.to_string_lossy().as_ref()));
    for name in names {
        let (source, copied) = (from.join(&name), target.join(&name));
        if source.is_dir() {
            copy(&source, &copied, made)?;
            continue;
        }
        let mut file = File::options().write(true).create_new(true).open(&copied)?;
        made.push(copied);
        io::copy(&mut File::open(&source)?, &mut file)?;
        file.sync_all()?;
    }
    sync_directory(target)
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
        copy_into(&from, &target).expect("copied");
        assert_eq!((read(&target), read(&from)), (read(&from), vec!["m".into(), "w".into()]));
    }

    #[test]
    fn a_copy_that_meets_somebody_elses_replaces_and_removes_nothing_of_it() {
        let root = tempfile::tempdir().expect("a temporary directory");
        let (from, target) = (backup(root.path()), root.path().join("copy"));
        std::fs::create_dir(&target).expect("made");
        std::fs::write(target.join("MANIFEST"), "theirs").expect("written");
        let error = copy_into(&from, &target).expect_err("something is there");
        assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
        let left: Vec<_> = std::fs::read_dir(&target).expect("there").flatten().collect();
        assert_eq!(left.len(), 1, "what was copied before is gone again");
        let kept = std::fs::read_to_string(target.join("MANIFEST")).expect("kept");
        assert_eq!(kept, "theirs");
    }

    /// Any error of the rename was followed by a copy, into whatever was there by then, and what was there was removed after it.
    #[test]
    fn what_came_to_the_place_meanwhile_is_left_alone() {
        let root = tempfile::tempdir().expect("a temporary directory");
        let (from, target) = (backup(root.path()), root.path().join("copy"));
        std::fs::create_dir(&target).expect("made");
        std::fs::write(target.join("wal"), "somebody's").expect("written");
        let error = take(&from, &target).expect_err("something is there");
        assert_eq!(error.kind(), io::ErrorKind::DirectoryNotEmpty);
        assert_eq!(read(&from), ["m", "w"], "it is as it was");
        let there = std::fs::read_dir(&target).expect("there").count();
        let kept = std::fs::read_to_string(target.join("wal")).expect("kept");
        assert_eq!((there, kept.as_str()), (1, "somebody's"));
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
