//! The folded tokens of one cell on one level: a list while they are few, with a sliding HyperLogLog beside it once they are
//! many.
//!
//! ```text
//! list      at most 1,023 tokens, each with its newest tile      alone: every token is in it
//! groups    the registers of every window, 64 to a group         none while the list is complete
//! ```
//!
//! In place and commutative: tiles come in any order. Reads decide by the window alone (see [`super`]), so it never shows
//! whether a token is listed, in a register, or both.

use super::{
    group::{self, Group, Mark},
    token,
    token_list::{TILE_ABS_MAX, TILES_MAX, TOKENS_MAX, TokenList},
};

/// Tokens by newest tile, and registers of every window.
#[derive(Debug, Clone)]
pub(crate) struct DistinctState {
    pub(super) precision: u8,
    /// What is before it is seen by no window; some of it may still be here.
    pub(super) floor: i64,
    /// The newest tile that there was.
    pub(super) newest: i64,
    /// Nothing here is older.
    pub(super) oldest: i64,
    pub(super) list: TokenList,
    pub(super) groups: Vec<Group>,
}

impl DistinctState {
    /// No tokens; 2^`precision` registers once they are needed, 10 to 16.
    pub(crate) fn new(precision: u8) -> Self {
        Self {
            precision,
            floor: i64::MIN,
            newest: i64::MIN,
            oldest: i64::MAX,
            list: TokenList::new(),
            groups: Vec::new(),
        }
    }

    /// True when no window can see anything of it.
    pub(crate) fn is_empty(&self) -> bool {
        self.list.len() == 0 && self.groups.iter().all(Group::is_empty)
    }

    /// Bytes on the heap, by capacity.
    pub(crate) fn bytes(&self) -> usize {
        let groups = self.groups.iter().map(Group::bytes).sum::<usize>();
        self.list.bytes() + self.groups.capacity() * size_of::<Group>() + groups
    }

    /// Notes that a token was seen in a tile.
    #[inline]
    pub(crate) fn insert(&mut self, tile: i64, token: u32) {
        if !self.note_tile(tile) {
            return;
        }
        if !self.groups.is_empty() {
            self.insert_mark(tile, token::slot(token, self.precision), token::rank(token));
        }
        self.list.insert(tile, token);
        if self.list.is_full() {
            self.make_room();
        }
    }

    /// Raises registers, one rank each, as if tokens that have them had been seen in a tile. Since nobody knows how many
    /// tokens that were, every window that includes the tile is answered by the estimator, however few it may hold.
    /// Registers that are all 0 are those of no token, and change nothing.
    pub(crate) fn insert_registers(&mut self, tile: i64, registers: &[u8]) {
        if registers.iter().all(|rank| *rank == 0) || !self.note_tile(tile) {
            return;
        }
        self.begin_groups();
        for (slot, rank) in registers.iter().enumerate().filter(|(_, rank)| **rank > 0) {
            self.insert_mark(tile, slot, (*rank).min(token::RANK_MAX));
        }
        self.list.start_at(tile.saturating_add(1));
    }

    /// Drops what is before `tile`, once that is worth a pass over the whole.
    pub(crate) fn forget_before(&mut self, tile: i64) {
        self.floor = self.floor.max(tile);
        // An eighth of the tiles: then the pass costs each tile's tokens no more than eight steps.
        let dead = self.floor.saturating_sub(self.oldest);
        let is_worth = dead > 0 && dead >= self.newest.saturating_sub(self.oldest) / 8;
        if is_worth && !self.is_empty() {
            self.forget();
        }
    }

    /// Adds what another state of the same precision holds.
    pub(crate) fn merge(&mut self, other: &Self) {
        self.floor = self.floor.max(other.floor);
        if other.groups.is_empty() {
            for (token, tile) in other.list.tokens() {
                self.insert(tile, token);
            }
            return;
        }
        if self.groups.is_empty() {
            let mine = std::mem::replace(self, other.clone());
            self.floor = mine.floor;
            return self.merge(&mine);
        }
        if other.newest >= self.floor && self.note_tile(other.newest) {
            self.oldest = self.oldest.min(other.oldest);
        }
        for (group, other) in self.groups.iter_mut().zip(&other.groups) {
            group.merge(other, self.floor);
        }
        self.list.start_at(other.list.complete_from());
        for (token, tile) in other.list.tokens().filter(|(_, tile)| *tile >= self.floor) {
            self.list.insert(tile, token);
            if self.list.is_full() {
                self.list.cut();
            }
        }
    }

    /// False for a tile that no window sees any more, or that is no time.
    #[inline]
    fn note_tile(&mut self, tile: i64) -> bool {
        if tile.unsigned_abs() > TILE_ABS_MAX.unsigned_abs() {
            return false;
        }
        if tile > self.newest {
            self.newest = tile;
            self.floor = self.floor.max(tile.saturating_sub(TILES_MAX - 1));
        }
        let is_live = tile >= self.floor;
        if is_live && tile < self.oldest {
            self.oldest = tile;
        }
        is_live
    }

    #[inline]
    fn insert_mark(&mut self, tile: i64, slot: usize, rank: u8) {
        let register = u8::try_from(slot % group::REGISTERS).unwrap_or(0);
        if let Some(group) = self.groups.get_mut(slot / group::REGISTERS) {
            group.insert(Mark { tile, register, rank }, self.floor);
        }
    }

    /// Enters the listed tokens into registers, unless all are in them.
    fn begin_groups(&mut self) {
        if !self.groups.is_empty() {
            return;
        }
        self.groups = vec![Group::default(); (1 << self.precision) / group::REGISTERS];
        // By tile, so that they are appended.
        let live = self.list.tokens().filter(|(_, tile)| *tile >= self.floor);
        let mut tokens: Vec<_> = live.map(|(token, tile)| (tile, token)).collect();
        tokens.sort_unstable();
        for (tile, token) in tokens {
            self.insert_mark(tile, token::slot(token, self.precision), token::rank(token));
        }
    }

    /// Of a full list.
    #[cold]
    fn make_room(&mut self) {
        self.forget_tokens();
        // A little room would be gone at once, and paid for again.
        if self.list.len() > TOKENS_MAX * 3 / 4 {
            self.begin_groups();
            self.list.cut();
        }
    }

    /// Drops what is before the floor.
    #[cold]
    fn forget(&mut self) {
        self.forget_tokens();
        for group in &mut self.groups {
            group.forget_before(self.floor);
        }
        self.oldest = if self.is_empty() { i64::MAX } else { self.oldest.max(self.floor) };
    }

    fn forget_tokens(&mut self) {
        self.list.forget_before(self.floor);
        if self.list.complete_from() <= self.floor {
            // Registers would only repeat the list.
            self.groups = Vec::new();
            self.list.become_complete();
        }
    }
}
