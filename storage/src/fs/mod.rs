//! The file system as the log needs it: a handful of calls that tests can break on purpose.

mod os;
mod overlay;
mod sim;

use std::ops::Range;

use bytes::Bytes;

pub use os::{OsFile, OsFs};
pub use overlay::{OverlayFile, OverlayFs};
pub use sim::{SimFile, SimFs};

use crate::Error;

/// A directory of files.
pub trait Vfs: Clone + Send + Sync + 'static {
    /// An open file.
    type File: VFile;
    /// Keeps the directory locked until dropped.
    type Lock: Send + Sync;

    /// Takes the directory for this process alone.
    ///
    /// # Errors
    /// [`Error::Locked`] when another one has it.
    fn lock(&self) -> Result<Self::Lock, Error>;
    /// Makes a file that must not exist, with `bytes` of space reserved and reading as zeros.
    ///
    /// # Errors
    /// [`Error::Full`] without space, else [`Error::Io`].
    fn create_new(&self, name: &str, bytes: u64) -> Result<Self::File, Error>;
    /// Opens an existing file for reading and writing.
    ///
    /// # Errors
    /// [`Error::Io`].
    fn open(&self, name: &str) -> Result<Self::File, Error>;
    /// Gives a file another name; a file that had this name is gone then. Open handles stay usable.
    ///
    /// # Errors
    /// [`Error::Io`].
    fn rename(&self, from: &str, to: &str) -> Result<(), Error>;
    /// Removes a file.
    ///
    /// # Errors
    /// [`Error::Io`].
    fn remove(&self, name: &str) -> Result<(), Error>;
    /// Makes creations, renames and removals survive a power loss.
    ///
    /// # Errors
    /// [`Error::Io`].
    fn sync_dir(&self) -> Result<(), Error>;
    /// Names of all files.
    ///
    /// # Errors
    /// [`Error::Io`].
    fn list(&self) -> Result<Vec<String>, Error>;
    /// Space left for this process, in bytes.
    ///
    /// # Errors
    /// [`Error::Io`].
    fn free_bytes(&self) -> Result<u64, Error>;
    /// The path of a file, for messages.
    fn path(&self, name: &str) -> String;
}

/// An open file. Offsets and lengths in bytes.
pub trait VFile: Send + Sync + 'static {
    /// Writes all of `bytes` at `offset`.
    ///
    /// # Errors
    /// [`Error::Full`] or [`Error::Io`]; what reached the file is then unknown.
    fn write_at(&self, offset: u64, bytes: &[u8]) -> Result<(), Error>;
    /// Makes written bytes survive a power loss.
    ///
    /// # Errors
    /// [`Error::Io`]; what is on the disk is then unknown, and stays so: the system takes the bytes for written, so that
    /// asking again succeeds without writing them.
    fn sync_data(&self) -> Result<(), Error>;
    /// Cuts the file at `bytes`, or extends it with zeros, without a promise of space.
    ///
    /// # Errors
    /// [`Error::Io`].
    fn set_len(&self, bytes: u64) -> Result<(), Error>;
    /// Extends the file with zeros to `bytes` and has the space for them; a longer file stays as it is.
    ///
    /// # Errors
    /// [`Error::Full`] or [`Error::Io`].
    fn reserve(&self, bytes: u64) -> Result<(), Error>;
    /// Has everything from `offset` on read as zeros, whatever stood there; the length stays, the space may have to be reserved
    /// again. Survives a power loss once synced, even where an earlier change of the same bytes failed to.
    ///
    /// # Errors
    /// [`Error::Full`] or [`Error::Io`].
    fn clear_from(&self, offset: u64) -> Result<(), Error>;
    /// The next bytes at or after `offset` that may be other than zeros; `None` when there are none up to the end.
    ///
    /// # Errors
    /// [`Error::Io`].
    fn data_from(&self, offset: u64) -> Result<Option<Range<u64>>, Error>;
    /// The whole file for reading, as long as any part of what is returned is kept. Nobody else writes it: the directory is
    /// locked.
    ///
    /// # Errors
    /// [`Error::Io`].
    fn map(&self) -> Result<Bytes, Error>;
    /// As [`VFile::map`], for who reads a little here and a little there: the system brings into memory what is read and nothing
    /// around it. Before more than a few bytes are read, [`VFile::will_need`] has them come in one go.
    ///
    /// # Errors
    /// [`Error::Io`].
    fn map_scattered(&self) -> Result<Bytes, Error> {
        self.map()
    }
    /// The bytes of `range` are about to be read: the disk may begin to bring them, nobody waits for it here. Advice only:
    /// whatever becomes of it, reads find the same.
    fn will_need(&self, _range: Range<u64>) {}
}
