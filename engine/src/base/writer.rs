//! Lays a table out in a section of a snapshot. Memory: 16 bytes for each entity of one table of one shard.

use storage::{Error, Vfs, snapshot::SnapshotWriter};

use super::{Ordinals, Records, section::TRAILER_BYTES};

/// At least one place in so many is free: keys that are not there are found out soon.
const PLACES_PER_ENTITY: usize = 2;
/// Bytes of index that are put together before they are handed over.
const PART_BYTES: usize = 1 << 16;

/// Is told the bytes of the snapshot so far; an error of it ends the snapshot.
pub(crate) type GoOn<'a> = dyn FnMut(u64) -> Result<(), Error> + 'a;

/// One table on its way into a section that its caller began and ends.
#[derive(Debug, Default)]
pub(crate) struct BaseWriter {
    hashes: Vec<u64>,
    offsets: Vec<u64>,
    end: u64,
    carried: Ordinals,
    tile_bytes: u64,
}

impl BaseWriter {
    /// Writes `records`. `go_on` is told after each.
    ///
    /// # Errors
    /// Those of the file, and those of `go_on`.
    pub(crate) fn add<V: Vfs>(
        &mut self,
        out: &mut SnapshotWriter<V>,
        records: &Records,
        go_on: &mut GoOn<'_>,
    ) -> Result<(), Error> {
        for (hash, record) in records.iter() {
            self.hashes.push(hash);
            self.offsets.push(self.end);
            self.end += record.len() as u64;
            out.write(record)?;
            go_on(out.position())?;
        }
        self.tile_bytes += records.tile_bytes();
        for ordinal in records.carried() {
            self.carried.insert(*ordinal);
        }
        Ok(())
    }

    /// Writes offsets, index and trailer, which ends with `extra`. Returns the number of entities, and which of the last snapshot's
    /// are the first among them. `go_on` is told every 64 KiB.
    ///
    /// # Errors
    /// Those of the file, and those of `go_on`.
    pub(crate) fn finish<V: Vfs>(
        mut self,
        out: &mut SnapshotWriter<V>,
        extra: u32,
        go_on: &mut GoOn<'_>,
    ) -> Result<(u32, Ordinals), Error> {
        let entities = u32::try_from(self.hashes.len()).unwrap_or(u32::MAX);
        self.offsets.push(self.end);
        write_words(out, &self.offsets, go_on)?;
        let places = (self.hashes.len() * PLACES_PER_ENTITY + 1).next_power_of_two();
        write_words(out, &index(&self.hashes, places), go_on)?;
        let mut trailer = Vec::with_capacity(TRAILER_BYTES);
        let mut fields = stdx::cursor::Writer::new(&mut trailer);
        fields.u32(entities).u32(extra).u64(places as u64).u64(self.tile_bytes);
        out.write(&trailer)?;
        Ok((entities, self.carried))
    }
}

fn index(hashes: &[u64], places: usize) -> Vec<u64> {
    let mask = places - 1;
    let mut index = vec![0; places];
    for (ordinal, hash) in (1_u64..).zip(hashes) {
        let mut place = usize::try_from(hash & mask as u64).unwrap_or(0);
        while index.get(place).is_some_and(|entry| *entry != 0) {
            place = (place + 1) & mask;
        }
        if let Some(entry) = index.get_mut(place) {
            *entry = hash >> 32 << 32 | ordinal;
        }
    }
    index
}

fn write_words<V: Vfs>(
    out: &mut SnapshotWriter<V>,
    words: &[u64],
    go_on: &mut GoOn<'_>,
) -> Result<(), Error> {
    let mut part = Vec::with_capacity(PART_BYTES);
    for chunk in words.chunks(PART_BYTES / size_of::<u64>()) {
        part.clear();
        chunk.iter().for_each(|word| part.extend_from_slice(&word.to_le_bytes()));
        out.write(&part)?;
        go_on(out.position())?;
    }
    Ok(())
}
