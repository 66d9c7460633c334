//! Reads of numbers alone: counts, sums, means, extremes, deviations, rates and times of windows that all end at `x`.
//!
//! Most reads are like that (docs/decisions/0012). The windows are nested, and each has a slot: what it sees and the one
//! before it does not. Nothing is borrowed from the entity, so that memory is used as the last read left it.

use super::Word;
use crate::{
    accumulate::Partials,
    entity::{EntityView, Grown, level::LevelState},
    finalize::{Found, finalize},
    partial::Numbers,
    plan::{ColumnSelection, WindowPlan},
    raw::{ColumnValue, Records},
    tile::{CellFields, FieldAt},
};

/// What such reads keep between them: memory.
#[derive(Debug, Default)]
pub(super) struct NumbersScratch {
    /// The window that starts latest first.
    slots: Vec<Slot>,
    /// Where the windows of those start.
    starts: Starts,
    /// Of each window of the selection, where its cells begin in what is seen.
    of_window: Vec<usize>,
    /// What each slot's window sees.
    seen: Partials<'static>,
    /// Of each slot, the events that count in all cells: added up once, however many cells there are.
    whole: Vec<Numbers>,
    /// What the windows of one level see of its tiles so far.
    running: Partials<'static>,
    places: Vec<FieldAt>,
    fields: Fields,
}

/// Windows that are looked through without a branch, and of how many it is half the work.
const FEW: usize = 8;
const FEWER: usize = 4;

/// Starts of windows, the latest first.
#[derive(Debug)]
struct Starts {
    /// The first ones, and then what no event is before.
    few: [i64; FEW],
    more: Vec<i64>,
    are_fewer: bool,
}

impl Default for Starts {
    fn default() -> Self {
        Self { few: [i64::MIN; FEW], more: Vec::new(), are_fewer: true }
    }
}

impl Starts {
    fn set(&mut self, mut starts: impl Iterator<Item = i64>) {
        self.few.fill(i64::MIN);
        self.few.iter_mut().zip(&mut starts).for_each(|(place, start)| *place = start);
        self.are_fewer = self.few.get(FEWER).is_none_or(|start| *start == i64::MIN);
        self.more.clear();
        self.more.extend(starts);
    }

    /// The first window that begins at `time` or before; how many there are when none does. Events of any age come in any order: a
    /// processor would guess wrong at every second one.
    #[inline]
    fn slot(&self, time: i64) -> usize {
        let count = |starts: &[i64]| starts.iter().map(|start| usize::from(*start > time)).sum();
        if self.are_fewer {
            return count(self.few.first_chunk::<FEWER>().unwrap_or(&[0; FEWER]));
        }
        let slot = count(&self.few);
        if slot < FEW || self.more.is_empty() {
            return slot;
        }
        slot + self.more.partition_point(|start| *start > time)
    }
}

/// Where the cells in use are in the records of tiles, and in those of blocks.
#[derive(Debug, Default)]
struct Fields {
    tiles: Vec<CellFields>,
    blocks: Vec<CellFields>,
}

/// A window of the read.
#[derive(Debug, Clone, Copy)]
struct Slot {
    start: i64,
    level: usize,
    /// Its place in the selection.
    window: usize,
    is_lifetime: bool,
}

/// One read under way.
pub(super) struct NumbersPass<'p, 's> {
    plan: &'p WindowPlan,
    selection: &'p ColumnSelection,
    x: i64,
    memory: &'s mut NumbersScratch,
    /// Something was added to all cells together, something to single ones.
    has_whole: bool,
    has_single: bool,
}

impl<'p, 's> NumbersPass<'p, 's> {
    /// Of a selection that is of numbers, at `x`.
    pub(super) fn new(
        (plan, selection): (&'p WindowPlan, &'p ColumnSelection),
        x: i64,
        memory: &'s mut NumbersScratch,
    ) -> Self {
        debug_assert!(selection.is_of_numbers(), "else nothing would be read");
        Self { plan, selection, x, memory, has_whole: false, has_single: false }
    }

    /// Adds up what every window sees of `entity`.
    pub(super) fn look<'a>(&mut self, entity: EntityView<'a>, values: &mut Vec<ColumnValue<'a>>) {
        self.lay_out();
        self.records(Records::new(self.plan, entity.log), values);
        if let Some(grown) = entity.grown {
            self.young(grown, values);
        }
        self.nest();
        for (level, state) in entity.grown.iter().flat_map(|grown| grown.levels.iter().enumerate())
        {
            self.level(level, state);
        }
    }

    fn lay_out(&mut self) {
        let NumbersScratch { slots, starts, of_window, seen, whole, .. } = &mut *self.memory;
        slots.clear();
        for (window, of_group) in self.selection.windows.iter().enumerate() {
            let Some(span) = self.plan.window(*of_group) else { continue };
            let (start, is_lifetime) = (span.start(self.x), span.is_lifetime());
            let place = slots.partition_point(|slot| slot.start >= start);
            slots.insert(place, Slot { start, level: span.level, window, is_lifetime });
        }
        of_window.clear();
        of_window.resize(slots.len(), 0);
        for (place, slot) in slots.iter().enumerate() {
            if let Some(first) = of_window.get_mut(slot.window) {
                *first = place * self.selection.cells.len();
            }
        }
        starts.set(slots.iter().map(|slot| slot.start));
        seen.reset(slots.len(), self.selection.cells.len(), 0);
        whole.clear();
        whole.resize(slots.len(), Numbers::default());
    }

    /// Adds raw events, each to the first window that sees it.
    fn records<'a>(&mut self, mut records: Records<'_, 'a>, values: &mut Vec<ColumnValue<'a>>) {
        let NumbersScratch { starts, seen, whole, .. } = &mut *self.memory;
        let (x, cells) = (self.x, self.selection.cells.as_slice());
        if records.are_numbers() {
            let of_all = self.selection.needs;
            while let Some(event) = records.next_number() {
                let slot = starts.slot(event.time);
                if event.time >= x {
                    continue;
                }
                match whole.get_mut(slot) {
                    Some(numbers) if event.is_full => {
                        self.has_whole = true;
                        numbers.count_one(event.time, of_all.times);
                        numbers.update(event.number, of_all.squares);
                    }
                    Some(_) => {
                        self.has_single = true;
                        let counts_in = |bit| event.counts_in(bit);
                        let number = |_| Some(event.number);
                        seen.update_numbers((cells, slot), event.time, counts_in, number);
                    }
                    None => {}
                }
            }
            return;
        }
        while let Some(record) = records.next(values) {
            let slot = starts.slot(record.time);
            if record.time < x && slot < whole.len() {
                self.has_single = true;
                let number = |column: usize| values.get(column).and_then(ColumnValue::number);
                let counts_in = |bit| record.counts_in(bit);
                seen.update_numbers((cells, slot), record.time, counts_in, number);
            }
        }
    }

    /// Gives each window what the ones within it have, and every cell what was added up for all of them: of what it has no use for
    /// nothing is read.
    fn nest(&mut self) {
        let NumbersScratch { seen, whole, .. } = &mut *self.memory;
        if self.has_single {
            (1..whole.len()).for_each(|slot| seen.merge_within(slot, slot - 1));
        }
        if self.has_whole {
            let mut so_far = Numbers::default();
            for (slot, numbers) in whole.iter().enumerate() {
                so_far.merge(numbers);
                seen.merge_all(slot, &so_far);
            }
        }
    }

    /// Adds events within the horizon: tiles that lie before `x`, and of others the events.
    fn young<'a>(&mut self, grown: &'a Grown, values: &mut Vec<ColumnValue<'a>>) {
        let (hop_ms, young) = (self.plan.young_hop_ms(), &grown.young);
        let mut end = young.first_cut(self.x, hop_ms);
        for records in young.raw(self.plan, end, self.x.div_euclid(hop_ms).saturating_add(1)) {
            self.records(records, values);
        }
        if young.sums.is_empty() {
            return;
        }
        self.has_single = true;
        self.find_fields(&young.sums);
        let NumbersScratch { slots, seen, fields, .. } = &mut *self.memory;
        for (place, slot) in slots.iter().enumerate() {
            let first = slot.start.div_euclid(hop_ms);
            add_tiles(&young.sums, (first, end), (self.selection, fields), (&mut *seen, place));
            end = end.min(first);
        }
    }

    /// Adds folded events to the windows of a level: each has what the shorter ones have, and some tiles more.
    fn level(&mut self, index: usize, state: &LevelState) {
        let is_read = self.memory.slots.iter().any(|slot| slot.level == index);
        let Some(level) = self.plan.levels().get(index).filter(|_| is_read) else { return };
        self.find_fields(state);
        let NumbersScratch { slots, seen, running, fields, .. } = &mut *self.memory;
        running.reset(1, self.selection.cells.len(), 0);
        // Folded events are before x, so the tile that x is in belongs to the window as it is.
        let mut end = level.tile(self.x.saturating_sub(1)) + 1;
        for (place, slot) in slots.iter().enumerate().filter(|(_, slot)| slot.level == index) {
            let first = level.tile(slot.start);
            add_tiles(state, (first, end), (self.selection, fields), (&mut *running, 0));
            end = first;
            seen.merge_from(place, running, 0);
        }
    }

    /// Where the cells in use are in the tables of `state`.
    fn find_fields(&mut self, state: &LevelState) {
        let NumbersScratch { places, fields, .. } = &mut *self.memory;
        for (table, fields) in
            [(&state.tiles, &mut fields.tiles), (&state.blocks, &mut fields.blocks)]
        {
            fields.clear();
            if !table.is_empty() {
                table.places(places);
                fields.extend(self.selection.cells.iter().map(|used| {
                    let cell = self.plan.cells().get(used.cell);
                    cell.map_or_else(CellFields::default, |cell| CellFields::new(cell, places))
                }));
            }
        }
    }

    /// Gives the value of every column to `sink`.
    #[inline]
    pub(super) fn finish(&self, mut sink: impl FnMut(usize, Word)) {
        let NumbersScratch { seen, of_window, .. } = &*self.memory;
        for (position, column) in self.selection.numbers.iter().enumerate() {
            let numbers =
                of_window.get(column.window).and_then(|first| seen.get(*first + column.cell));
            let Some(numbers) = numbers else { continue };
            sink(
                position,
                match column.recipe.word(numbers) {
                    Some(word) => word,
                    None => self.finalized(position, numbers),
                },
            );
        }
    }

    /// What is not made of one number.
    fn finalized(&self, position: usize, numbers: &Numbers) -> Word {
        let selected = self.selection.columns.get(position);
        let slot = selected.and_then(|selected| {
            self.memory.slots.iter().find(|slot| slot.window == selected.window)
        });
        let (Some(selected), Some(slot)) = (selected, slot) else { return Ok(None) };
        let start = if slot.is_lifetime { numbers.oldest } else { slot.start };
        let found = Found { numbers, edges: None, summary: None, start, head: self.x };
        let mut text = String::new();
        Ok(finalize(&selected.output, &found, &mut text)?.and_then(|value| value.to_word()))
    }
}

/// Adds the tiles of `state` from the first on and before the last to a slot.
fn add_tiles(
    state: &LevelState,
    bounds: (i64, i64),
    (selection, fields): (&ColumnSelection, &Fields),
    (into, slot): (&mut Partials<'_>, usize),
) {
    let Some(parts) = state.parts(bounds) else { return };
    let cells = selection.cells.as_slice();
    for part in parts.tiles {
        into.merge_numbers((cells, &fields.tiles), slot, state.tiles.tiles(), part);
    }
    into.merge_numbers((cells, &fields.blocks), slot, state.blocks.tiles(), parts.blocks);
}
