//! How much memory a replay may take, and the file that takes what does not fit.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use stdx::sync::{
    Arc, Mutex,
    atomic::{AtomicU64, Ordering},
};

use crate::Error;

/// Shared by all that a replay keeps.
#[derive(Debug, Clone)]
pub(super) struct Memory(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    limit: u64,
    used: AtomicU64,
    spilled: AtomicU64,
    dir: PathBuf,
    file: Mutex<Option<Spill>>,
}

/// A file without a name: it is gone when the replay is, however that ends.
#[derive(Debug)]
struct Spill {
    file: Arc<File>,
    end: u64,
}

/// Bytes in the file.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    at: u64,
    length: usize,
}

impl Memory {
    /// At most `limit` bytes, more in a file in `dir`.
    pub(super) fn new(limit: u64, dir: &Path) -> Self {
        let (used, spilled, file) = (AtomicU64::new(0), AtomicU64::new(0), Mutex::new(None));
        Self(Arc::new(Shared { limit, used, spilled, dir: dir.to_owned(), file }))
    }

    /// So many bytes more are in use, or fewer.
    pub(super) fn add(&self, bytes: usize) {
        self.0.used.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    pub(super) fn remove(&self, bytes: usize) {
        self.0.used.fetch_sub(bytes as u64, Ordering::Relaxed);
    }

    /// True when something has to go to the file.
    pub(super) fn is_full(&self) -> bool {
        self.0.used.load(Ordering::Relaxed) > self.0.limit
    }

    /// Bytes that went to the file.
    pub(super) fn spilled(&self) -> u64 {
        self.0.spilled.load(Ordering::Relaxed)
    }

    /// Writes `bytes` to the file.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub(super) fn spill(&self, bytes: &[u8]) -> Result<Place, Error> {
        let (file, at) = {
            let mut spill = self.0.file.lock();
            if spill.is_none() {
                let file = tempfile::tempfile_in(&self.0.dir);
                let file = file.map_err(|error| self.failed("make a file there", error))?;
                *spill = Some(Spill { file: Arc::new(file), end: 0 });
            }
            let Some(spill) = spill.as_mut() else { return Ok(Place { at: 0, length: 0 }) };
            let at = spill.end;
            spill.end += bytes.len() as u64;
            (Arc::clone(&spill.file), at)
        };
        file.write_all_at(bytes, at).map_err(|error| self.failed("write a file there", error))?;
        self.0.spilled.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        Ok(Place { at, length: bytes.len() })
    }

    /// Reads what [`Memory::spill`] wrote.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub(super) fn unspill(&self, place: Place) -> Result<Vec<u8>, Error> {
        let file = self.0.file.lock().as_ref().map(|spill| Arc::clone(&spill.file));
        let mut bytes = vec![0; place.length];
        if let Some(file) = file {
            file.read_exact_at(&mut bytes, place.at)
                .map_err(|error| self.failed("read a file there", error))?;
        }
        Ok(bytes)
    }

    fn failed(&self, what: &'static str, error: std::io::Error) -> Error {
        Error::io(what, &self.0.dir, error)
    }
}
