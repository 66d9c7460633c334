//! Tokens with the newest tile of each: all of them while they are few, later only the newest ones.
//!
//! A list is *complete from* a tile: it holds every token whose newest tile is at or after it, and none that is older. So
//! the tokens of a window that starts there or later are all listed. When a list is full, the tile of its 513th newest token
//! goes, with all tokens of that tile and of those before: a window that reaches back to it holds more tokens than are
//! counted exactly. A token's tile only grows, and with it the number of tokens at or after a tile, so this stays true, and
//! no trace is left of when the list was cut.
//!
//! ```text
//! entry   token, high 32 bits | tile − base, low 32 bits       sorted, each token once
//! ```

use model::limits::DISTINCT_EXACT_MAX;

/// Most tokens of a list. Twice as many as are answered exactly, so that cutting is rare.
pub(crate) const TOKENS_MAX: usize = 2 * DISTINCT_EXACT_MAX - 1;

/// Tiles of one list are within this of each other: no window has more (`model::limits::TILES_PER_WINDOW_MAX`).
pub(crate) const TILES_MAX: i64 = 1 << 20;

/// Tiles are event times in ms at the most (`model::limits::EVENT_TIME_ABS_MAX`); below this no sum overflows.
pub(crate) const TILE_ABS_MAX: i64 = 1 << 60;

/// Offset of the tile that a list is based on: late tiles are below it.
const BASE_OFFSET: i64 = 1 << 30;

/// A list of tokens.
#[derive(Debug, Clone)]
pub(crate) struct TokenList {
    base: i64,
    complete_from: i64,
    entries: Vec<u64>,
}

impl TokenList {
    /// An empty list, complete from the beginning of time.
    pub(crate) fn new() -> Self {
        Self { base: 0, complete_from: i64::MIN, entries: Vec::new() }
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(crate) fn bytes(&self) -> usize {
        self.entries.capacity() * size_of::<u64>()
    }

    /// The tile from which on every token is listed; `i64::MIN` when all are.
    pub(crate) fn complete_from(&self) -> i64 {
        self.complete_from
    }

    /// Tokens in ascending order with the newest tile of each.
    pub(crate) fn tokens(&self) -> impl Iterator<Item = (u32, i64)> {
        self.entries
            .iter()
            .map(|entry| (token_of(*entry), self.base + i64::from(offset_of(*entry))))
    }

    /// How many tokens are at or after `tile`.
    pub(crate) fn count_from(&self, tile: i64) -> usize {
        let first = self.offset(tile);
        self.entries.iter().map(|entry| usize::from(offset_of(*entry) >= first)).sum()
    }

    /// True when the list is at its limit: the next token may have no place.
    pub(crate) fn is_full(&self) -> bool {
        self.entries.len() >= TOKENS_MAX
    }

    /// Notes that `token` was seen in `tile`. What is older than the list is complete from is not listed.
    #[inline]
    pub(crate) fn insert(&mut self, tile: i64, token: u32) {
        if tile < self.complete_from {
            return;
        }
        if !(self.base..self.base + 2 * BASE_OFFSET).contains(&tile) {
            self.rebase(tile);
        }
        let entry = u64::from(token) << 32 | u64::from(self.offset(tile));
        // The only entry of this token, if there is one, is the first from here on.
        let place = self.entries.partition_point(|known| token_of(*known) < token);
        match self.entries.get_mut(place) {
            Some(known) if token_of(*known) == token => *known = entry.max(*known),
            _ => {
                if self.entries.len() == self.entries.capacity() {
                    // Most lists stay small: they grow by a quarter, not to the double.
                    self.entries.reserve_exact((self.entries.len() / 4).max(4));
                }
                self.entries.insert(place, entry);
            }
        }
    }

    /// Forgets what is before `floor`.
    pub(crate) fn forget_before(&mut self, floor: i64) {
        let first = self.offset(floor);
        self.entries.retain(|entry| offset_of(*entry) >= first);
        self.give_back();
    }

    /// Makes room in a full list: only the newest tokens stay.
    pub(crate) fn cut(&mut self) {
        let mut offsets: Vec<u32> = self.entries.iter().map(|entry| offset_of(*entry)).collect();
        let descending = |a: &u32, b: &u32| b.cmp(a);
        if offsets.len() > DISTINCT_EXACT_MAX {
            let (_, cut, _) = offsets.select_nth_unstable_by(DISTINCT_EXACT_MAX, descending);
            self.start_at(self.base + i64::from(*cut) + 1);
        }
    }

    /// Lists only what is at or after `tile`, and is complete from there.
    pub(crate) fn start_at(&mut self, tile: i64) {
        if tile > self.complete_from {
            self.complete_from = tile;
            self.forget_before(tile);
        }
    }

    /// Says that every token is listed again: no window sees what is not.
    pub(crate) fn become_complete(&mut self) {
        self.complete_from = i64::MIN;
    }

    /// A tile as an offset; tiles beyond every entry are told from none that can be listed.
    fn offset(&self, tile: i64) -> u32 {
        let offset = tile.saturating_sub(self.base);
        u32::try_from(offset.max(0)).unwrap_or(u32::MAX)
    }

    /// Moves the base so that `tile` is within reach.
    #[cold]
    fn rebase(&mut self, tile: i64) {
        let base = tile.clamp(-TILE_ABS_MAX, TILE_ABS_MAX) - BASE_OFFSET;
        let tokens: Vec<_> = self.tokens().collect();
        self.base = base;
        for (entry, (token, tile)) in self.entries.iter_mut().zip(tokens) {
            let offset = u32::try_from(tile.saturating_sub(base).max(0)).unwrap_or(u32::MAX);
            *entry = u64::from(token) << 32 | u64::from(offset);
        }
    }

    fn give_back(&mut self) {
        if self.entries.capacity() > 4 * self.entries.len() + 16 {
            self.entries.shrink_to(self.entries.len() * 2);
        }
    }
}

fn token_of(entry: u64) -> u32 {
    let [_, _, _, _, a, b, c, d] = entry.to_le_bytes();
    u32::from_le_bytes([a, b, c, d])
}

fn offset_of(entry: u64) -> u32 {
    let [a, b, c, d, ..] = entry.to_le_bytes();
    u32::from_le_bytes([a, b, c, d])
}
