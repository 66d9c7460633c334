//! Approximate distinct counts over sliding windows.
//!
//! ```text
//! token         32 bits of a value                   state        folded tokens: a list, then registers beside it
//! token_list    tokens with their newest tiles       counter      the counts of all windows of a read
//! group         64 registers of every window         estimate     from registers to a count
//! codec         a state as bytes                     datasketches one window's set, out and in
//! ```
//!
//! **What is answered** is decided by the window alone, so that no layout shows: up to 512 distinct tokens in the window,
//! their exact number; above it, the estimate on the registers of the window. A window that includes an imported sketch of
//! registers, whose tokens nobody knows, is always estimated.

#[cfg(test)]
mod accuracy;
#[cfg_attr(not(test), expect(dead_code, reason = "reads move from `count` to it"))]
pub(crate) mod codec;
pub(crate) mod count;
#[cfg_attr(not(test), expect(dead_code, reason = "reads move from `count` to it"))]
pub(crate) mod counter;
#[cfg_attr(not(test), expect(dead_code, reason = "served once reads count with `counter`"))]
pub(crate) mod datasketches;
#[cfg(test)]
mod equal_brute_force;
pub(crate) mod estimate;
pub(crate) mod group;
pub(crate) mod newest;
pub(crate) mod sliding;
#[cfg_attr(not(test), expect(dead_code, reason = "folds move from `Distinct` to it"))]
pub(crate) mod state;
pub(crate) mod token;
pub(crate) mod token_list;

use newest::NEWEST_MAX;
use sliding::Mark;

/// Bytes of a tile number in packed lists: 2^48 ms in tiles of 1 ms need 50 bits with their sign.
const TILE_BYTES: usize = 7;
const NEWEST_BYTES: usize = TILE_BYTES + 4;
const MARK_BYTES: usize = TILE_BYTES + 3;

/// Folded tokens of one cell on one level, packed: an entity at rest holds two byte strings, not vectors of structs.
///
/// ```text
/// newest    tile 7 bytes, token 4        newest first, at most 513
/// sliding   tile 7, register 2, rank 1   by register, newest tile first; empty while fewer than 513 tokens are live
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Distinct {
    pub(crate) newest: Box<[u8]>,
    pub(crate) sliding: Box<[u8]>,
}

impl Distinct {
    /// Bytes on the heap.
    pub(crate) fn bytes(&self) -> usize {
        self.newest.len() + self.sliding.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.newest.is_empty()
    }

    /// Tokens with the newest tile of each, newest first.
    pub(crate) fn tokens(&self) -> impl Iterator<Item = (i64, u32)> {
        self.newest.as_chunks::<NEWEST_BYTES>().0.iter().map(|chunk| {
            let [a, b, c, d, e, f, g, token @ ..] = *chunk;
            (tile_of([a, b, c, d, e, f, g]), u32::from_le_bytes(token))
        })
    }

    /// Marks of the sliding registers.
    pub(crate) fn marks(&self) -> impl Iterator<Item = Mark> {
        self.sliding.as_chunks::<MARK_BYTES>().0.iter().map(|chunk| {
            let [a, b, c, d, e, f, g, low, high, rank] = *chunk;
            Mark {
                tile: tile_of([a, b, c, d, e, f, g]),
                register: u16::from_le_bytes([low, high]),
                rank,
            }
        })
    }

    /// True when [`Distinct::tokens`] lists every token of a window that starts with tile `first`.
    pub(crate) fn is_complete_from(&self, first: i64) -> bool {
        self.newest.len() < NEWEST_MAX * NEWEST_BYTES
            || self.tokens().last().is_none_or(|(oldest, _)| oldest < first)
    }

    /// Adds `added`, (tile, token) in any order, and what `other` holds; forgets tiles before `first_live_tile`.
    pub(crate) fn merge(
        &mut self,
        added: &[(i64, u32)],
        other: Option<&Self>,
        first_live_tile: i64,
    ) {
        let mut tokens: Vec<_> = self.tokens().collect();
        let mut marks: Vec<_> = self.marks().collect();
        let to_mark = |(tile, token): &(i64, u32)| Mark {
            register: token::register(*token),
            tile: *tile,
            rank: token::rank(*token),
        };
        // Whatever is cut off the list below must be among the marks: all of it is put there, in case the list is full.
        let mut new_marks: Vec<_> = added.iter().map(to_mark).collect();
        for state in std::iter::once(&*self).chain(other) {
            if state.sliding.is_empty() {
                new_marks.extend(state.tokens().map(|token| to_mark(&token)));
            }
        }
        new_marks.extend(other.into_iter().flat_map(Self::marks));
        let mut new_tokens = added.to_vec();
        new_tokens.extend(other.into_iter().flat_map(Self::tokens));
        newest::merge(&mut tokens, &new_tokens, first_live_tile);
        if tokens.len() < NEWEST_MAX {
            // The list is complete: registers would only repeat it.
            marks.clear();
        } else {
            sliding::merge(&mut marks, &new_marks, first_live_tile);
        }
        self.pack(&tokens, &marks);
    }

    fn pack(&mut self, tokens: &[(i64, u32)], marks: &[Mark]) {
        let mut newest = Vec::with_capacity(tokens.len() * NEWEST_BYTES);
        for (tile, token) in tokens {
            put_tile(&mut newest, *tile);
            newest.extend_from_slice(&token.to_le_bytes());
        }
        let mut sliding = Vec::with_capacity(marks.len() * MARK_BYTES);
        for mark in marks {
            put_tile(&mut sliding, mark.tile);
            sliding.extend_from_slice(&mark.register.to_le_bytes());
            sliding.push(mark.rank);
        }
        (self.newest, self.sliding) = (newest.into(), sliding.into());
    }

    /// The state of packed lists.
    ///
    /// `None` when they are no whole number of entries, too many, or name a register that does not exist.
    pub(crate) fn from_packed(newest: &[u8], sliding: &[u8]) -> Option<Self> {
        let state = Self { newest: newest.into(), sliding: sliding.into() };
        let is_whole = newest.len().is_multiple_of(NEWEST_BYTES)
            && sliding.len().is_multiple_of(MARK_BYTES)
            && newest.len() <= NEWEST_MAX * NEWEST_BYTES
            && state.marks().all(|mark| usize::from(mark.register) < token::REGISTERS);
        is_whole.then_some(state)
    }
}

fn put_tile(out: &mut Vec<u8>, tile: i64) {
    let [a, b, c, d, e, f, g, _] = tile.to_le_bytes();
    out.extend_from_slice(&[a, b, c, d, e, f, g]);
}

fn tile_of([a, b, c, d, e, f, g]: [u8; TILE_BYTES]) -> i64 {
    // Shifted up and down again for the sign.
    i64::from_le_bytes([0, a, b, c, d, e, f, g]) >> 8
}
