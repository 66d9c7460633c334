//! The distinct counts of all windows of a read, from raw tokens and the folded state of their level.
//!
//! Windows share their head, so they are nested. They are laid out by start, the shortest first; of each token only the
//! first window that sees it matters, the *slot*, and the others see it too:
//!
//! ```text
//!              start of 3       start of 2   start of 1   start of 0
//! ──────────────────┼────────────────┼────────────┼────────────┼──────►
//!                   │     slot 3     │   slot 2   │   slot 1   │ slot 0
//! ```

use model::limits::DISTINCT_EXACT_MAX;

use super::{
    estimate::RankCounts,
    group::{Group, REGISTERS},
    state::DistinctState,
    token,
};

/// Counts distinct tokens of one cell; keeps its memory from read to read.
#[derive(Debug, Default)]
pub(crate) struct Counter {
    precision: u8,
    raw: Vec<(i64, u32)>,
    /// Windows, the latest start first.
    windows: Vec<Window>,
    /// Raw tokens, high 32 bits, with their slots: sorted, each token once.
    slotted: Vec<u64>,
    /// Starts, registers and rank counts of those windows that are estimated. Registers are by group, then window.
    starts: Vec<i64>,
    registers: Vec<[u8; REGISTERS]>,
    rank_counts: Vec<RankCounts>,
}

#[derive(Debug, Clone, Copy)]
struct Window {
    start: i64,
    /// Where its count goes.
    place: usize,
    /// `None`: more than are counted one by one.
    exact: Option<usize>,
}

/// What the distinct tokens of a window come to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum WindowSet {
    /// All of them, in ascending order: at most 512.
    Tokens(Vec<u32>),
    /// One rank for each register.
    Registers(Vec<u8>),
}

impl Counter {
    /// Forgets all tokens, for a cell of 2^`precision` registers.
    pub(crate) fn reset(&mut self, precision: u8) {
        self.precision = precision;
        self.raw.clear();
    }

    /// Notes a token of an event that is not folded.
    #[inline]
    pub(crate) fn raw(&mut self, tile: i64, token: u32) {
        self.raw.push((tile, token));
    }

    /// Counts the distinct tokens of the windows that begin with `first_tiles`, into `out` in the same order: exactly up to
    /// 512 in a window, else as estimated from its registers. `young` is a second state, of events that are not folded but many.
    pub(crate) fn counts(
        &mut self,
        state: Option<&DistinctState>,
        young: Option<&DistinctState>,
        first_tiles: &[i64],
        out: &mut Vec<i64>,
    ) {
        self.lay_out(first_tiles);
        // Whatever the second one lists is like raw tokens; from where it does not list all, no window is counted one by one.
        let listed = young.into_iter().flat_map(|young| young.list.tokens());
        self.raw.extend(listed.map(|(token, tile)| (tile, token)));
        self.count_exactly(state, young.map_or(i64::MIN, |young| young.list.complete_from()));
        self.sum_up(state, young);
        out.clear();
        out.resize(first_tiles.len(), 0);
        let mut estimates = self.rank_counts.iter();
        for window in &self.windows {
            let count = match window.exact {
                Some(count) => i64::try_from(count).unwrap_or(i64::MAX),
                None => estimates.next().map_or(0, RankCounts::estimate),
            };
            if let Some(out) = out.get_mut(window.place) {
                *out = count;
            }
        }
    }

    /// The set of one window.
    pub(crate) fn set(&mut self, state: Option<&DistinctState>, first_tile: i64) -> WindowSet {
        self.lay_out(&[first_tile]);
        self.count_exactly(state, i64::MIN);
        if self.windows.iter().all(|window| window.exact.is_some()) {
            let listed = state.into_iter().flat_map(|state| state.list.tokens());
            let both = listed.chain(self.raw.iter().map(|(tile, token)| (*token, *tile)));
            let inside = both.filter(|(_, tile)| *tile >= first_tile);
            let mut tokens: Vec<_> = inside.map(|(token, _)| token).collect();
            tokens.sort_unstable();
            tokens.dedup();
            return WindowSet::Tokens(tokens);
        }
        let mut registers = vec![0; 1 << self.precision];
        self.sweep(state, None, |group, _, swept| {
            for (to, rank) in registers.iter_mut().skip(group * REGISTERS).zip(swept) {
                *to = *rank;
            }
        });
        WindowSet::Registers(registers)
    }

    fn lay_out(&mut self, first_tiles: &[i64]) {
        let windows = first_tiles.iter().enumerate();
        self.windows.clear();
        self.windows.extend(windows.map(|(place, start)| Window {
            start: *start,
            place,
            exact: None,
        }));
        self.windows.sort_unstable_by_key(|window| std::cmp::Reverse(window.start));
    }

    /// Decides for each window whether it is counted exactly, and counts it. Those that are come before those that are not.
    fn count_exactly(&mut self, state: Option<&DistinctState>, raw_complete_from: i64) {
        let complete_from = state.map_or(i64::MIN, |state| state.list.complete_from());
        let complete_from = complete_from.max(raw_complete_from);
        for window in self.windows.iter_mut().take_while(|window| window.start >= complete_from) {
            let listed = state.map_or(0, |state| state.list.count_from(window.start));
            if listed > DISTINCT_EXACT_MAX {
                break;
            }
            window.exact = Some(listed);
        }
        let candidates = self.windows.partition_point(|window| window.exact.is_some());
        if candidates > 0 && !self.raw.is_empty() {
            self.slot_raw(candidates);
            self.add_unlisted(state, candidates);
        }
        let too_many =
            |window: &&mut Window| window.exact.is_some_and(|count| count > DISTINCT_EXACT_MAX);
        self.windows.iter_mut().filter(too_many).for_each(|window| window.exact = None);
    }

    /// Gives raw tokens that one of the first `candidates` windows sees their slot, the narrowest of each token.
    fn slot_raw(&mut self, candidates: usize) {
        let windows = self.windows.get(..candidates).unwrap_or(&[]);
        self.slotted.clear();
        for (tile, token) in &self.raw {
            let slot = slot_of(windows, *tile);
            if slot < candidates {
                self.slotted.push(u64::from(*token) << 32 | slot as u64);
            }
        }
        self.slotted.sort_unstable();
        self.slotted.dedup_by_key(|slotted| *slotted >> 32);
    }

    /// Adds the raw tokens to the exact counts, except where they are listed anyway.
    fn add_unlisted(&mut self, state: Option<&DistinctState>, candidates: usize) {
        let Some(windows) = self.windows.get_mut(..candidates) else { return };
        let mut listed = state.into_iter().flat_map(|state| state.list.tokens()).peekable();
        for slotted in &self.slotted {
            let token = *slotted >> 32;
            let slot = usize::try_from(*slotted & u64::from(u32::MAX)).unwrap_or(usize::MAX);
            while listed.next_if(|(other, _)| u64::from(*other) < token).is_some() {}
            let same = listed.peek().filter(|(other, _)| u64::from(*other) == token);
            // The raw one adds to windows from its slot on, up to where the listed one is counted.
            let end = same.map_or(candidates, |(_, tile)| slot_of(windows, *tile));
            for window in windows.iter_mut().take(end).skip(slot) {
                window.exact = window.exact.map(|count| count + 1);
            }
        }
    }

    /// Counts the ranks of every window that is not counted exactly.
    fn sum_up(&mut self, state: Option<&DistinctState>, young: Option<&DistinctState>) {
        let estimated = self.windows.iter().filter(|window| window.exact.is_none()).count();
        let mut rank_counts = std::mem::take(&mut self.rank_counts);
        rank_counts.clear();
        rank_counts.resize(estimated, RankCounts::NONE);
        if estimated > 0 {
            self.sweep(state, young, |_, window, registers| {
                if let Some(counts) = rank_counts.get_mut(window) {
                    counts.add(registers);
                }
            });
        }
        self.rank_counts = rank_counts;
    }

    /// Hands `take` the registers of every window that is not counted exactly: group, window, registers.
    fn sweep(
        &mut self,
        state: Option<&DistinctState>,
        young: Option<&DistinctState>,
        mut take: impl FnMut(usize, usize, &[u8; REGISTERS]),
    ) {
        let estimated = self.windows.iter().filter(|window| window.exact.is_none());
        self.starts.clear();
        self.starts.extend(estimated.map(|window| window.start));
        let windows = self.starts.len();
        let group_count = (1 << self.precision) / REGISTERS;
        self.registers.clear();
        self.registers.resize(group_count * windows, [0; REGISTERS]);
        let raw = std::mem::take(&mut self.raw);
        for (tile, token) in &raw {
            self.raise(*tile, *token);
        }
        self.raw = raw;
        let groups = young.map_or(&[][..], |young| &young.groups);
        let none = vec![[0; REGISTERS]; windows];
        for (group, seeds) in groups.iter().zip(self.registers.chunks_exact_mut(windows.max(1))) {
            // What a window sees of it goes into the window's slot; wider windows see it too.
            group.sweep(&self.starts, &none, |window, registers| {
                for (into, rank) in seeds.get_mut(window).into_iter().flatten().zip(registers) {
                    *into = (*rank).max(*into);
                }
            });
        }
        let groups = state.map_or(&[][..], |state| &state.groups);
        if groups.is_empty() {
            // Else all that is listed is in the groups.
            for (token, tile) in state.into_iter().flat_map(|state| state.list.tokens()) {
                self.raise(tile, token);
            }
        }
        let nothing = Group::default();
        for (index, seeds) in self.registers.chunks_exact(windows.max(1)).enumerate() {
            let group = groups.get(index).unwrap_or(&nothing);
            group.sweep(&self.starts, seeds, |window, registers| take(index, window, registers));
        }
    }

    /// Enters a token into the registers of its slot.
    fn raise(&mut self, tile: i64, token: u32) {
        let window = self.starts.partition_point(|start| *start > tile);
        if window == self.starts.len() {
            return;
        }
        let slot = token::slot(token, self.precision);
        let group = self.registers.get_mut(slot / REGISTERS * self.starts.len() + window);
        if let Some(register) = group.and_then(|group| group.get_mut(slot % REGISTERS)) {
            *register = token::rank(token).max(*register);
        }
    }
}

/// The first window that sees a tile; their number when none does.
fn slot_of(windows: &[Window], tile: i64) -> usize {
    windows.partition_point(|window| window.start > tile)
}
