//! Slots: numbers of entities that never change while they live, each with the place of its block.

use super::arena::BlockRef;

/// Slots of a chunk: growing copies no more than these.
const CHUNK_SLOTS: usize = 1024;
/// Numbers of free slots are kept in references to nothing.
const SLOTS_MAX: usize = (1 << 26) - 1;

/// The block of every slot. Panics at a slot that was not handed out.
#[derive(Debug, Default)]
pub(super) struct Slots {
    chunks: Vec<Vec<BlockRef>>,
    /// The slot freed last; each free slot names the one freed before it.
    free: Option<u32>,
}

impl Slots {
    /// A slot without a block.
    pub(super) fn take(&mut self) -> u32 {
        if let Some(slot) = self.free {
            self.free = self.get(slot).number();
            return slot;
        }
        if self.chunks.last().is_none_or(|chunk| chunk.len() == CHUNK_SLOTS) {
            self.chunks.push(Vec::new());
        }
        let full = (self.chunks.len() - 1) * CHUNK_SLOTS;
        let last = self.chunks.last_mut().expect("a chunk was pushed");
        last.push(BlockRef::nothing(None));
        let slot = u32::try_from(full + last.len() - 1).ok();
        slot.filter(|slot| (*slot as usize) < SLOTS_MAX)
            .expect("a shard's table holds fewer than 2^26 entities")
    }

    /// Gives a slot back.
    pub(super) fn give_back(&mut self, slot: u32) {
        self.set(slot, BlockRef::nothing(self.free));
        self.free = Some(slot);
    }

    /// The block of a slot.
    #[inline]
    pub(super) fn get(&self, slot: u32) -> BlockRef {
        let (chunk, at) = split(slot);
        self.chunks[chunk][at]
    }

    /// The block of a slot is there now.
    #[inline]
    pub(super) fn set(&mut self, slot: u32, block: BlockRef) {
        let (chunk, at) = split(slot);
        self.chunks[chunk][at] = block;
    }

    /// Slots live below this number.
    pub(super) fn end(&self) -> u32 {
        let last = self.chunks.last().map_or(0, Vec::len);
        let slots = self.chunks.len().saturating_sub(1) * CHUNK_SLOTS + last;
        u32::try_from(slots).unwrap_or(u32::MAX)
    }

    /// Bytes allocated.
    pub(super) fn bytes(&self) -> usize {
        let slots: usize = self.chunks.iter().map(Vec::capacity).sum();
        slots * size_of::<BlockRef>() + self.chunks.capacity() * size_of::<Vec<BlockRef>>()
    }
}

/// Chunk and position in it.
#[inline]
fn split(slot: u32) -> (usize, usize) {
    (slot as usize / CHUNK_SLOTS, slot as usize % CHUNK_SLOTS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn freed_slots_are_handed_out_again_before_new_ones() {
        let mut slots = Slots::default();
        let taken: Vec<_> = (0..3000).map(|_| slots.take()).collect();
        assert_eq!((taken[2999], slots.end()), (2999, 3000));
        for slot in [7, 1024, 2999] {
            slots.give_back(slot);
        }
        assert_eq!([slots.take(), slots.take(), slots.take(), slots.take()], [2999, 1024, 7, 3000]);
    }
}
