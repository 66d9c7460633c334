//! A disk in memory that loses, tears and fails as a test says, the same way for the same seed.
//!
//! What was written is visible at once; it survives [`SimFs::crash`] for certain only when it was synced. Of every unsynced
//! sector a crash keeps the new bytes, the old ones, or garbage; of unsynced creations and removals it keeps a prefix. Bytes
//! that were not written stay as they are, even in a sector that was (powersafe overwrite, as SQLite assumes too).

use std::collections::BTreeMap;
use std::sync::Arc;

use stdx::{prng::Prng, sync::Mutex};

use super::{VFile, Vfs};
use crate::Error;

/// Bytes that reach a disk together.
const SECTOR: usize = 512;

#[derive(Debug, Clone, Default)]
struct Content {
    /// As processes see it.
    seen: Vec<u8>,
    /// As a crash finds it.
    durable: Vec<u8>,
}

#[derive(Debug)]
enum DirChange {
    Created(String),
    Removed(String, Content),
}

#[derive(Debug, Default)]
struct Disk {
    files: BTreeMap<String, Content>,
    /// Creations and removals since the directory was synced.
    unsynced: Vec<DirChange>,
    locked: bool,
    /// Calls that change something, counted.
    operations: u64,
    /// From this operation on, everything fails: the power is gone.
    power_off_at: Option<u64>,
    /// These operations fail once, without the power going.
    failing: Vec<u64>,
    capacity: Option<u64>,
    /// Handles of an earlier life are dead.
    life: u64,
}

/// A simulated directory; clones share it.
#[derive(Debug, Clone, Default)]
pub struct SimFs {
    disk: Arc<Mutex<Disk>>,
}

impl SimFs {
    /// An empty disk.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// From the `operation`-th change on (counted from 1), every call fails as when the power is gone.
    pub fn power_off_at(&self, operation: u64) {
        self.disk.lock().power_off_at = Some(operation);
    }

    /// The `operation`-th change (counted from 1) fails once with an I/O error; what it wrote is not there.
    pub fn fail_at(&self, operation: u64) {
        self.disk.lock().failing.push(operation);
    }

    /// Limits the bytes of all files; `None` lifts the limit.
    pub fn set_capacity(&self, bytes: Option<u64>) {
        self.disk.lock().capacity = bytes;
    }

    /// Changes made so far.
    #[must_use]
    pub fn operations(&self) -> u64 {
        self.disk.lock().operations
    }

    /// Flips one bit of what is on the disk: bit rot.
    pub fn flip_bit(&self, name: &str, bit: usize) {
        let mut disk = self.disk.lock();
        if let Some(content) = disk.files.get_mut(name) {
            for bytes in [&mut content.seen, &mut content.durable] {
                if let Some(byte) = bytes.get_mut(bit / 8) {
                    *byte ^= 1 << (bit % 8);
                }
            }
        }
    }

    /// The bytes of a file as a process sees them.
    #[must_use]
    pub fn bytes(&self, name: &str) -> Vec<u8> {
        self.disk.lock().files.get(name).map(|content| content.seen.clone()).unwrap_or_default()
    }

    /// A copy of the disk as it is, with nothing unsynced: for trying damage on.
    #[must_use]
    pub fn fork(&self) -> Self {
        let disk = self.disk.lock();
        let files = disk
            .files
            .iter()
            .map(|(name, content)| {
                let seen = content.seen.clone();
                (name.clone(), Content { durable: seen.clone(), seen })
            })
            .collect();
        Self { disk: Arc::new(Mutex::new(Disk { files, ..Disk::default() })) }
    }

    /// The power goes and comes back: unsynced bytes and directory changes are kept, lost or garbled as `prng` says, every
    /// handle is dead, the lock is free.
    pub fn crash(&self, prng: &mut Prng) {
        let mut disk = self.disk.lock();
        let changes = std::mem::take(&mut disk.unsynced);
        let kept = usize::try_from(prng.below(changes.len() as u64 + 1)).unwrap_or(0);
        for change in changes.into_iter().skip(kept).rev() {
            match change {
                DirChange::Created(name) => {
                    disk.files.remove(&name);
                }
                DirChange::Removed(name, content) => {
                    disk.files.insert(name, content);
                }
            }
        }
        for content in disk.files.values_mut() {
            settle(content, prng);
        }
        drop(disk);
        self.kill();
    }

    /// The process is killed, the power stays: nothing is lost, every handle is dead, the lock is free.
    pub fn kill(&self) {
        let mut disk = self.disk.lock();
        disk.locked = false;
        disk.power_off_at = None;
        disk.failing.clear();
        disk.operations = 0;
        disk.life += 1;
    }

    fn change<T>(
        &self,
        name: &str,
        act: impl FnOnce(&mut Disk) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let mut disk = self.disk.lock();
        disk.operations += 1;
        let now = disk.operations;
        if disk.power_off_at.is_some_and(|at| now >= at) {
            return Err(failure("use", name, "the power is gone"));
        }
        if disk.failing.contains(&now) {
            return Err(failure("use", name, "a simulated I/O error"));
        }
        act(&mut disk)
    }
}

/// What a crash leaves of one file.
fn settle(content: &mut Content, prng: &mut Prng) {
    if content.seen == content.durable {
        return;
    }
    let length = if prng.chance(0.5) { content.seen.len() } else { content.durable.len() };
    let mut left = vec![0; length];
    for start in (0..length).step_by(SECTOR) {
        let end = (start + SECTOR).min(length);
        let sector = |bytes: &[u8]| {
            let mut sector = vec![0; end - start];
            for (to, from) in sector.iter_mut().zip(bytes.iter().skip(start)) {
                *to = *from;
            }
            sector
        };
        let (new, old) = (sector(&content.seen), sector(&content.durable));
        let chosen = match prng.below(8) {
            _ if new == old => new,
            0..=3 => new,
            4..=6 => old,
            // Powersafe overwrite: bytes of the sector that were not written are as they were.
            _ => {
                let mut garble = |(new, old): (&u8, &u8)| {
                    if new == old { *old } else { u8::try_from(prng.below(256)).unwrap_or(0) }
                };
                new.iter().zip(&old).map(&mut garble).collect()
            }
        };
        for (to, from) in left.iter_mut().skip(start).zip(chosen) {
            *to = from;
        }
    }
    content.durable.clone_from(&left);
    content.seen = left;
}

fn failure(operation: &'static str, name: &str, why: &str) -> Error {
    Error::io(operation, name, std::io::Error::other(why.to_owned()))
}

/// A simulated file.
#[derive(Debug)]
pub struct SimFile {
    fs: SimFs,
    name: String,
    life: u64,
}

/// Holds a simulated directory's lock.
#[derive(Debug)]
pub struct SimLock {
    fs: SimFs,
    life: u64,
}

impl Drop for SimLock {
    fn drop(&mut self) {
        let mut disk = self.fs.disk.lock();
        if disk.life == self.life {
            disk.locked = false;
        }
    }
}

impl Vfs for SimFs {
    type File = SimFile;
    type Lock = SimLock;

    fn lock(&self) -> Result<SimLock, Error> {
        let mut disk = self.disk.lock();
        if disk.locked {
            return Err(Error::Locked { directory: "simulated".into(), holder: String::new() });
        }
        disk.locked = true;
        Ok(SimLock { fs: self.clone(), life: disk.life })
    }

    fn create_new(&self, name: &str, bytes: u64) -> Result<SimFile, Error> {
        self.change(name, |disk| {
            if disk.files.contains_key(name) {
                return Err(failure("create", name, "it exists"));
            }
            let used: usize = disk.files.values().map(|content| content.seen.len()).sum();
            if disk.capacity.is_some_and(|capacity| used as u64 + bytes > capacity) {
                return Err(Error::Full(name.to_owned()));
            }
            let seen = vec![0; usize::try_from(bytes).unwrap_or(0)];
            disk.files.insert(name.to_owned(), Content { seen, durable: Vec::new() });
            disk.unsynced.push(DirChange::Created(name.to_owned()));
            Ok(SimFile { fs: self.clone(), name: name.to_owned(), life: disk.life })
        })
    }

    fn open(&self, name: &str) -> Result<SimFile, Error> {
        let disk = self.disk.lock();
        if !disk.files.contains_key(name) {
            return Err(failure("open", name, "there is no such file"));
        }
        Ok(SimFile { fs: self.clone(), name: name.to_owned(), life: disk.life })
    }

    fn remove(&self, name: &str) -> Result<(), Error> {
        self.change(name, |disk| {
            let content = disk.files.remove(name);
            let content =
                content.ok_or_else(|| failure("remove", name, "there is no such file"))?;
            disk.unsynced.push(DirChange::Removed(name.to_owned(), content));
            Ok(())
        })
    }

    fn sync_dir(&self) -> Result<(), Error> {
        self.change("the directory", |disk| {
            disk.unsynced.clear();
            Ok(())
        })
    }

    fn list(&self) -> Result<Vec<String>, Error> {
        Ok(self.disk.lock().files.keys().cloned().collect())
    }

    fn path(&self, name: &str) -> String {
        name.to_owned()
    }
}

impl SimFile {
    fn content<T>(&self, act: impl FnOnce(&mut Content) -> T) -> Result<T, Error> {
        self.fs.change(&self.name, |disk| {
            let alive = disk.life == self.life;
            let content = disk.files.get_mut(&self.name).filter(|_| alive);
            content.map(act).ok_or_else(|| failure("use", &self.name, "the handle is dead"))
        })
    }
}

impl VFile for SimFile {
    type Map = Vec<u8>;

    fn write_at(&self, offset: u64, bytes: &[u8]) -> Result<(), Error> {
        let start = usize::try_from(offset).unwrap_or(usize::MAX);
        self.content(|content| {
            let end = start + bytes.len();
            if content.seen.len() < end {
                content.seen.resize(end, 0);
            }
            for (to, from) in content.seen.iter_mut().skip(start).zip(bytes) {
                *to = *from;
            }
        })
    }

    fn sync_data(&self) -> Result<(), Error> {
        self.content(|content| content.durable.clone_from(&content.seen))
    }

    fn cut(&self, length: u64, reserve: u64) -> Result<(), Error> {
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        let reserve = usize::try_from(reserve).unwrap_or(0);
        self.content(|content| {
            content.seen.truncate(length);
            content.seen.resize(reserve.max(length), 0);
        })
    }

    fn map(&self) -> Result<Vec<u8>, Error> {
        Ok(self.fs.bytes(&self.name))
    }
}
