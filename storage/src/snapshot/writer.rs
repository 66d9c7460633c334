//! Writes a snapshot beside the one that counts. Memory: one buffer, 8 bytes for each block and 32 for each section.

use stdx::mutant::{Mutant, is_planted};

use super::{
    SectionTag, SnapshotRef,
    format::{ALIGNMENT, BLOCK_BYTES, Entry, FORMAT, Footer, Header, block_checksum},
};
use crate::{
    Error, Vfs,
    dir::{self, NEXT_SNAPSHOT},
    fs::VFile,
};

/// Bytes that are written together: whole blocks.
const BUFFER_BYTES: usize = 16 * BLOCK_BYTES;
/// Bytes after which a sync is asked for. Without it the system would save up gigabytes and then bring all of them to the disk
/// at once, while syncs of the log wait.
const SYNC_BYTES: u64 = 32 << 20;

/// What follows from a full disk.
const GIVEN_UP: &str = "no snapshot was made, the last one and the log behind it hold, and writes go on while the log has space";

/// A snapshot in the making. Dropped before [`SnapshotWriter::finish`] it leaves no file.
#[derive(Debug)]
pub struct SnapshotWriter<V: Vfs> {
    vfs: V,
    number: u64,
    salt: u64,
    state: State<V::File>,
    /// What comes behind the bytes that are in the file; begins with a whole block.
    buffer: Vec<u8>,
    /// Bytes in the file.
    written: u64,
    /// Bytes of the file that a sync has covered.
    synced: u64,
    /// Checksums of the blocks in the file.
    checksums: Vec<u8>,
    sections: Vec<Entry>,
    /// The section that is being written: its name and where it starts.
    open: Option<(SectionTag, u64)>,
    /// Bytes of the disk that others need.
    kept_free: u64,
}

/// How the writer is.
#[derive(Debug)]
enum State<F> {
    Writing(F),
    /// The file is gone: an error is not made good by trying again.
    Failed(Error),
    /// The file has its name.
    Finished,
}

impl<V: Vfs> SnapshotWriter<V> {
    /// Begins the snapshot `number`, from 1, of the database `cluster`. `salt` is random: it seeds the checksums. What an earlier
    /// attempt left is removed.
    ///
    /// # Errors
    /// [`Error::Full`], [`Error::Io`].
    ///
    /// # Panics
    /// With number 0, which means that there is no snapshot.
    pub fn create(vfs: &V, number: u64, cluster: u128, salt: u64) -> Result<Self, Error> {
        assert!(number > 0, "snapshots are numbered from 1");
        if vfs.list()?.iter().any(|name| name == NEXT_SNAPSHOT) {
            vfs.remove(NEXT_SNAPSHOT)?;
        }
        let file = vfs.create_new(NEXT_SNAPSHOT, 0).map_err(|error| error.when_full(GIVEN_UP))?;
        let block_bytes = u32::try_from(BLOCK_BYTES).unwrap_or(u32::MAX);
        let mut buffer = Vec::with_capacity(BUFFER_BYTES);
        let header = Header { format: FORMAT, cluster, number, salt, block_bytes };
        buffer.extend_from_slice(&header.encode());
        Ok(Self {
            vfs: vfs.clone(),
            number,
            salt,
            state: State::Writing(file),
            buffer,
            written: 0,
            synced: 0,
            checksums: Vec::new(),
            sections: Vec::new(),
            open: None,
            kept_free: 0,
        })
    }

    /// Begins a section. It starts at a multiple of 64 bytes in the file.
    ///
    /// # Panics
    /// Before the one before was ended: a programmer's error.
    pub fn begin(&mut self, tag: SectionTag) {
        assert!(self.open.is_none(), "section {:?} has not ended", self.open);
        self.open = Some((tag, self.position()));
    }

    /// Appends to the section.
    ///
    /// # Errors
    /// [`Error::Full`] says what is missing; [`Error::Io`]. The file is gone then, and every later call fails the same way.
    ///
    /// # Panics
    /// Outside of a section: a programmer's error.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), Error> {
        assert!(self.open.is_some(), "bytes outside of a section");
        if let State::Failed(error) = &self.state {
            return Err(error.clone());
        }
        let mut rest = bytes;
        while !rest.is_empty() {
            let room = BUFFER_BYTES - self.buffer.len();
            let (now, later) = rest.split_at(room.min(rest.len()));
            self.buffer.extend_from_slice(now);
            if self.buffer.len() == BUFFER_BYTES {
                self.flush()?;
            }
            rest = later;
        }
        Ok(())
    }

    /// Ends the section.
    ///
    /// # Panics
    /// Without one: a programmer's error.
    pub fn end(&mut self) {
        let (tag, offset) = self.open.take().expect("a section was begun");
        let length = self.position() - offset;
        self.sections.push(Entry { tag, offset, length });
        // The buffer's end is a multiple of 64 too: padding never passes it.
        let padded = self.buffer.len().next_multiple_of(ALIGNMENT);
        self.buffer.resize(padded, 0);
    }

    /// Bytes so far, those of the header included.
    #[must_use]
    pub fn position(&self) -> u64 {
        self.written + self.buffer.len() as u64
    }

    /// Has the file whole on the disk under its name. It counts once the manifest names it.
    ///
    /// # Errors
    /// [`Error::Full`], [`Error::Io`]; the file is gone then.
    ///
    /// # Panics
    /// Inside of a section: a programmer's error.
    pub fn finish(mut self) -> Result<SnapshotRef, Error> {
        assert!(self.open.is_none(), "section {:?} has not ended", self.open);
        self.flush()?;
        let body_bytes = self.written;
        let sections = self.sections.len() as u64;
        let footer = Footer { number: self.number, salt: self.salt, body_bytes, sections };
        let mut tables = std::mem::take(&mut self.checksums);
        self.sections.iter().for_each(|entry| entry.encode(&mut tables));
        let checksum = footer.seal(&mut tables);
        self.append(&tables)?;
        self.sync()?;
        self.name()?;
        Ok(SnapshotRef { number: self.number, bytes: self.written, checksum })
    }

    /// Gives up: the file is removed. Dropping the writer does the same.
    pub fn abort(self) {}

    /// Brings the buffer to the file, with the checksums of its blocks noted.
    fn flush(&mut self) -> Result<(), Error> {
        let mut buffer = std::mem::take(&mut self.buffer);
        for block in buffer.chunks(BLOCK_BYTES) {
            let number = self.checksums.len() / size_of::<u64>();
            let checksum = block_checksum(self.salt, number, block);
            self.checksums.extend_from_slice(&checksum.to_le_bytes());
        }
        let appended = self.append(&buffer);
        // After a failure too the position never goes back.
        if appended.is_ok() {
            buffer.clear();
        }
        self.buffer = buffer;
        appended?;
        if self.written - self.synced >= SYNC_BYTES { self.sync() } else { Ok(()) }
    }

    /// Leaves `bytes` of the disk to others: the file is given up before it takes them.
    pub fn keep_free(&mut self, bytes: u64) {
        self.kept_free = bytes;
    }

    fn append(&mut self, bytes: &[u8]) -> Result<(), Error> {
        let at = self.written;
        let free = self.vfs.free_bytes().map_err(|error| self.fail(error))?;
        if free.saturating_sub(bytes.len() as u64) < self.kept_free {
            let (file, kept) = (self.vfs.path(NEXT_SNAPSHOT), self.kept_free);
            let why = format!(
                "{file} would leave less than the {kept} bytes that the log may need: {free} are free"
            );
            return Err(self.fail(Error::Full(why)));
        }
        self.on_file(|file| file.write_at(at, bytes)).map_err(|error| {
            self.fail(match error {
                Error::Full(file) => Error::Full(self.what_is_missing(&file, bytes.len())),
                other => other,
            })
        })?;
        self.written += bytes.len() as u64;
        Ok(())
    }

    fn sync(&mut self) -> Result<(), Error> {
        if !is_planted(Mutant::SnapshotNotSynced) {
            self.on_file(VFile::sync_data).map_err(|error| self.fail(error))?;
        }
        self.synced = self.written;
        Ok(())
    }

    /// Gives the whole and synced file its name, durably.
    fn name(&mut self) -> Result<(), Error> {
        let name = dir::snapshot(self.number);
        self.vfs.rename(NEXT_SNAPSHOT, &name).map_err(|error| self.fail(error))?;
        // From here on nothing is called snapshot-next that could be removed.
        self.state = State::Finished;
        if is_planted(Mutant::NoDirectorySync) {
            return Ok(());
        }
        self.vfs.sync_dir().inspect_err(|_| {
            // Whichever name the disk has, no manifest knows it; a start removes it if this cannot.
            let _ = self.vfs.remove(&name);
        })
    }

    fn on_file(&self, act: impl FnOnce(&V::File) -> Result<(), Error>) -> Result<(), Error> {
        match &self.state {
            State::Writing(file) => act(file),
            State::Failed(error) => Err(error.clone()),
            State::Finished => Err(Error::Closed),
        }
    }

    /// Closes and removes the file, so that its space is free at once. Returns `error`, which stays.
    fn fail(&mut self, error: Error) -> Error {
        if !matches!(self.state, State::Writing(_)) {
            return error;
        }
        let error = error.when_full(GIVEN_UP);
        self.state = State::Failed(error.clone());
        // A start or the next attempt removes it if this cannot.
        let _ = self.vfs.remove(NEXT_SNAPSHOT);
        error
    }

    fn what_is_missing(&self, file: &str, more: usize) -> String {
        let free = self.vfs.free_bytes().map_or_else(|_| "?".to_owned(), |bytes| bytes.to_string());
        let written = self.written;
        format!(
            "{file}: {more} bytes more are needed behind {written} of a snapshot, {free} are free"
        )
    }
}

impl<V: Vfs> Drop for SnapshotWriter<V> {
    fn drop(&mut self) {
        if matches!(self.state, State::Writing(_)) {
            let _ = self.vfs.remove(NEXT_SNAPSHOT);
        }
    }
}
