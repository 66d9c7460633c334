//! A distinct state as bytes.
//!
//! ```text
//! floor    varint of (zigzag, as all that follow marked z) z floor
//! newest   z newest tile
//! list     number, then by ascending token: distance to the token before | tiles before the newest
//! kind     0: the list is complete, and nothing follows
//!          1: z tile from which on the list is complete, then for each group of 64 registers:
//!             number of words; if there are any, tiles from its newest mark to the newest | words, u16 each
//! ```
//!
//! Numbers are varints, words are those of [`super::group`]. Precision is part of the definition.

use super::{
    group::{self, Group},
    state::DistinctState,
    token,
    token_list::{TILE_ABS_MAX, TILES_MAX, TOKENS_MAX},
};
use crate::varint;

const LIST: u64 = 0;
const GROUPS: u64 = 1;

impl DistinctState {
    /// Appends all of it to `out`.
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        // Where there is no such tile yet, the first of all.
        let newest = self.newest.max(-TILE_ABS_MAX);
        put_tile(out, self.floor);
        put_tile(out, newest);
        // Dead tokens may be older than what can be said in tiles before the newest.
        let live = |tile: i64| tile >= self.floor;
        varint::put(out, self.list.tokens().filter(|(_, tile)| live(*tile)).count() as u64);
        let mut before = 0;
        for (token, tile) in self.list.tokens().filter(|(_, tile)| live(*tile)) {
            varint::put(out, u64::from(token - before));
            varint::put(out, newest.abs_diff(tile));
            before = token;
        }
        if self.groups.is_empty() {
            varint::put(out, LIST);
            return;
        }
        varint::put(out, GROUPS);
        put_tile(out, self.list.complete_from());
        for group in &self.groups {
            let (group_newest, words) = group.words(self.floor);
            varint::put(out, words.len() as u64);
            if !words.is_empty() {
                varint::put(out, newest.abs_diff(group_newest));
            }
            out.extend(words.iter().flat_map(|word| word.to_le_bytes()));
        }
    }

    /// The state that `bytes` are, if they are the whole of one.
    ///
    /// `None` when they end early, go on, or say what cannot be: tokens out of order or without a rank, tiles further apart
    /// than those of one window, marks in front of nothing.
    pub(crate) fn read(precision: u8, mut bytes: &[u8]) -> Option<Self> {
        let input = &mut bytes;
        let mut state = Self::new(precision);
        let (floor, newest) = (take_tile(input)?, take_tile(input)?);
        (state.floor, state.newest) = (floor, newest);
        if newest > -TILE_ABS_MAX {
            state.floor = floor.max(newest - (TILES_MAX - 1));
            state.oldest = state.floor.min(newest);
        }
        let count = usize::try_from(varint::take(input)?).ok()?;
        if count > TOKENS_MAX {
            return None;
        }
        let mut last = None;
        for _ in 0..count {
            let distance = u32::try_from(varint::take(input)?).ok()?;
            let token = last.unwrap_or(0_u32).checked_add(distance)?;
            let is_ascending = last.is_none() || distance > 0;
            let tile = back(newest, varint::take(input)?)?;
            if !is_ascending || token::rank(token) == 0 || tile < state.floor {
                return None;
            }
            state.list.insert(tile, token);
            last = Some(token);
        }
        match varint::take(input)? {
            LIST => {}
            GROUPS => state.read_groups(input)?,
            _ => return None,
        }
        input.is_empty().then_some(state)
    }

    fn read_groups(&mut self, input: &mut &[u8]) -> Option<()> {
        let complete_from = take_tile(input)?;
        let has_all = self.list.tokens().all(|(_, tile)| tile >= complete_from);
        if !has_all || complete_from > self.newest + 1 {
            return None;
        }
        self.list.start_at(complete_from);
        for _ in 0..(1_usize << self.precision) / group::REGISTERS {
            let count = usize::try_from(varint::take(input)?).ok()?;
            if count == 0 {
                self.groups.push(Group::default());
                continue;
            }
            let newest = back(self.newest, varint::take(input)?)?;
            let (words, rest) = input.split_at_checked(count.checked_mul(size_of::<u16>())?)?;
            *input = rest;
            let words = words.as_chunks().0.iter().map(|word| u16::from_le_bytes(*word)).collect();
            self.groups.push(Group::from_words(newest, words, self.floor)?);
        }
        Some(())
    }
}

fn put_tile(out: &mut Vec<u8>, tile: i64) {
    varint::put(out, varint::zigzag(tile.clamp(-TILE_ABS_MAX, TILE_ABS_MAX)));
}

/// A tile that is not absurd.
fn take_tile(input: &mut &[u8]) -> Option<i64> {
    let tile = varint::unzigzag(varint::take(input)?);
    (-TILE_ABS_MAX..=TILE_ABS_MAX).contains(&tile).then_some(tile)
}

/// The tile so many before the newest.
fn back(newest: i64, tiles: u64) -> Option<i64> {
    let tiles = i64::try_from(tiles).ok().filter(|tiles| *tiles < TILES_MAX)?;
    Some(newest - tiles)
}
