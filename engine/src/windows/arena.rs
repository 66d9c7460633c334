//! Blocks of memory in size classes: what an entity keeps is one block, hardly longer than what is in it.
//!
//! ```text
//! class   16 24 32 … 128 | 144 160 … 256 | 288 320 … 512 | … 4096 bytes; what is longer has an allocation of its own
//! chunk   the blocks of one class side by side; about 4 KiB, at least eight blocks
//! ```
//!
//! A class has no gaps: its last block moves into the place of one that is freed. So memory follows what is used, whatever came
//! and went, and there are no lists of free blocks. Whoever owns the block that moved has to be told: see [`Arena::free`].

/// Classes of 8 bytes each, from 16 on.
const SMALL_CLASSES: usize = 15;
/// The longest block of those.
const SMALL_BYTES_MAX: usize = 128;
/// Doublings of the block length after that, each in eight steps.
const DOUBLINGS: usize = 5;
/// Number of classes.
const CLASSES: usize = SMALL_CLASSES + 8 * DOUBLINGS;
/// The longest block that shares a chunk.
const SHARED_BYTES_MAX: usize = SMALL_BYTES_MAX << DOUBLINGS;
/// The class of blocks with an allocation of their own.
const OWN: usize = 62;
/// Not a class: references with it name no block.
const NOTHING: usize = 63;

/// Bits of a reference below its class.
const INDEX_BITS: u32 = 26;
const INDEX_MAX: u32 = (1 << INDEX_BITS) - 1;

/// Bytes of a chunk, unless eight blocks need more.
const CHUNK_BYTES: usize = 4096;
/// A class with so many chunks gets further ones whole; the last of fewer chunks doubles until it is one.
const WHOLE_FROM: usize = 8;
/// Bytes of the first chunk of a class, at first.
const FIRST_BYTES: usize = 512;

/// Lengths of own blocks have this many bits below their highest.
const OWN_PRECISION: u32 = 3;
/// And are multiples of at most this power of two: what a block has left over is below 64 KiB.
const OWN_STEP_BITS_MAX: u32 = 15;

/// A class of blocks.
#[derive(Debug, Clone, Copy)]
struct Class {
    block: usize,
    /// Bytes of a whole chunk.
    chunk: usize,
    /// Bits of an index that say the place in a chunk.
    shift: u32,
}

const TABLE: [Class; CLASSES] = classes();

const fn classes() -> [Class; CLASSES] {
    let mut table = [Class { block: 0, chunk: 0, shift: 0 }; CLASSES];
    let mut at = 0;
    while at < CLASSES {
        let block = if at < SMALL_CLASSES {
            16 + 8 * at
        } else {
            let (doubling, step) = ((at - SMALL_CLASSES) / 8, (at - SMALL_CLASSES) % 8);
            (SMALL_BYTES_MAX << doubling) / 8 * (9 + step)
        };
        let eight = 8 * block.next_power_of_two();
        let chunk = if eight > CHUNK_BYTES { eight } else { CHUNK_BYTES };
        table[at] = Class { block, chunk, shift: (chunk / block).next_power_of_two().ilog2() };
        at += 1;
    }
    table
}

/// The class of blocks that hold `len` bytes.
#[inline]
fn class_of(len: usize) -> usize {
    if len <= SMALL_BYTES_MAX {
        (len.max(16) - 16).div_ceil(8)
    } else if len <= SHARED_BYTES_MAX {
        let doubling = ((len - 1) / SMALL_BYTES_MAX).ilog2() as usize;
        let start = SMALL_BYTES_MAX << doubling;
        SMALL_CLASSES + 8 * doubling + (len - 1 - start) / (start / 8)
    } else {
        OWN
    }
}

/// Bytes of the block that `len` bytes get.
pub(super) fn block_bytes(len: usize) -> usize {
    match TABLE.get(class_of(len)) {
        Some(class) => class.block,
        None => len.next_multiple_of(1 << (len.ilog2() - OWN_PRECISION).min(OWN_STEP_BITS_MAX)),
    }
}

/// Names a block: its class and its place there. Good until the block is freed or moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BlockRef(u32);

impl BlockRef {
    fn new(class: usize, index: usize) -> Self {
        let class = u32::try_from(class).unwrap_or(0);
        let index = u32::try_from(index).ok().filter(|index| *index <= INDEX_MAX);
        Self(class << INDEX_BITS | index.expect("memory ends before the blocks of a class do"))
    }

    #[inline]
    fn class(self) -> usize {
        (self.0 >> INDEX_BITS) as usize
    }

    #[inline]
    fn index(self) -> usize {
        (self.0 & INDEX_MAX) as usize
    }

    /// A reference that names no block but carries a number below 2^26, or nothing.
    pub(super) fn nothing(number: Option<u32>) -> Self {
        Self::new(NOTHING, number.map_or(INDEX_MAX, |number| number.min(INDEX_MAX)) as usize)
    }

    /// False for what [`BlockRef::nothing`] made.
    #[inline]
    pub(super) fn is_block(self) -> bool {
        self.class() != NOTHING
    }

    /// The number given to [`BlockRef::nothing`].
    pub(super) fn number(self) -> Option<u32> {
        let number = self.0 & INDEX_MAX;
        (number != INDEX_MAX).then_some(number)
    }
}

/// Blocks of all lengths. Panics at a reference that it did not give, or that is not good any more.
#[derive(Debug, Default)]
pub(super) struct Arena {
    /// The chunks of each class, up to the largest class in use; a chunk is as long as its blocks.
    classes: Vec<Vec<Vec<u8>>>,
    own: Vec<Vec<u8>>,
    own_bytes: usize,
}

impl Arena {
    /// A block that begins with `content`; what is behind it is anything.
    #[inline]
    pub(super) fn alloc(&mut self, content: &[u8], len: usize) -> BlockRef {
        let at = class_of(len);
        let Some(class) = TABLE.get(at) else {
            let mut block = Vec::with_capacity(block_bytes(len));
            block.extend_from_slice(content);
            block.resize(block.capacity(), 0);
            self.own_bytes += block.capacity();
            self.own.push(block);
            return BlockRef::new(OWN, self.own.len() - 1);
        };
        if self.classes.len() <= at {
            self.classes.reserve_exact(at + 1 - self.classes.len());
            self.classes.resize_with(at + 1, Vec::new);
        }
        let chunks = &mut self.classes[at];
        if chunks.last().is_none_or(|chunk| chunk.len() + class.block > class.chunk) {
            let is_whole = chunks.len() >= WHOLE_FROM;
            let bytes = if is_whole { class.chunk } else { FIRST_BYTES.max(class.block) };
            chunks.push(Vec::with_capacity(bytes));
        }
        let last = chunks.len() - 1;
        let chunk = &mut chunks[last];
        if chunk.capacity() < chunk.len() + class.block {
            let wanted = (2 * chunk.capacity()).max(chunk.len() + class.block).min(class.chunk);
            chunk.reserve_exact(wanted - chunk.len());
        }
        let place = chunk.len() / class.block;
        chunk.extend_from_slice(content);
        chunk.resize((place + 1) * class.block, 0);
        BlockRef::new(at, last << class.shift | place)
    }

    /// The bytes of a block.
    #[inline]
    pub(super) fn get(&self, block: BlockRef) -> &[u8] {
        match TABLE.get(block.class()) {
            Some(class) => {
                let (chunk, start) = split(class, block);
                &self.classes[block.class()][chunk][start..start + class.block]
            }
            None => &self.own[block.index()],
        }
    }

    /// The bytes of a block.
    #[inline]
    pub(super) fn get_mut(&mut self, block: BlockRef) -> &mut [u8] {
        match TABLE.get(block.class()) {
            Some(class) => {
                let (chunk, start) = split(class, block);
                &mut self.classes[block.class()][chunk][start..start + class.block]
            }
            None => &mut self.own[block.index()],
        }
    }

    /// Gives a block back. True when another one has moved: then `block` names that one, and its owner must be told.
    #[must_use]
    pub(super) fn free(&mut self, block: BlockRef) -> bool {
        let Some(class) = TABLE.get(block.class()) else {
            self.own_bytes -= self.own.swap_remove(block.index()).capacity();
            return block.index() < self.own.len();
        };
        let (chunk, start) = split(class, block);
        let chunks = &mut self.classes[block.class()];
        let last = chunks.len() - 1;
        let (before, ends) = chunks.split_at_mut(last);
        let end = &mut ends[0];
        let rest = end.len() - class.block;
        let is_last = chunk == last && start == rest;
        if chunk < last {
            before[chunk][start..start + class.block].copy_from_slice(&end[rest..]);
        } else {
            end.copy_within(rest.., start);
        }
        end.truncate(rest);
        if rest == 0 {
            chunks.pop();
        }
        if chunks.is_empty() {
            *chunks = Vec::new();
        }
        !is_last
    }

    /// Bytes allocated.
    pub(super) fn bytes(&self) -> usize {
        let of_class = |(chunks, class): (&Vec<Vec<u8>>, &Class)| {
            let whole = chunks.len().saturating_sub(1) * class.chunk;
            let last = chunks.last().map_or(0, Vec::capacity);
            whole + last + chunks.capacity() * size_of::<Vec<u8>>()
        };
        self.classes.iter().zip(&TABLE).map(of_class).sum::<usize>()
            + (self.classes.capacity() + self.own.capacity()) * size_of::<Vec<u8>>()
            + self.own_bytes
    }
}

/// The chunk of a block, and where it starts there.
#[inline]
fn split(class: &Class, block: BlockRef) -> (usize, usize) {
    let index = block.index();
    (index >> class.shift, (index & ((1 << class.shift) - 1)) * class.block)
}

#[cfg(test)]
mod tests {
    use super::*;
    use stdx::prng::Prng;

    #[test]
    fn classes_fit_their_lengths_and_waste_little() {
        for len in 1..200_000 {
            let bytes = block_bytes(len);
            assert!(bytes >= len, "{len} gets {bytes}");
            assert!(bytes < len.max(16) + 8 + len / 8, "{len} gets {bytes}");
        }
        for class in &TABLE {
            assert!(class.chunk / class.block >= 8);
            assert!(class.chunk % class.block < class.chunk / 8, "{class:?}");
        }
    }

    /// Blocks of random lengths come and go; each keeps its bytes, and memory stays close to them.
    #[test]
    fn blocks_keep_their_bytes_when_others_go() {
        let mut prng = Prng::new(11);
        let mut arena = Arena::default();
        let mut blocks: Vec<(BlockRef, Vec<u8>)> = Vec::new();
        for round in 0..60_000_u32 {
            let is_growing = round / 10_000 % 2 == 0;
            let goes = prng.chance(if is_growing { 0.3 } else { 0.7 });
            if goes && !blocks.is_empty() {
                let at = usize::try_from(prng.below(blocks.len() as u64)).expect("small");
                let (block, content) = blocks.swap_remove(at);
                assert_eq!(arena.get(block)[..content.len()], content);
                if arena.free(block) {
                    let moved = arena.get(block);
                    let id = &moved[..8];
                    let owner = blocks.iter_mut().find(|(_, content)| content[..8] == *id);
                    owner.expect("a block that moved is somebody's").0 = block;
                }
            } else {
                let spread = if prng.chance(0.02) { 9000 } else { 300 };
                let len = 8 + usize::try_from(prng.below(spread)).expect("small");
                let mut content = vec![prng.next_u64().to_le_bytes()[0]; len];
                content[..8].copy_from_slice(&u64::from(round).to_le_bytes());
                blocks.push((arena.alloc(&content, len), content));
            }
        }
        for (block, content) in &blocks {
            assert_eq!(arena.get(*block)[..content.len()], *content);
        }
        let used: usize = blocks.iter().map(|(_, content)| content.len()).sum();
        assert!(arena.bytes() < used + used / 5 + 100_000, "{} for {used}", arena.bytes());
    }

    #[test]
    fn an_empty_arena_has_given_everything_back() {
        let mut arena = Arena::default();
        let blocks: Vec<_> = (0..1000).map(|len| arena.alloc(&[1], len * 7 + 1)).collect();
        // The last of each class first: nothing moves.
        for block in blocks.into_iter().rev() {
            assert!(!arena.free(block));
        }
        assert!(arena.bytes() < 30_000, "{}", arena.bytes());
    }
}
