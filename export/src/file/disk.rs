//! Files for people and other tools, each there whole or not at all.
#![expect(
    clippy::disallowed_methods,
    reason = "what is exported is no file of a database: no simulated disk has to break it"
)]

use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use stdx::checksum::Crc64;
use stdx::sync::atomic::{AtomicU64, Ordering};

use crate::Error;

/// Bytes that gather before the system is called.
const BUFFER_BYTES: usize = 256 << 10;

/// A file under a name of its own until it is whole. Dropped before that, it is removed.
pub(crate) struct Unfinished {
    file: BufWriter<File>,
    temporary: PathBuf,
    target: PathBuf,
    bytes: u64,
    checksum: Crc64,
    is_finished: bool,
}

impl Unfinished {
    /// Begins the file that will be called `target`, beside it.
    pub(crate) fn create(target: &Path) -> Result<Self, Error> {
        let temporary = temporary(target)?;
        let file = OpenOptions::new().write(true).create_new(true).open(&temporary);
        let file = file.map_err(|error| Error::io("make it", target, error))?;
        Ok(Self {
            file: BufWriter::with_capacity(BUFFER_BYTES, file),
            temporary,
            target: target.to_owned(),
            bytes: 0,
            checksum: Crc64::default(),
            is_finished: false,
        })
    }

    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// CRC-64/NVME of what was written.
    pub(super) fn checksum(&self) -> u64 {
        self.checksum.value()
    }

    /// It will be called `target` instead, in the same directory.
    pub(super) fn rename(&mut self, target: PathBuf) {
        self.target = target;
    }

    /// Whether a file of this name is one, or was when its process ended.
    pub(crate) fn is_name(name: &str) -> bool {
        name.starts_with('.') && name.ends_with(".tmp")
    }

    /// Gives the file its name, in place of a file that had it; survives a power loss once this returns.
    pub(crate) fn finish(mut self) -> Result<(), Error> {
        let named = self.file.flush().and_then(|()| {
            self.file.get_ref().sync_all()?;
            std::fs::rename(&self.temporary, &self.target)
        });
        named.map_err(|error| Error::io("write it", &self.target, error))?;
        self.is_finished = true;
        let synced = File::open(directory(&self.target)).and_then(|parent| parent.sync_all());
        synced.map_err(|error| Error::io("make its name last", &self.target, error))
    }
}

impl Write for Unfinished {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.file.write(bytes)?;
        self.checksum.update(bytes.get(..count).unwrap_or(bytes));
        self.bytes += count as u64;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        if !self.is_finished {
            // Nobody needs it; who made it has its own trouble to tell of.
            let _ = std::fs::remove_file(&self.temporary);
        }
    }
}

/// A hidden name beside `target` that no other file of this process, or of another one, has.
fn temporary(target: &Path) -> Result<PathBuf, Error> {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let name = target.file_name().ok_or_else(|| Error::file(target, "it is no name of a file"))?;
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let name = format!(".{}.{}-{number}.tmp", name.to_string_lossy(), std::process::id());
    Ok(target.with_file_name(name))
}

/// The directory that `target` is in.
pub(super) fn directory(target: &Path) -> &Path {
    let parent = target.parent().filter(|parent| !parent.as_os_str().is_empty());
    parent.unwrap_or(Path::new("."))
}
