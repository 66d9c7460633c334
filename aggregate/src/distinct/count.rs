//! The distinct count of a window, from raw tokens and the folded state of its level.

use super::{
    Distinct,
    estimate::estimate,
    newest::NEWEST_MAX,
    token::{self, REGISTERS},
};
use crate::{
    plan::CellUse,
    raw::{ColumnValue, Record},
};

/// A window of a read.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Window {
    /// Its start, a tile edge, in ms.
    pub(crate) start: i64,
    /// Width of its level's tiles, in ms.
    pub(crate) hop_ms: i64,
}

/// Tokens that one read came across.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// Of each cell, raw tokens with their event times.
    raw: Vec<Vec<(u32, i64)>>,
    /// Raw and listed tokens of the cell and level that were counted last, each once, with the time it was newest:
    /// of a raw token its event time, of a folded one the start of its tile. Windows start at tile edges, so both say alike
    /// whether the token is inside.
    merged: Vec<(u32, i64)>,
    merged_for: Option<(usize, usize)>,
    registers: Vec<u8>,
}

impl Seen {
    /// Forgets everything, for a read of `cells` cells.
    pub(crate) fn reset(&mut self, cells: usize) {
        self.raw.iter_mut().for_each(Vec::clear);
        if self.raw.len() < cells {
            self.raw.resize(cells, Vec::new());
        }
        self.merged_for = None;
    }

    /// Notes the tokens of a raw event.
    pub(crate) fn record(
        &mut self,
        cells: &[CellUse],
        record: &Record<'_>,
        values: &[ColumnValue<'_>],
    ) {
        for used in cells.iter().filter(|used| used.distinct.is_some()) {
            let value = used.token.and_then(|column| values.get(column));
            if let (true, Some(ColumnValue::Token(token))) = (record.counts_in(used.bit), value) {
                self.raw(used.distinct, record.time, *token);
            }
        }
    }

    /// Notes a token of a raw event.
    pub(crate) fn raw(&mut self, cell: Option<usize>, time: i64, token: u32) {
        if let Some(tokens) = cell.and_then(|cell| self.raw.get_mut(cell)) {
            tokens.push((token, time));
        }
    }

    /// The number of distinct tokens in a window: exact up to 512, else estimated from the window's registers.
    pub(crate) fn count(
        &mut self,
        cell: Option<usize>,
        level: usize,
        state: Option<&Distinct>,
        window: Window,
    ) -> i64 {
        let Some(cell) = cell else { return 0 };
        let first = window.start.div_euclid(window.hop_ms);
        if state.is_none_or(|state| state.is_complete_from(first)) {
            if self.merged_for != Some((cell, level)) {
                self.merge(cell, state, window.hop_ms);
                self.merged_for = Some((cell, level));
            }
            let inside = self.merged.iter().filter(|(_, newest)| *newest >= window.start);
            let count = inside.count();
            if count < NEWEST_MAX {
                return i64::try_from(count).unwrap_or(i64::MAX);
            }
        }
        // Listed tokens are among the marks once there are any: the list was full then.
        let raw = self.raw.get(cell).into_iter().flatten();
        let raw = raw.filter(|(_, time)| *time >= window.start).map(|(token, _)| *token);
        let listed = state.into_iter().filter(|state| state.sliding.is_empty());
        let listed = listed.flat_map(Distinct::tokens).filter(|(tile, _)| *tile >= first);
        let tokens = raw.chain(listed.map(|(_, token)| token));
        let marks = state.into_iter().flat_map(Distinct::marks).filter(|mark| mark.tile >= first);
        self.registers.clear();
        self.registers.resize(REGISTERS, 0);
        let mut set = |register: u16, rank: u8| {
            if let Some(register) = self.registers.get_mut(usize::from(register)) {
                *register = rank.max(*register);
            }
        };
        tokens.for_each(|token| set(token::register(token), token::rank(token)));
        marks.for_each(|mark| set(mark.register, mark.rank));
        estimate(&self.registers)
    }

    fn merge(&mut self, cell: usize, state: Option<&Distinct>, hop_ms: i64) {
        self.merged.clear();
        self.merged.extend(self.raw.get(cell).into_iter().flatten());
        let listed = state.into_iter().flat_map(Distinct::tokens);
        self.merged.extend(listed.map(|(tile, token)| (token, tile.saturating_mul(hop_ms))));
        // By token, newest first: the others are dropped.
        self.merged.sort_unstable_by(|a, b| (a.0, b.1).cmp(&(b.0, a.1)));
        self.merged.dedup_by_key(|(token, _)| *token);
    }
}
