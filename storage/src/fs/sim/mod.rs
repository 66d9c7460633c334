//! A disk in memory that loses, tears and fails as a test says, the same way for the same seed.
//!
//! What was written is visible at once; it survives [`SimFs::crash`] for certain only when it was synced. Of every unsynced
//! sector a crash keeps the new bytes, the old ones, or garbage; of unsynced creations, renames and removals it keeps a prefix.
//! Bytes that were not written stay as they are, even in a sector that was (powersafe overwrite, as SQLite assumes too).
//!
//! A sync that fails is as treacherous as Linux makes it: the written bytes are still seen, never reach the disk, and the next
//! sync succeeds without them. A write that fails leaves half of its bytes.

mod content;
mod disk;
mod file;

use std::sync::Arc;

use stdx::{prng::Prng, sync::Mutex};

use super::Vfs;
use crate::Error;
use content::Content;
use disk::{DirChange, Disk, Fate, Inode, failure, no_such_file};

pub use file::SimFile;

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

    /// The `operation`-th change (counted from 1) fails once with an I/O error; see the module for what it leaves behind.
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
        if let Some(content) = self.disk.lock().content(name) {
            for bytes in [&mut content.seen, &mut content.durable] {
                if let Some(byte) = bytes.get_mut(bit / 8) {
                    *byte ^= 1 << (bit % 8);
                }
            }
        }
    }

    /// Changes what is on the disk beneath a file: rot, a misdirected write, somebody who cuts it.
    pub fn damage(&self, name: &str, change: impl Fn(&mut Vec<u8>)) {
        if let Some(content) = self.disk.lock().content(name) {
            change(&mut content.seen);
            change(&mut content.durable);
        }
    }

    /// Has every read of a file fail, or none.
    pub fn fail_reads_of(&self, name: Option<&str>) {
        self.disk.lock().unreadable = name.map(str::to_owned);
    }

    /// The bytes of a file as a process sees them.
    #[must_use]
    pub fn bytes(&self, name: &str) -> Vec<u8> {
        self.disk.lock().content(name).map(|content| content.seen.clone()).unwrap_or_default()
    }

    /// A copy of the disk as it is seen, with nothing unsynced: for trying damage on.
    #[must_use]
    pub fn fork(&self) -> Self {
        let disk = self.disk.lock();
        let synced = |(inode, content): (&Inode, &Content)| (*inode, content.as_seen());
        let copy = Disk {
            names: disk.names.clone(),
            contents: disk.contents.iter().map(synced).collect(),
            next_inode: disk.next_inode,
            ..Disk::default()
        };
        Self { disk: Arc::new(Mutex::new(copy)) }
    }

    /// The power goes and comes back: unsynced bytes and directory changes are kept, lost or garbled as `prng` says, every
    /// handle is dead, the lock is free.
    pub fn crash(&self, prng: &mut Prng) {
        let mut disk = self.disk.lock();
        let changes = std::mem::take(&mut disk.unsynced);
        let kept = usize::try_from(prng.below(changes.len() as u64 + 1)).unwrap_or(0);
        for change in changes.into_iter().skip(kept).rev() {
            disk.undo(change);
        }
        for content in disk.contents.values_mut() {
            content.settle(prng);
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
        // Files without a name lived by their handles, unless a power cut can still give them back their names.
        if disk.unsynced.is_empty() {
            let Disk { names, contents, .. } = &mut *disk;
            contents.retain(|inode, _| names.values().any(|named| named == inode));
        }
    }

    /// One operation that changes something.
    fn change<T>(
        &self,
        name: &str,
        act: impl FnOnce(&mut Disk, Fate) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let mut disk = self.disk.lock();
        disk.operations += 1;
        let now = disk.operations;
        if disk.power_off_at.is_some_and(|at| now >= at) {
            return Err(failure("use", name, "the power is gone"));
        }
        let fate = if disk.failing.contains(&now) { Fate::Fails } else { Fate::Succeeds };
        let done = act(&mut disk, fate)?;
        match fate {
            Fate::Succeeds => Ok(done),
            Fate::Fails => Err(failure("use", name, "a simulated I/O error")),
        }
    }

    /// One operation that changes names: when it fails it has changed nothing.
    fn change_names<T>(
        &self,
        name: &str,
        act: impl FnOnce(&mut Disk) -> Result<T, Error>,
    ) -> Result<T, Error> {
        self.change(name, |disk, fate| match fate {
            Fate::Succeeds => act(disk),
            Fate::Fails => Err(failure("use", name, "a simulated I/O error")),
        })
    }
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
        self.change_names(name, |disk| {
            if disk.names.contains_key(name) {
                return Err(failure("create", name, "it exists"));
            }
            disk.need(name, bytes)?;
            disk.next_inode += 1;
            let inode = disk.next_inode;
            let mut content = Content::default();
            content.resize(usize::try_from(bytes).unwrap_or(0));
            disk.contents.insert(inode, content);
            disk.names.insert(name.to_owned(), inode);
            disk.unsynced.push(DirChange::Created { name: name.to_owned() });
            Ok(SimFile { fs: self.clone(), name: name.to_owned(), inode, life: disk.life })
        })
    }

    fn open(&self, name: &str) -> Result<SimFile, Error> {
        let disk = self.disk.lock();
        let inode = *disk.names.get(name).ok_or_else(|| no_such_file("open", name))?;
        Ok(SimFile { fs: self.clone(), name: name.to_owned(), inode, life: disk.life })
    }

    fn rename(&self, from: &str, to: &str) -> Result<(), Error> {
        self.change_names(from, |disk| {
            let inode = disk.names.remove(from).ok_or_else(|| no_such_file("rename", from))?;
            let replaced = disk.names.insert(to.to_owned(), inode);
            let (from, to) = (from.to_owned(), to.to_owned());
            disk.unsynced.push(DirChange::Renamed { from, to, replaced });
            Ok(())
        })
    }

    fn remove(&self, name: &str) -> Result<(), Error> {
        self.change_names(name, |disk| {
            let inode = disk.names.remove(name).ok_or_else(|| no_such_file("remove", name))?;
            disk.unsynced.push(DirChange::Removed { name: name.to_owned(), inode });
            Ok(())
        })
    }

    fn sync_dir(&self) -> Result<(), Error> {
        self.change_names("the directory", |disk| {
            disk.unsynced.clear();
            Ok(())
        })
    }

    fn list(&self) -> Result<Vec<String>, Error> {
        Ok(self.disk.lock().names.keys().cloned().collect())
    }

    fn free_bytes(&self) -> Result<u64, Error> {
        let disk = self.disk.lock();
        Ok(disk.capacity.map_or(u64::MAX, |capacity| capacity.saturating_sub(disk.used())))
    }

    fn path(&self, name: &str) -> String {
        name.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::fs::VFile;

    fn written(fs: &SimFs, bytes: &[u8]) -> SimFile {
        let file = fs.create_new("f", 0).expect("made");
        file.write_at(0, bytes).expect("written");
        file
    }

    #[test]
    fn a_crash_keeps_what_was_synced_and_only_that_for_certain() {
        let mut lost = 0;
        for seed in 0..50 {
            let fs = SimFs::new();
            let file = written(&fs, &[1; 600]);
            file.sync_data().expect("synced");
            fs.sync_dir().expect("synced");
            file.write_at(600, &[2; 600]).expect("written");
            fs.crash(&mut Prng::new(seed));
            assert_eq!(fs.bytes("f")[..600], [1; 600], "seed {seed}");
            lost += u32::from(fs.bytes("f").get(600..) != Some(&[2; 600]));
            assert!(file.sync_data().is_err(), "handles of an earlier life are dead");
        }
        assert!((10..50).contains(&lost), "{lost} of 50");
    }

    #[test]
    fn unsynced_names_are_kept_as_a_prefix() {
        let mut seen = BTreeSet::new();
        for seed in 0..50 {
            let fs = SimFs::new();
            fs.create_new("a", 0).expect("made");
            fs.rename("a", "b").expect("renamed");
            fs.create_new("c", 0).expect("made");
            fs.crash(&mut Prng::new(seed));
            seen.insert(fs.list().expect("listed"));
        }
        let states = [vec![], vec!["a"], vec!["b"], vec!["b", "c"]];
        assert!(seen.iter().eq(states.iter()), "{seen:?}");
    }

    #[test]
    fn a_failed_sync_is_not_made_good_by_the_next() {
        let fs = SimFs::new();
        let file = written(&fs, b"new");
        fs.sync_dir().expect("synced");
        fs.fail_at(fs.operations() + 1);
        file.sync_data().expect_err("told to fail");
        file.sync_data().expect("the system has forgotten");
        assert_eq!(fs.bytes("f"), b"new", "still seen");
        fs.crash(&mut Prng::new(1));
        assert_eq!(fs.bytes("f"), b"", "never on the disk");
    }

    #[test]
    fn a_failed_write_is_torn_and_a_full_disk_takes_nothing() {
        let fs = SimFs::new();
        let file = written(&fs, b"");
        fs.fail_at(fs.operations() + 1);
        file.write_at(0, b"abcd").expect_err("told to fail");
        assert_eq!(fs.bytes("f"), b"ab");
        fs.set_capacity(Some(3));
        assert!(matches!(file.write_at(0, b"abcd"), Err(Error::Full(_))));
        assert!(matches!(file.reserve(4), Err(Error::Full(_))));
        assert_eq!((fs.bytes("f"), fs.free_bytes().expect("known")), (b"ab".to_vec(), 1));
    }
}
