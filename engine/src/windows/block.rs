//! What a block holds of one entity.
//!
//! ```text
//! slot    u32, its highest bit: the entity has tiles
//! spare   u16: bytes behind the log
//! key     length in one byte, from 128 on in two | canonical bytes
//! grown   u32, only with tiles: their place in the side slab
//! log     the raw event log, as long as it is
//! ```
//!
//! The slot says whose block it is when the arena has moved it.

use aggregate::StoredEvent;

const GROWN_BIT: u32 = 1 << 31;
const SLOT_BYTES: usize = 4;
const HEAD_BYTES: usize = SLOT_BYTES + 2;
const GROWN_BYTES: usize = 4;
/// Highest bit of the first byte of a key's length: there is a second one.
const LONG_KEY: u8 = 0x80;

/// An entity in its block.
#[derive(Debug, Clone, Copy)]
pub(super) struct Block<'a> {
    /// Canonical entity key.
    pub(super) key: &'a [u8],
    /// Place of its tiles in the side slab.
    pub(super) grown: Option<u32>,
    /// Raw event log.
    pub(super) log: &'a [u8],
    /// All in front of the log.
    pub(super) head: &'a [u8],
}

impl<'a> Block<'a> {
    /// Takes a block apart that [`write_head`] began and [`set_used`] ended.
    pub(super) fn read(block: &'a [u8]) -> Self {
        let (start, has_grown) = log_start(block);
        let place = has_grown.then(|| word(block, start - GROWN_BYTES));
        let key_end = if has_grown { start - GROWN_BYTES } else { start };
        Self {
            key: block.get(key_start(block).0..key_end).unwrap_or_default(),
            grown: place,
            log: block.get(start..block.len() - spare(block)).unwrap_or_default(),
            head: block.get(..start).unwrap_or_default(),
        }
    }
}

/// The key alone.
#[inline]
pub(super) fn key(block: &[u8]) -> &[u8] {
    let (start, len) = key_start(block);
    block.get(start..start + len).unwrap_or_default()
}

/// The slot of the entity.
pub(super) fn slot(block: &[u8]) -> u32 {
    word(block, 0) & !GROWN_BIT
}

/// Begins a block: everything up to the log.
pub(super) fn write_head(out: &mut Vec<u8>, slot: u32, key: &[u8], grown: Option<u32>) {
    let flag = if grown.is_some() { GROWN_BIT } else { 0 };
    out.extend_from_slice(&(slot | flag).to_le_bytes());
    out.extend_from_slice(&[0; HEAD_BYTES - SLOT_BYTES]);
    // Keys have at most 512 bytes.
    let [low, high, ..] = u32::try_from(key.len()).unwrap_or(0).to_le_bytes();
    if key.len() < usize::from(LONG_KEY) {
        out.push(low);
    } else {
        out.extend_from_slice(&[high | LONG_KEY, low]);
    }
    out.extend_from_slice(key);
    if let Some(place) = grown {
        out.extend_from_slice(&place.to_le_bytes());
    }
}

/// Most bytes of a block that may hold nothing.
pub(super) const SPARE_MAX: usize = u16::MAX as usize;

/// Ends a block: `used` bytes of it hold something, and at most [`SPARE_MAX`] nothing.
pub(super) fn set_used(block: &mut [u8], used: usize) {
    let spare = u16::try_from(block.len() - used).expect("blocks are cut to what they hold");
    if let Some(place) = block.get_mut(SLOT_BYTES..HEAD_BYTES) {
        place.copy_from_slice(&spare.to_le_bytes());
    }
}

/// Adds an event to the log, where there is room; false when there is not.
#[inline]
pub(super) fn append(block: &mut [u8], event: StoredEvent<'_>) -> bool {
    let spare = spare(block);
    if spare == 0 {
        return false;
    }
    let (start, _) = log_start(block);
    let used = block.len() - spare - start;
    let end = block.get_mut(start..).and_then(|log| event.append(log, used));
    end.inspect(|end| set_used(block, start + end)).is_some()
}

fn spare(block: &[u8]) -> usize {
    let bytes = block.get(SLOT_BYTES..HEAD_BYTES).and_then(|bytes| bytes.first_chunk());
    bytes.map_or(0, |bytes| u16::from_le_bytes(*bytes)).into()
}

/// Where the key starts, and its length.
#[inline]
fn key_start(block: &[u8]) -> (usize, usize) {
    match block.get(HEAD_BYTES..) {
        Some([len, ..]) if *len < LONG_KEY => (HEAD_BYTES + 1, usize::from(*len)),
        Some([high, low, ..]) => {
            (HEAD_BYTES + 2, usize::from(*high & !LONG_KEY) << 8 | usize::from(*low))
        }
        _ => (block.len(), 0),
    }
}

/// Where the log starts, and whether the entity has tiles.
#[inline]
fn log_start(block: &[u8]) -> (usize, bool) {
    let (start, len) = key_start(block);
    let has_grown = word(block, 0) & GROWN_BIT != 0;
    (start + len + if has_grown { GROWN_BYTES } else { 0 }, has_grown)
}

fn word(block: &[u8], at: usize) -> u32 {
    let bytes = block.get(at..).and_then(|bytes| bytes.first_chunk());
    bytes.map_or(0, |bytes| u32::from_le_bytes(*bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_gives_back_what_was_written() {
        for key_len in [1, 9, 127, 128, 300, 512] {
            for grown in [None, Some(0), Some(77)] {
                let given: Vec<u8> = (0..key_len).map(|at: u32| at.to_le_bytes()[0]).collect();
                let mut block = Vec::new();
                write_head(&mut block, 123_456_789, &given, grown);
                block.extend_from_slice(b"log");
                let used = block.len();
                block.resize(used + 40_000, 7);
                set_used(&mut block, used);
                let read = Block::read(&block);
                assert_eq!((read.key, read.grown, read.log), (&*given, grown, &b"log"[..]));
                assert_eq!((slot(&block), key(&block)), (123_456_789, &*given));
                assert_eq!(read.head.len() + 3, used);
            }
        }
    }
}
