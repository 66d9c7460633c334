//! A directory of files that is there whole, under its name, or not at all.
#![expect(
    clippy::disallowed_methods,
    reason = "what is exported is no file of a database: no simulated disk has to break it"
)]

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use super::disk::{Unfinished, directory};
use crate::Error;

/// The end of the name of a directory that is being filled.
pub const PARTIAL: &str = ".partial";

/// A directory that is being filled. Dropped unfinished, it is removed with all that is in it.
#[derive(Debug)]
pub struct UnfinishedFolder {
    partial: PathBuf,
    target: PathBuf,
    is_finished: bool,
}

impl UnfinishedFolder {
    /// Begins the directory that will be called `target`, beside it; what an attempt that was killed left there is removed.
    ///
    /// # Errors
    /// [`Error::File`] when something is at `target` already, other than an empty directory; [`Error::Io`].
    pub fn create(target: &Path) -> Result<Self, Error> {
        let name = target.file_name();
        let name = name.ok_or_else(|| Error::file(target, "it is no name of a directory"))?;
        refuse_existing(target)?;
        let mut partial = name.to_owned();
        partial.push(PARTIAL);
        let partial = target.with_file_name(partial);
        let io = |error| Error::io("make it", &partial, error);
        fs::create_dir_all(directory(target)).map_err(io)?;
        if fs::symlink_metadata(&partial).is_ok() {
            fs::remove_dir_all(&partial)
                .map_err(|error| Error::io("remove it", &partial, error))?;
        }
        // Not with its parents: a link in its place is refused.
        fs::create_dir(&partial).map_err(io)?;
        Ok(Self { partial, target: target.to_owned(), is_finished: false })
    }

    /// Where its files are made.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.partial
    }

    /// Makes the empty directory `name` in it, in place of one that there was.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn fresh(&self, name: &str) -> Result<PathBuf, Error> {
        let path = self.partial.join(name);
        if path.exists() {
            fs::remove_dir_all(&path).map_err(|error| Error::io("remove it", &path, error))?;
        }
        fs::create_dir(&path).map_err(|error| Error::io("make it", &path, error))?;
        Ok(path)
    }

    /// Writes the text file `last`, which says what the others are, and gives the directory its name.
    ///
    /// # Errors
    /// [`Error::Io`]: the directory is not there then.
    pub fn finish(mut self, last: &str, text: &str) -> Result<(), Error> {
        let path = self.partial.join(last);
        let mut file = Unfinished::create(&path)?;
        file.write_all(text.as_bytes()).map_err(|error| Error::io("write it", &path, error))?;
        file.finish()?;
        // Again: a directory may have been made there meanwhile, by somebody who asked for the same name.
        refuse_existing(&self.target)?;
        let named = fs::rename(&self.partial, &self.target)
            .and_then(|()| File::open(directory(&self.target)))
            .and_then(|parent| parent.sync_all());
        named.map_err(|error| Error::io("give the directory its name", &self.target, error))?;
        self.is_finished = true;
        Ok(())
    }
}

impl Drop for UnfinishedFolder {
    fn drop(&mut self) {
        if !self.is_finished {
            // What cannot be removed now is removed by the next attempt.
            let _ = fs::remove_dir_all(&self.partial);
        }
    }
}

/// Removes what attempts that were killed left below `root`; how many there were.
pub fn clear_unfinished(root: &Path) -> u64 {
    let mut removed = 0;
    // Nothing there is nothing to clear.
    let Ok(entries) = fs::read_dir(root) else { return removed };
    for path in entries.flatten().map(|entry| entry.path()) {
        let is_partial = path.to_string_lossy().ends_with(PARTIAL);
        removed += u64::from(is_partial && fs::remove_dir_all(&path).is_ok());
    }
    removed
}

/// Links are not followed: what they name may not be there, and is there all the same for whoever writes.
fn refuse_existing(target: &Path) -> Result<(), Error> {
    let Ok(found) = fs::symlink_metadata(target) else { return Ok(()) };
    let is_empty = || fs::read_dir(target).is_ok_and(|mut entries| entries.next().is_none());
    if found.is_dir() && is_empty() {
        return Ok(());
    }
    Err(Error::file(target, "there is something already: choose another name, or remove it there"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(root: &Path) -> Vec<String> {
        let entries = fs::read_dir(root).expect("it is there");
        let name = |entry: fs::DirEntry| entry.file_name().to_string_lossy().into_owned();
        let mut names: Vec<_> = entries.map(|entry| name(entry.expect("it is there"))).collect();
        names.sort_unstable();
        names
    }

    #[test]
    fn a_folder_is_there_whole_or_not_at_all() {
        let root = tempfile::tempdir().expect("there is room");
        let target = root.path().join("below/one");
        let given_up = UnfinishedFolder::create(&target).expect("nothing is there");
        given_up.fresh("group").expect("there is room");
        drop(given_up);
        assert_eq!(names(&root.path().join("below")), [""; 0]);
        let folder = UnfinishedFolder::create(&target).expect("nothing is there");
        folder.fresh("group").expect("there is room");
        assert!(!target.exists(), "it has no name yet");
        folder.finish("manifest.json", "{}").expect("there is room");
        assert_eq!(names(&target), ["group", "manifest.json"]);
        let refused = UnfinishedFolder::create(&target).expect_err("it is taken").to_string();
        assert!(refused.contains("below/one: there is something already"), "{refused}");
    }

    #[test]
    fn an_empty_directory_may_be_filled_and_a_link_is_never_followed() {
        let root = tempfile::tempdir().expect("there is room");
        let (empty, link) = (root.path().join("empty"), root.path().join("link"));
        fs::create_dir(&empty).expect("there is room");
        let folder = UnfinishedFolder::create(&empty).expect("it is empty");
        folder.finish("manifest.json", "{}").expect("there is room");
        std::os::unix::fs::symlink(root.path().join("nowhere"), &link).expect("there is room");
        assert!(UnfinishedFolder::create(&link).is_err(), "what it names is not there");
        // A link in place of the unfinished directory: it goes, what it names stays.
        let planted = root.path().join("new.partial");
        std::os::unix::fs::symlink(&empty, &planted).expect("there is room");
        let folder = UnfinishedFolder::create(&root.path().join("new")).expect("it is free");
        folder.finish("manifest.json", "{}").expect("there is room");
        assert_eq!(names(&empty), ["manifest.json"]);
        assert_eq!(names(root.path()), ["empty", "link", "new"]);
    }

    #[test]
    fn what_was_killed_is_cleared() {
        let root = tempfile::tempdir().expect("there is room");
        assert_eq!(clear_unfinished(&root.path().join("nowhere")), 0);
        fs::create_dir(root.path().join("half.partial")).expect("there is room");
        fs::create_dir(root.path().join("whole")).expect("there is room");
        assert_eq!(clear_unfinished(root.path()), 1);
        assert_eq!(names(root.path()), ["whole"]);
    }
}
