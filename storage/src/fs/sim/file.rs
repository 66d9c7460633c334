//! An open simulated file.

use std::ops::Range;

use bytes::Bytes;

use super::{
    SimFs,
    disk::{Disk, Fate, Inode, failure},
};
use crate::{Error, fs::VFile};

/// A simulated file.
#[derive(Debug)]
pub struct SimFile {
    pub(super) fs: SimFs,
    /// What it was called when it was opened, for messages.
    pub(super) name: String,
    pub(super) inode: Inode,
    pub(super) life: u64,
}

impl SimFile {
    fn change(&self, act: impl FnOnce(&mut Disk, Fate) -> Result<(), Error>) -> Result<(), Error> {
        self.fs.change(&self.name, |disk, fate| {
            if disk.life != self.life {
                return Err(failure("use", &self.name, "the handle is dead"));
            }
            act(disk, fate)
        })
    }

    /// Changes the content; space for a longer file is asked for before.
    fn resize(&self, length: impl FnOnce(usize) -> usize) -> Result<(), Error> {
        self.change(|disk, fate| {
            let now = disk.contents.get(&self.inode).map_or(0, |content| content.seen.len());
            let length = length(now);
            disk.need(&self.name, length.saturating_sub(now) as u64)?;
            if let Some(content) = disk.contents.get_mut(&self.inode)
                && fate == Fate::Succeeds
            {
                content.resize(length);
            }
            Ok(())
        })
    }
}

impl VFile for SimFile {
    fn write_at(&self, offset: u64, bytes: &[u8]) -> Result<(), Error> {
        let start = usize::try_from(offset).unwrap_or(usize::MAX);
        self.change(|disk, fate| {
            let now = disk.contents.get(&self.inode).map_or(0, |content| content.seen.len());
            disk.need(&self.name, (start + bytes.len()).saturating_sub(now) as u64)?;
            let written = if fate == Fate::Succeeds { bytes.len() } else { bytes.len() / 2 };
            if let Some(content) = disk.contents.get_mut(&self.inode) {
                content.write(start, bytes.get(..written).unwrap_or_default());
            }
            Ok(())
        })
    }

    fn sync_data(&self) -> Result<(), Error> {
        self.change(|disk, fate| {
            if let Some(content) = disk.contents.get_mut(&self.inode) {
                match fate {
                    Fate::Succeeds => content.sync(),
                    Fate::Fails => content.fail_sync(),
                }
            }
            Ok(())
        })
    }

    fn set_len(&self, bytes: u64) -> Result<(), Error> {
        self.resize(|_| usize::try_from(bytes).unwrap_or(usize::MAX))
    }

    fn reserve(&self, bytes: u64) -> Result<(), Error> {
        let bytes = usize::try_from(bytes).unwrap_or(usize::MAX);
        self.resize(|now| now.max(bytes))
    }

    fn clear_from(&self, offset: u64) -> Result<(), Error> {
        let start = usize::try_from(offset).unwrap_or(usize::MAX);
        self.change(|disk, fate| {
            if let Some(content) = disk.contents.get_mut(&self.inode)
                && fate == Fate::Succeeds
                && start < content.seen.len()
            {
                let zeros = vec![0; content.seen.len() - start];
                content.write(start, &zeros);
            }
            Ok(())
        })
    }

    fn data_from(&self, offset: u64) -> Result<Option<Range<u64>>, Error> {
        let disk = self.fs.disk.lock();
        let length = disk.contents.get(&self.inode).map_or(0, |content| content.seen.len() as u64);
        Ok((offset < length).then_some(offset..length))
    }

    fn map(&self) -> Result<Bytes, Error> {
        let disk = self.fs.disk.lock();
        if disk.unreadable.as_ref() == Some(&self.name) {
            return Err(failure("read", &self.name, "a simulated I/O error"));
        }
        let content = disk.contents.get(&self.inode);
        Ok(content.map(|content| content.seen.clone()).unwrap_or_default().into())
    }
}
