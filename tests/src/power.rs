//! A disk that loses its power: an ext4 file system in a file, shut down without writing out its journal.
//!
//! `ioctl(FS_IOC_SHUTDOWN, NOLOGFLUSH)` makes ext4 forget whatever had not reached the device, as a power cut does; after
//! unmounting and mounting again, its journal is replayed as after a power cut. Root, loop devices and mkfs.ext4 are needed.

use std::fs::File;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::fs::{Mode, OFlags, fstat, major, open};
use rustix::ioctl::{Setter, ioctl, opcode};
use tempfile::{NamedTempFile, TempDir};

use crate::seed::say;

/// `FS_IOC_SHUTDOWN`, `_IOR('X', 125, u32)` in the kernel's headers (its direction is a historical mistake: it is read from).
const SHUTDOWN: rustix::ioctl::Opcode = opcode::read::<u32>(b'X', 125);
/// Neither data nor the file system's own journal are written any more.
const NO_LOG_FLUSH: u32 = 2;
/// Major number of loop devices: Documentation/admin-guide/devices.txt of the kernel.
const LOOP_MAJOR: u32 = 7;
/// Size of the file system, in bytes. The image is sparse; three segments of the log fit.
const IMAGE_BYTES: u64 = 320 << 20;
/// Another program may look at a fresh file system for a moment; so often unmounting is tried.
const UNMOUNT_TRIES: u32 = 200;

/// The disk; unmounted, detached and removed when it is dropped.
#[derive(Debug)]
pub struct PowerDisk {
    /// `/dev/loopN`.
    device: String,
    mounted: bool,
    place: TempDir,
    _image: NamedTempFile,
}

impl PowerDisk {
    /// Makes and mounts one.
    ///
    /// # Errors
    /// Why this machine does not allow it.
    pub fn new() -> Result<Self, String> {
        if !rustix::process::geteuid().is_root() {
            return Err("mounting a file system needs root".to_owned());
        }
        let image = NamedTempFile::new().map_err(|error| error.to_string())?;
        image.as_file().set_len(IMAGE_BYTES).map_err(|error| error.to_string())?;
        let place = tempfile::tempdir().map_err(|error| error.to_string())?;
        let path = image.path().to_string_lossy().into_owned();
        run("mkfs.ext4", &["-q", "-F", "-m", "0", &path])?;
        let device = run("losetup", &["--find", "--show", &path])?.trim().to_owned();
        let mut disk = Self { device, mounted: false, place, _image: image };
        disk.mount()?;
        Ok(disk)
    }

    /// Where it is mounted.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        self.place.path().to_owned()
    }

    /// Cuts the power. Processes that use the disk get errors from now on; end them before [`PowerDisk::restore`].
    ///
    /// # Panics
    /// When this is not a file system of ours: nothing is done then.
    pub fn cut(&self) {
        let directory = open_directory(self.place.path());
        let device = fstat(&directory).expect("an open directory").st_dev;
        // The last line of defence against shutting down the machine's own file system.
        assert!(self.mounted && major(device) == LOOP_MAJOR, "{} is not ours", self.device);
        shut_down(&directory);
    }

    /// Gives the power back: the file system is mounted anew.
    ///
    /// # Panics
    /// When a process still uses it, or the kernel refuses it.
    pub fn restore(&mut self) {
        self.unmount().expect("nobody uses the disk");
        self.mount().expect("a disk that was mounted before");
    }

    fn mount(&mut self) -> Result<(), String> {
        let place = self.place.path().to_string_lossy().into_owned();
        run("mount", &["-t", "ext4", &self.device, &place])?;
        self.mounted = true;
        Ok(())
    }

    fn unmount(&mut self) -> Result<(), String> {
        unmount(self.place.path())?;
        self.mounted = false;
        Ok(())
    }
}

impl Drop for PowerDisk {
    fn drop(&mut self) {
        if self.mounted
            && let Err(error) = self.unmount()
        {
            say(&format!("{} stays mounted: {error}", self.place.path().display()));
        }
        if let Err(error) = run("losetup", &["--detach", &self.device]) {
            say(&format!("{} stays attached: {error}", self.device));
        }
    }
}

fn open_directory(path: &Path) -> File {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    File::from(open(path, flags, Mode::empty()).expect("the mount point can be opened"))
}

#[expect(
    unsafe_code,
    reason = "an ioctl takes whatever its number says; the proof stands at the call"
)]
fn shut_down(directory: impl AsFd) {
    // SAFETY: FS_IOC_SHUTDOWN reads one u32 of flags through the pointer that a Setter passes, and writes nothing to memory.
    let result = unsafe { ioctl(directory, Setter::<SHUTDOWN, u32>::new(NO_LOG_FLUSH)) };
    result.expect("ext4 can be shut down");
}

/// Unmounts what is mounted at `path`.
pub(crate) fn unmount(path: &Path) -> Result<(), String> {
    let path = path.to_string_lossy().into_owned();
    let mut last = String::new();
    for _ in 0..UNMOUNT_TRIES {
        match run("umount", &[&path]) {
            Ok(_) => return Ok(()),
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// Runs `program`; its standard output.
pub(crate) fn run(program: &str, args: &[&str]) -> Result<String, String> {
    let output = Command::new(program).args(args).output();
    let output = output.map_err(|error| format!("{program} does not start: {error}"))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    Err(format!("{program} {args:?}: {}", String::from_utf8_lossy(&output.stderr).trim()))
}
