//! Folding: from raw events to tiles of every level, and dropping what no window can see.

use super::{EntityWindows, LevelState, Levels};
use crate::{
    accumulate::Partials,
    distinct::Distinct,
    plan::{Level, WindowPlan},
    raw::{self, ColumnValue, Record, Records},
    tile::{CellFields, Tile, TileTable, TileWriter},
};

/// What becomes of the events older than the horizon.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fold {
    /// They stay raw.
    Nothing,
    /// All of them become part of tiles.
    Everything,
}

/// Bytes that a tile is expected to take for its number and for each field. Only the decision whether to fold uses these
/// estimates: being wrong costs memory, never a value.
const TILE_NUMBER_BYTES: usize = 2;
const TILE_FIELD_BYTES: usize = 3;
/// Bytes of an event's time in the log.
const TIME_BYTES: usize = 4;
/// Bytes of an entity that has levels, over one that has none.
const LEVELS_BYTES: usize = 200;
/// Bytes a folded token takes.
const TOKEN_BYTES: usize = 11;

/// A raw event that is to be folded, its values from position `values` on.
#[derive(Debug, Clone, Copy)]
struct Foldable<'a> {
    record: Record<'a>,
    values: usize,
}

/// The events of a log, sorted out.
#[derive(Debug, Default)]
struct Sorted<'a> {
    /// By event time.
    foldable: Vec<Foldable<'a>>,
    values: Vec<ColumnValue<'a>>,
    /// What stays.
    raw: Vec<u8>,
    /// True when not all of it stays.
    is_shorter: bool,
    columns: usize,
}

impl<'a> Sorted<'a> {
    fn values(&self, foldable: &Foldable<'a>) -> &[ColumnValue<'a>] {
        self.values.get(foldable.values..foldable.values + self.columns).unwrap_or(&[])
    }
}

impl EntityWindows {
    /// What is worth doing to a full log: folding, where that saves memory or keeps reads from passing over ever more raw
    /// events, and dropping dead events. `None` when the log is best left alone.
    pub(super) fn worth_rewriting(&self, plan: &WindowPlan, now: i64) -> Option<Fold> {
        let (floor, late) = (plan.floor(now), plan.late_before(now));
        let mut values = Vec::new();
        let mut records = Records::new(plan, &self.raw);
        let (mut count, mut dead, mut bytes, mut tiles, mut tokens) = (0, 0, 0, 0, 0);
        let mut current = [None; 2];
        let levels: Vec<_> =
            plan.levels().iter().map(|level| (level, level.first_live_tile(floor))).collect();
        while let Some(record) = records.next(&mut values) {
            dead += usize::from(record.time < late);
            if record.time < late || record.time >= floor {
                continue;
            }
            count += 1;
            bytes += record.body.len() + TIME_BYTES;
            // Events mostly come in order, so a change of tile is nearly always a new one.
            for (current, (level, first_live)) in current.iter_mut().zip(&levels) {
                let tile = level.tile(record.time);
                let is_new = tile >= *first_live && *current != Some(tile);
                tiles += usize::from(is_new);
                *current = Some(tile);
            }
            tokens += values.iter().filter(|value| matches!(value, ColumnValue::Token(_))).count();
        }
        let tile_bytes = TILE_NUMBER_BYTES + plan.tile_fields().len() * TILE_FIELD_BYTES;
        let token_bytes = tokens * TOKEN_BYTES * plan.levels().len();
        let fixed = if self.levels.is_some() { 0 } else { LEVELS_BYTES };
        let is_smaller = tiles * tile_bytes + token_bytes + fixed < bytes;
        // An entity with tiles has many events: reads of it pass over tiles faster than over events.
        let is_paid = self.levels.as_ref().is_some_and(|levels| bytes >= levels.events_to_fold());
        if count > 0 && (is_smaller || is_paid || count >= plan.fold_threshold()) {
            return Some(Fold::Everything);
        }
        (dead > 0).then_some(Fold::Nothing)
    }

    /// Writes the state anew without what is dead at `now`, folding what `fold` says.
    pub(super) fn rewrite(&mut self, plan: &WindowPlan, now: i64, fold: Fold) {
        let mut sorted = self.sort_out(plan, now, fold);
        let is_level_due = self.levels.is_some() || !sorted.foldable.is_empty();
        let levels = is_level_due.then(|| {
            let before = self.levels.as_deref();
            let fold_level = |(index, level): (usize, &Level)| {
                let before = before.and_then(|levels| levels.0.get(index));
                fold_level(plan, level, before, &sorted, level.first_live_tile(plan.floor(now)))
            };
            Levels(plan.levels().iter().enumerate().map(fold_level).collect())
        });
        let raw = sorted.is_shorter.then(|| std::mem::take(&mut sorted.raw));
        self.levels = levels.filter(|levels| !levels.is_empty()).map(Box::new);
        if let Some(raw) = raw {
            self.raw = raw;
            let room = self.levels.as_ref().map_or(0, |levels| levels.events_to_fold());
            self.raw.reserve_exact(room);
        }
    }

    fn sort_out<'a>(&'a self, plan: &WindowPlan, now: i64, fold: Fold) -> Sorted<'a> {
        let (floor, late) = (plan.floor(now), plan.late_before(now));
        let mut sorted = Sorted { columns: plan.columns().len(), ..Sorted::default() };
        let mut values = Vec::new();
        let mut records = Records::new(plan, &self.raw);
        while let Some(record) = records.next(&mut values) {
            if record.time < late {
                sorted.is_shorter = true;
            } else if fold == Fold::Everything && record.time < floor {
                sorted.is_shorter = true;
                sorted.foldable.push(Foldable { record, values: sorted.values.len() });
                sorted.values.extend_from_slice(&values);
            } else {
                raw::append(&mut sorted.raw, record.time, record.body);
            }
        }
        sorted.foldable.sort_by_key(|foldable| foldable.record.time);
        sorted
    }

    pub(super) fn merge_levels(&mut self, plan: &WindowPlan, other: &Levels, now: i64) {
        let nothing = Levels::default();
        let mine = self.levels.as_deref().unwrap_or(&nothing);
        let merged = plan.levels().iter().enumerate().map(|(index, level)| {
            let (a, b) = (mine.0.get(index), other.0.get(index));
            merge_level(plan, a, b, level.first_live_tile(plan.floor(now)))
        });
        let merged = Levels(merged.collect());
        self.levels = (!merged.is_empty()).then(|| Box::new(merged));
    }
}

impl Levels {
    /// Bytes of new raw events that pay for a pass over everything folded, which folding again costs.
    fn events_to_fold(&self) -> usize {
        let of_level = |level: &LevelState| {
            level.tiles.bytes() + level.distinct.iter().map(Distinct::bytes).sum::<usize>()
        };
        self.0.iter().map(of_level).sum::<usize>() / 4
    }

    pub(super) fn is_empty(&self) -> bool {
        let is_empty = |level: &LevelState| {
            level.tiles.is_empty() && level.distinct.iter().all(Distinct::is_empty)
        };
        self.0.iter().all(is_empty)
    }
}

/// One level with the foldable events added.
fn fold_level(
    plan: &WindowPlan,
    level: &Level,
    before: Option<&LevelState>,
    sorted: &Sorted<'_>,
    first_live: i64,
) -> LevelState {
    let nothing = TileTable::default();
    let table = before.map_or(&nothing, |before| &before.tiles);
    let is_live = |foldable: &&Foldable<'_>| level.tile(foldable.record.time) >= first_live;
    let mut events = sorted.foldable.iter().filter(is_live).peekable();
    let mut folding = Folding::new(plan, table, first_live);
    let mut tiles = table.from(first_live).peekable();
    loop {
        let event_tile = events.peek().map(|event| level.tile(event.record.time));
        let number = match (tiles.peek().map(|tile| tile.number), event_tile) {
            (Some(a), Some(b)) => a.min(b),
            (Some(a), None) => a,
            (None, Some(b)) => b,
            (None, None) => break,
        };
        folding.start();
        if let Some(tile) = tiles.next_if(|tile| tile.number == number) {
            folding.tile(&tile);
        }
        while let Some(event) = events.next_if(|event| level.tile(event.record.time) == number) {
            folding.partials.update(plan, plan.all(), 0, &event.record, sorted.values(event));
        }
        folding.finish_tile(number);
    }
    let distinct = fold_distinct(plan, level, before, sorted, first_live);
    LevelState { tiles: folding.writer.finish(), distinct }
}

/// The distinct states of one level with the foldable events added.
fn fold_distinct(
    plan: &WindowPlan,
    level: &Level,
    before: Option<&LevelState>,
    sorted: &Sorted<'_>,
    first_live: i64,
) -> Vec<Distinct> {
    let mut states = Vec::with_capacity(plan.distinct_cells());
    let cells = plan.cells().iter().filter(|cell| cell.distinct.is_some());
    for (index, cell) in cells.enumerate() {
        let mut added = Vec::new();
        for foldable in sorted.foldable.iter().filter(|event| event.record.counts_in(cell.bit)) {
            let value = cell.token.and_then(|column| sorted.values(foldable).get(column));
            if let Some(ColumnValue::Token(token)) = value {
                added.push((level.tile(foldable.record.time), *token));
            }
        }
        let known = before.and_then(|before| before.distinct.get(index));
        let mut state = known.cloned().unwrap_or_default();
        state.merge(&added, None, first_live);
        states.push(state);
    }
    states
}

/// Two states of one level, merged.
fn merge_level(
    plan: &WindowPlan,
    a: Option<&LevelState>,
    b: Option<&LevelState>,
    first_live: i64,
) -> LevelState {
    let nothing = LevelState::default();
    let (a, b) = (a.unwrap_or(&nothing), b.unwrap_or(&nothing));
    let mut folding = Folding::new(plan, &a.tiles, first_live);
    folding.second_fields = cell_fields(plan, &b.tiles);
    let (mut left, mut right) =
        (a.tiles.from(first_live).peekable(), b.tiles.from(first_live).peekable());
    loop {
        let number = match (left.peek(), right.peek()) {
            (Some(a), Some(b)) => a.number.min(b.number),
            (Some(a), None) | (None, Some(a)) => a.number,
            (None, None) => break,
        };
        folding.start();
        if let Some(tile) = left.next_if(|tile| tile.number == number) {
            folding.tile(&tile);
        }
        if let Some(tile) = right.next_if(|tile| tile.number == number) {
            folding.partials.merge_tile(plan.all(), &folding.second_fields, 0, &tile);
        }
        folding.finish_tile(number);
    }
    let distinct = (0..plan.distinct_cells()).map(|index| {
        let mut state = a.distinct.get(index).cloned().unwrap_or_default();
        state.merge(&[], b.distinct.get(index), first_live);
        state
    });
    LevelState { tiles: folding.writer.finish(), distinct: distinct.collect() }
}

/// A table being written, tile by tile.
struct Folding<'p, 'a> {
    plan: &'p WindowPlan,
    writer: TileWriter<'p>,
    partials: Partials<'a>,
    fields: Vec<CellFields>,
    second_fields: Vec<CellFields>,
}

impl<'p, 'a> Folding<'p, 'a> {
    fn new(plan: &'p WindowPlan, before: &TileTable, first_live: i64) -> Self {
        Self {
            plan,
            writer: TileWriter::new(plan, before, first_live),
            partials: Partials::default(),
            fields: cell_fields(plan, before),
            second_fields: Vec::new(),
        }
    }

    fn start(&mut self) {
        self.partials.reset(1, self.plan.cells().len(), self.plan.edge_cells());
    }

    fn tile(&mut self, tile: &Tile<'a>) {
        self.partials.merge_tile(self.plan.all(), &self.fields, 0, tile);
    }

    fn finish_tile(&mut self, number: i64) {
        self.writer.push(number, self.partials.numbers(0), self.partials.edges(0));
    }
}

/// Where the cells of the plan are in the records of `table`.
fn cell_fields(plan: &WindowPlan, table: &TileTable) -> Vec<CellFields> {
    let mut places = Vec::new();
    table.places(&mut places);
    plan.cells().iter().map(|cell| CellFields::new(cell, &places)).collect()
}
