//! A disk that fills up, or takes no writes at all: a tmpfs of a fixed size. Root is needed.

use std::path::{Path, PathBuf};

use rustix::fs::{FallocateFlags, Mode, OFlags, fallocate, open};
use tempfile::TempDir;

use crate::{
    power::{run, unmount},
    seed::say,
};

/// The disk; unmounted and removed when it is dropped.
#[derive(Debug)]
pub struct SmallDisk {
    place: TempDir,
}

impl SmallDisk {
    /// Makes one of `bytes` bytes and mounts it.
    ///
    /// # Errors
    /// Why this machine does not allow it.
    pub fn new(bytes: u64) -> Result<Self, String> {
        if !rustix::process::geteuid().is_root() {
            return Err("mounting a file system needs root".to_owned());
        }
        let place = tempfile::tempdir().map_err(|error| error.to_string())?;
        let size = format!("size={bytes}");
        run("mount", &["-t", "tmpfs", "-o", &size, "larder-test", &text(place.path())])?;
        Ok(Self { place })
    }

    /// Where it is mounted.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        self.place.path().to_owned()
    }

    /// Takes `bytes` bytes of it away; [`SmallDisk::give_back`] returns them.
    ///
    /// # Panics
    /// When there is not so much.
    pub fn take_away(&self, bytes: u64) {
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
        let file = open(self.ballast(), flags, Mode::RUSR | Mode::WUSR).expect("a new file");
        fallocate(&file, FallocateFlags::empty(), 0, bytes).expect("there is so much space");
    }

    /// Gives back what was taken away.
    ///
    /// # Panics
    /// When nothing was.
    pub fn give_back(&self) {
        rustix::fs::unlink(self.ballast()).expect("it was taken away");
    }

    /// Takes no writes from now on.
    ///
    /// # Panics
    /// When a file is open for writing.
    pub fn make_read_only(&self) {
        run("mount", &["-o", "remount,ro", &text(self.place.path())]).expect("nobody writes");
    }

    fn ballast(&self) -> PathBuf {
        self.place.path().join("somebody's file")
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        if let Err(error) = unmount(self.place.path()) {
            say(&format!("{} stays mounted: {error}", self.place.path().display()));
        }
    }
}

fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}
