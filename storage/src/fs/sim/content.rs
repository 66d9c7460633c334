//! The bytes of a simulated file: as they are seen, and as a crash finds them.

use std::collections::BTreeSet;

use stdx::prng::Prng;

/// Bytes that reach a disk together.
const SECTOR: usize = 512;

#[derive(Debug, Clone, Default)]
pub(super) struct Content {
    /// As processes see it.
    pub(super) seen: Vec<u8>,
    /// As a crash finds it.
    pub(super) durable: Vec<u8>,
    /// Sectors that the next sync brings to the disk. Others differ between `seen` and `durable` only after a failed sync.
    dirty: BTreeSet<usize>,
    /// The length was changed since the last sync.
    resized: bool,
    /// A sync failed since the last crash: what is seen may differ from the disk although nothing is dirty.
    untrue: bool,
}

impl Content {
    /// As it is seen, with nothing unsynced.
    pub(super) fn as_seen(&self) -> Self {
        let seen = self.seen.clone();
        Self { durable: seen.clone(), seen, ..Self::default() }
    }

    pub(super) fn write(&mut self, start: usize, bytes: &[u8]) {
        let end = start + bytes.len();
        if self.seen.len() < end {
            self.resize(end);
        }
        if let Some(to) = self.seen.get_mut(start..end) {
            to.copy_from_slice(bytes);
        }
        self.dirty.extend(start / SECTOR..end.div_ceil(SECTOR));
    }

    pub(super) fn resize(&mut self, length: usize) {
        let (low, high) = (length.min(self.seen.len()), length.max(self.seen.len()));
        self.dirty.extend(low / SECTOR..high.div_ceil(SECTOR));
        self.seen.resize(length, 0);
        self.resized = true;
    }

    pub(super) fn sync(&mut self) {
        if self.resized {
            self.durable.resize(self.seen.len(), 0);
        }
        for sector in std::mem::take(&mut self.dirty) {
            let (old, new) = self.sector(sector);
            old.copy_from_slice(new);
        }
        self.resized = false;
    }

    /// The bytes of a sector that are both on the disk and seen: as they are there, and as they are seen.
    fn sector(&mut self, sector: usize) -> (&mut [u8], &[u8]) {
        let both = self.seen.len().min(self.durable.len());
        let start = (sector * SECTOR).min(both);
        let range = start..(start + SECTOR).min(both);
        let (old, new) = (self.durable.get_mut(range.clone()), self.seen.get(range));
        (old.unwrap_or_default(), new.unwrap_or_default())
    }

    /// The system forgets that there was something to bring to the disk.
    pub(super) fn fail_sync(&mut self) {
        self.untrue |= self.resized || !self.dirty.is_empty();
        self.dirty.clear();
        self.resized = false;
    }

    /// What a crash leaves.
    pub(super) fn settle(&mut self, prng: &mut Prng) {
        if !self.resized && !self.untrue && self.dirty.is_empty() {
            return;
        }
        if self.resized && prng.chance(0.5) {
            self.durable.resize(self.seen.len(), 0);
        }
        for sector in std::mem::take(&mut self.dirty) {
            let fate = prng.below(8);
            let (old, new) = self.sector(sector);
            for (old, new) in old.iter_mut().zip(new) {
                match fate {
                    0..=3 => *old = *new,
                    4..=6 => {}
                    // Powersafe overwrite: bytes of the sector that were not written are as they were.
                    _ if *old == *new => {}
                    _ => *old = u8::try_from(prng.below(256)).unwrap_or(0),
                }
            }
        }
        (self.resized, self.untrue) = (false, false);
        self.seen.clone_from(&self.durable);
    }
}
