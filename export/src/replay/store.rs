//! Entries with their bytes, dealt out to partitions by the hash of their entity: in memory, and beyond its limit in a file.

use stdx::sync::Mutex;

use super::{
    entry::{ENTRY_BYTES, Entry},
    memory::{Memory, Place},
};
use crate::Error;

/// The limit is looked at once for so many bytes.
const LOOK_BYTES: usize = 1 << 20;

/// See the module.
#[derive(Debug)]
pub(super) struct Store {
    partitions: Vec<Mutex<Partition>>,
    bits: u32,
    memory: Memory,
    /// Bytes that memory was not told of yet, and those that it was.
    fresh: usize,
    told: usize,
    count: usize,
}

#[derive(Debug, Default)]
struct Partition {
    entries: Vec<Entry>,
    bytes: Vec<u8>,
    spilled: Vec<Spilled>,
}

/// A part of a partition in the file: entries, then bytes.
#[derive(Debug)]
struct Spilled {
    place: Place,
    entries: usize,
}

/// A partition in memory as a whole.
#[derive(Debug, Default)]
pub(super) struct Loaded {
    pub(super) entries: Vec<Entry>,
    pub(super) bytes: Vec<u8>,
}

impl Store {
    /// Of 2^`bits` partitions.
    pub(super) fn new(bits: u32, memory: &Memory) -> Self {
        let partitions = (0..1_usize << bits).map(|_| Mutex::default()).collect();
        Self { partitions, bits, memory: memory.clone(), fresh: 0, told: 0, count: 0 }
    }

    /// Adds an entry of an entity, taking effect at `order`, with the bytes that `write` appends.
    ///
    /// # Errors
    /// [`Error::Io`] when memory is full and the file cannot be written; [`Error::Usage`] when a partition is too large.
    pub(super) fn add(
        &mut self,
        (hash, check): (u64, u32),
        order: i64,
        write: impl FnOnce(&mut Vec<u8>),
    ) -> Result<(), Error> {
        let bytes = self.add_to(hash, |partition| {
            let at = partition.bytes.len();
            write(&mut partition.bytes);
            let length = partition.bytes.len() - at;
            Ok((Entry { hash, order, check, at: place(at)? }, length))
        })?;
        self.grown(bytes)
    }

    /// Adds an entry that is a number and no bytes.
    ///
    /// # Errors
    /// As [`Store::add`].
    pub(super) fn add_number(
        &mut self,
        (hash, check): (u64, u32),
        order: i64,
        number: u32,
    ) -> Result<(), Error> {
        let bytes = self.add_to(hash, |_| Ok((Entry { hash, order, check, at: number }, 0)))?;
        self.grown(bytes)
    }

    fn add_to(
        &mut self,
        hash: u64,
        make: impl FnOnce(&mut Partition) -> Result<(Entry, usize), Error>,
    ) -> Result<usize, Error> {
        let index = usize::try_from(hash.checked_shr(64 - self.bits).unwrap_or(0)).unwrap_or(0);
        let Some(partition) = self.partitions.get_mut(index) else { return Ok(0) };
        let partition = partition.get_mut();
        let (entry, length) = make(partition)?;
        partition.entries.push(entry);
        self.count += 1;
        Ok(ENTRY_BYTES + length)
    }

    fn grown(&mut self, bytes: usize) -> Result<(), Error> {
        self.fresh += bytes;
        if self.fresh < LOOK_BYTES {
            return Ok(());
        }
        self.memory.add(self.fresh);
        self.told += std::mem::take(&mut self.fresh);
        if self.memory.is_full() { self.spill() } else { Ok(()) }
    }

    /// Puts all that is in memory into the file.
    fn spill(&mut self) -> Result<(), Error> {
        let mut out = Vec::new();
        for partition in &mut self.partitions {
            let partition = partition.get_mut();
            if partition.entries.is_empty() {
                continue;
            }
            out.clear();
            partition.entries.iter().for_each(|entry| entry.encode(&mut out));
            out.extend_from_slice(&partition.bytes);
            let place = self.memory.spill(&out)?;
            partition.spilled.push(Spilled { place, entries: partition.entries.len() });
            (partition.entries, partition.bytes) = (Vec::new(), Vec::new());
        }
        self.memory.remove(std::mem::take(&mut self.told));
        Ok(())
    }

    /// Number of partitions.
    pub(super) fn partitions(&self) -> usize {
        self.partitions.len()
    }

    /// Bits of a hash that say its partition.
    pub(super) fn bits(&self) -> u32 {
        self.bits
    }

    /// Number of entries added.
    pub(super) fn len(&self) -> usize {
        self.count
    }

    /// True when some entries are in the file.
    pub(super) fn is_spilled(&self) -> bool {
        self.partitions.iter().any(|partition| !partition.lock().spilled.is_empty())
    }

    /// Bytes in memory.
    #[cfg(test)]
    pub(super) fn held(&self) -> usize {
        let held = |partition: &Mutex<Partition>| {
            let partition = partition.lock();
            partition.entries.len() * ENTRY_BYTES + partition.bytes.len()
        };
        self.partitions.iter().map(held).sum()
    }

    /// Shows all entries that are in memory.
    pub(super) fn each_in_memory(&self, mut show: impl FnMut(&Entry)) {
        self.partitions
            .iter()
            .for_each(|partition| partition.lock().entries.iter().for_each(&mut show));
    }

    /// The whole of a partition, in the order that it came. It is here no more.
    ///
    /// # Errors
    /// [`Error::Io`]; [`Error::Usage`] when it is too large for one partition.
    pub(super) fn take(&self, index: usize) -> Result<Loaded, Error> {
        let Some(partition) = self.partitions.get(index) else { return Ok(Loaded::default()) };
        let partition = std::mem::take(&mut *partition.lock());
        if partition.spilled.is_empty() {
            return Ok(Loaded { entries: partition.entries, bytes: partition.bytes });
        }
        let mut loaded = Loaded::default();
        for spilled in &partition.spilled {
            let bytes = self.memory.unspill(spilled.place)?;
            let split = bytes.split_at_checked(spilled.entries * ENTRY_BYTES);
            let (entries, rest) = split.unwrap_or_default();
            let base = base(&loaded, !rest.is_empty())?;
            let entries = entries.as_chunks().0.iter().map(|entry| Entry::decode(entry, base));
            loaded.entries.extend(entries);
            loaded.bytes.extend_from_slice(rest);
        }
        let base = base(&loaded, !partition.bytes.is_empty())?;
        let moved = |entry: &Entry| Entry { at: entry.at.saturating_add(base), ..*entry };
        loaded.entries.extend(partition.entries.iter().map(moved));
        loaded.bytes.extend_from_slice(&partition.bytes);
        place(loaded.bytes.len())?;
        Ok(loaded)
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        self.memory.remove(self.told);
    }
}

/// Where the next part of a partition begins. Numbers stay as they are.
fn base(loaded: &Loaded, has_bytes: bool) -> Result<u32, Error> {
    place(if has_bytes { loaded.bytes.len() } else { 0 })
}

/// A place in a partition.
fn place(at: usize) -> Result<u32, Error> {
    u32::try_from(at).map_err(|_| {
        let what = "one partition has more than 4 GiB of events: use more --partitions";
        Error::Usage(what.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(limit: u64) -> (Store, Memory) {
        let memory = Memory::new(limit, &std::env::temp_dir());
        let mut store = Store::new(3, &memory);
        for number in 0..100_000_u32 {
            let entity = Entry::entity_of(&(number % 1000).to_le_bytes());
            let write = |out: &mut Vec<u8>| out.extend_from_slice(&number.to_le_bytes());
            store.add(entity, i64::from(number), write).expect("it has room");
        }
        (store, memory)
    }

    #[test]
    fn what_was_spilled_comes_back_as_it_came() {
        let (whole, memory) = filled(u64::MAX);
        assert_eq!(memory.spilled(), 0);
        let (spilled, memory) = filled(100_000);
        assert!(memory.spilled() > 1_000_000, "{}", memory.spilled());
        let mut count = 0;
        for index in 0..whole.partitions() {
            let a = whole.take(index).expect("in memory");
            let b = spilled.take(index).expect("in the file");
            assert!(a.entries == b.entries && a.bytes == b.bytes, "partition {index}");
            for entry in &a.entries {
                let at = usize::try_from(entry.at).expect("small");
                let number = a.bytes[at..].first_chunk().expect("4 bytes");
                assert_eq!(i64::from(u32::from_le_bytes(*number)), entry.order);
            }
            count += a.entries.len();
        }
        assert_eq!(count, 100_000);
    }
}
