//! Real files. The only code that calls the operating system's file functions, and the only `unsafe` of the product.
#![expect(
    clippy::disallowed_methods,
    reason = "this is the file through which all others reach files"
)]

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, SeekFrom, Write};
use std::num::NonZeroU64;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use memmap2::Mmap;
use rustix::fs::{Advice, FallocateFlags, SeekFrom as SystemSeek, fadvise, fallocate, seek};

use super::{VFile, Vfs};
use crate::{Error, dir::LOCK};

/// Linux takes no more of one piece of advice than it reads ahead of itself: 128 KiB, unless a disk is set to more.
const WILL_NEED_BYTES: u64 = 128 << 10;

/// Files of one directory.
#[derive(Debug, Clone)]
pub struct OsFs {
    directory: Arc<PathBuf>,
    /// Nothing is changed through it.
    read_only: bool,
}

impl OsFs {
    /// The files of `directory`, which is made when it is not there.
    ///
    /// # Errors
    /// [`Error::Io`] names the directory.
    pub fn open(directory: &Path) -> Result<Self, Error> {
        let io =
            |error| Error::io("make the data directory", directory.display().to_string(), error);
        let missing: Vec<_> = directory.ancestors().take_while(|path| !path.exists()).collect();
        std::fs::create_dir_all(directory).map_err(io)?;
        // A power loss must not take the directory with all that was acknowledged in it.
        for made in missing {
            let parent = made.parent().filter(|parent| !parent.as_os_str().is_empty());
            let parent = File::open(parent.unwrap_or(Path::new("."))).map_err(io)?;
            parent.sync_all().map_err(io)?;
        }
        Ok(Self { directory: Arc::new(directory.to_owned()), read_only: false })
    }

    /// The files of `directory`, which must be there, for looking at: whatever would change them fails, and the lock is shared
    /// with others who look.
    ///
    /// # Errors
    /// [`Error::Io`] names the directory.
    pub fn read_only(directory: &Path) -> Result<Self, Error> {
        let listed = std::fs::read_dir(directory).map(drop);
        listed.map_err(|error| Error::io("list", directory.display().to_string(), error))?;
        Ok(Self { directory: Arc::new(directory.to_owned()), read_only: true })
    }

    fn refuse_if_read_only(&self, operation: &'static str, name: &str) -> Result<(), Error> {
        if !self.read_only {
            return Ok(());
        }
        let refused = std::io::ErrorKind::ReadOnlyFilesystem.into();
        Err(Error::io(operation, self.path(name), refused))
    }

    /// The lock of those who only look: nothing is made or written for it.
    fn lock_shared(&self) -> Result<OsLock, Error> {
        let mut file = match File::open(self.at(LOCK)) {
            Ok(file) => file,
            // Nobody ever had it.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Ok(OsLock { file: None });
            }
            Err(error) => return Err(Error::io("open", self.path(LOCK), error)),
        };
        match file.try_lock_shared() {
            Ok(()) => Ok(OsLock { file: Some(file) }),
            Err(TryLockError::WouldBlock) => Err(self.locked(&mut file)),
            Err(TryLockError::Error(error)) => Err(Error::io("lock", self.path(LOCK), error)),
        }
    }

    /// Somebody else has the lock.
    fn locked(&self, file: &mut File) -> Error {
        let mut id = String::new();
        // Only for the message: without it, the lock still says enough.
        let _ = file.read_to_string(&mut id);
        let holder = if id.is_empty() { id } else { format!(" (process {id})") };
        Error::Locked { directory: self.directory.display().to_string(), holder }
    }

    fn at(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }
}

/// A real file.
#[derive(Debug)]
pub struct OsFile {
    file: File,
    path: String,
}

/// Holds the lock of a directory; the system lets go of it when the process ends, however it ends.
#[derive(Debug)]
pub struct OsLock {
    file: Option<File>,
}

impl OsLock {
    /// Says in the file who has it.
    fn sign(&self) -> std::io::Result<()> {
        let Some(mut file) = self.file.as_ref() else { return Ok(()) };
        file.set_len(0)?;
        file.seek(SeekFrom::Start(0))?;
        file.write_all(std::process::id().to_string().as_bytes())
    }
}

impl Drop for OsLock {
    /// Lets go of the lock itself. To close the file is not enough: a process that another thread is just starting
    /// has every open file of ours until it runs its own program, and the lock lasts as long as its last copy.
    fn drop(&mut self) {
        if let Some(file) = &self.file {
            // On a failure the file is closed a moment later, and the lock goes with it.
            let _ = file.unlock();
        }
    }
}

impl Vfs for OsFs {
    type File = OsFile;
    type Lock = OsLock;

    fn lock(&self) -> Result<OsLock, Error> {
        if self.read_only {
            return self.lock_shared();
        }
        let path = self.path(LOCK);
        let io = |error| Error::io("open", path.clone(), error);
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        let mut file = options.open(self.at(LOCK)).map_err(io)?;
        match file.try_lock() {
            Ok(()) => {
                let lock = OsLock { file: Some(file) };
                lock.sign().map_err(io)?;
                Ok(lock)
            }
            Err(TryLockError::WouldBlock) => Err(self.locked(&mut file)),
            Err(TryLockError::Error(error)) => Err(Error::io("lock", path, error)),
        }
    }

    fn create_new(&self, name: &str, bytes: u64) -> Result<OsFile, Error> {
        self.refuse_if_read_only("create", name)?;
        let path = self.path(name);
        let mut options = OpenOptions::new();
        options.read(true).write(true).create_new(true);
        let file = options
            .open(self.at(name))
            .map_err(|error| Error::io("create", path.clone(), error))?;
        let file = OsFile { file, path };
        if let Err(error) = file.reserve(bytes) {
            // An empty segment left behind would have to be told from a damaged one.
            let _ = self.remove(name);
            return Err(error);
        }
        Ok(file)
    }

    fn open(&self, name: &str) -> Result<OsFile, Error> {
        let path = self.path(name);
        let mut options = OpenOptions::new();
        options.read(true).write(!self.read_only);
        let file =
            options.open(self.at(name)).map_err(|error| Error::io("open", path.clone(), error))?;
        Ok(OsFile { file, path })
    }

    fn rename(&self, from: &str, to: &str) -> Result<(), Error> {
        self.refuse_if_read_only("rename", from)?;
        std::fs::rename(self.at(from), self.at(to))
            .map_err(|error| Error::io("rename", self.path(from), error))
    }

    fn remove(&self, name: &str) -> Result<(), Error> {
        self.refuse_if_read_only("remove", name)?;
        std::fs::remove_file(self.at(name))
            .map_err(|error| Error::io("remove", self.path(name), error))
    }

    fn sync_dir(&self) -> Result<(), Error> {
        let synced = File::open(&*self.directory).and_then(|directory| directory.sync_all());
        synced.map_err(|error| Error::broken("sync", self.directory.display().to_string(), error))
    }

    fn list(&self) -> Result<Vec<String>, Error> {
        let io = |error| Error::io("list", self.directory.display().to_string(), error);
        let mut names = Vec::new();
        for entry in std::fs::read_dir(&*self.directory).map_err(io)? {
            let entry = entry.map_err(io)?;
            // A folder is none of ours: backups wait in one.
            if !entry.file_type().map_err(io)?.is_dir() {
                names.push(entry.file_name().to_string_lossy().into_owned());
            }
        }
        Ok(names)
    }

    fn free_bytes(&self) -> Result<u64, Error> {
        let system = rustix::fs::statvfs(&*self.directory).map_err(|error| {
            Error::io("ask the free space of", self.directory.display().to_string(), error.into())
        })?;
        Ok(system.f_bavail.saturating_mul(system.f_frsize))
    }

    fn path(&self, name: &str) -> String {
        self.at(name).display().to_string()
    }
}

impl OsFile {
    fn length(&self) -> Result<u64, Error> {
        Ok(self.file.metadata().map_err(|error| self.io("read", error))?.len())
    }

    /// Writes zeros from `offset` to the end: for file systems that cannot punch holes.
    fn overwrite_with_zeros(&self, offset: u64) -> Result<(), Error> {
        static ZEROS: [u8; 64 << 10] = [0; 64 << 10];
        let (mut at, end) = (offset, self.length()?);
        while at < end {
            let bytes = usize::try_from(end - at).unwrap_or(usize::MAX).min(ZEROS.len());
            self.write_at(at, ZEROS.get(..bytes).unwrap_or_default())?;
            at += bytes as u64;
        }
        Ok(())
    }

    /// The whole file, as the system maps it; nothing of an empty one, which cannot be mapped.
    #[expect(
        unsafe_code,
        reason = "mapping a file is unsafe by nature; the proof stands at the call"
    )]
    fn mapping(&self) -> Result<Option<Mmap>, Error> {
        if self.length()? == 0 {
            return Ok(None);
        }
        // SAFETY: a mapping is unsound when the file is changed beneath it. The directory lock keeps other larder processes
        // out; this process maps a snapshot only when it is finished, after which nobody writes to it, and of a segment looks only
        // at bytes that it has synced and never writes again: before its first write in a recovery, up to a synced position
        // for a backup or a reader of the log. Somebody who edits the files of a running database by hand can break
        // this, as they can break the database itself.
        unsafe { Mmap::map(&self.file) }.map(Some).map_err(|error| self.io("map", error))
    }

    fn io(&self, operation: &'static str, error: std::io::Error) -> Error {
        Error::io(operation, self.path.clone(), error)
    }
}

impl VFile for OsFile {
    fn write_at(&self, offset: u64, bytes: &[u8]) -> Result<(), Error> {
        self.file.write_all_at(bytes, offset).map_err(|error| self.io("write", error))
    }

    fn sync_data(&self) -> Result<(), Error> {
        self.file.sync_data().map_err(|error| Error::broken("sync", self.path.clone(), error))
    }

    fn set_len(&self, bytes: u64) -> Result<(), Error> {
        self.file.set_len(bytes).map_err(|error| self.io("change the length of", error))
    }

    /// Where the file system cannot reserve space, only the length is set.
    fn reserve(&self, bytes: u64) -> Result<(), Error> {
        if bytes == 0 {
            return Ok(());
        }
        match fallocate(&self.file, FallocateFlags::empty(), 0, bytes) {
            Ok(()) => Ok(()),
            Err(rustix::io::Errno::OPNOTSUPP | rustix::io::Errno::NOSYS) => {
                self.set_len(self.length()?.max(bytes))
            }
            Err(error) => Err(self.io("reserve space for", error.into())),
        }
    }

    /// A hole is punched: the bytes are gone from the disk, not just overwritten in the system's memory.
    fn clear_from(&self, offset: u64) -> Result<(), Error> {
        let bytes = self.length()?.saturating_sub(offset);
        if bytes == 0 {
            return Ok(());
        }
        let flags = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
        match fallocate(&self.file, flags, offset, bytes) {
            Ok(()) => Ok(()),
            Err(rustix::io::Errno::OPNOTSUPP | rustix::io::Errno::NOSYS) => {
                self.overwrite_with_zeros(offset)
            }
            Err(error) => Err(self.io("clear", error.into())),
        }
    }

    fn data_from(&self, offset: u64) -> Result<Option<Range<u64>>, Error> {
        let length = self.length()?;
        if offset >= length {
            return Ok(None);
        }
        match seek(&self.file, SystemSeek::Data(offset)) {
            Ok(start) => {
                let end = seek(&self.file, SystemSeek::Hole(start)).unwrap_or(length);
                Ok(Some(start..end.min(length)))
            }
            // Only zeros follow.
            Err(rustix::io::Errno::NXIO) => Ok(None),
            // A file system that does not know.
            Err(_) => Ok(Some(offset..length)),
        }
    }

    fn map(&self) -> Result<Bytes, Error> {
        Ok(self.mapping()?.map_or_else(Bytes::new, Bytes::from_owner))
    }

    fn map_scattered(&self) -> Result<Bytes, Error> {
        let Some(map) = self.mapping()? else { return Ok(Bytes::new()) };
        // A system that takes no advice reads more than it is asked for: slow, and right.
        let _ = map.advise(memmap2::Advice::Random);
        Ok(Bytes::from_owner(map))
    }

    fn will_need(&self, range: Range<u64>) {
        let mut at = range.start;
        while at < range.end {
            let bytes = NonZeroU64::new(WILL_NEED_BYTES.min(range.end - at));
            if fadvise(&self.file, at, bytes, Advice::WillNeed).is_err() {
                return;
            }
            at = at.saturating_add(WILL_NEED_BYTES);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Without an unlock of its own, a database that was closed while some thread started a process could not be opened
    /// again for some milliseconds: the child had a copy of the locked file.
    #[test]
    fn a_copy_of_the_file_in_a_process_that_starts_does_not_keep_the_lock() {
        let directory = tempfile::tempdir().expect("a directory");
        for read_only in [false, true] {
            let fs = OsFs { read_only, ..OsFs::open(directory.path()).expect("opens") };
            let lock = fs.lock().expect("nobody else is here");
            let copy = lock.file.as_ref().map(|file| file.try_clone().expect("copied"));
            assert!(copy.is_some(), "the lock is a file");
            drop(lock);
            OsFs::open(directory.path())
                .expect("opens")
                .lock()
                .expect("free, whoever has the copy");
            drop(copy);
        }
    }
}
