//! One level of one entity: tiles, blocks of tiles, and distinct tokens, updated in place.
//!
//! A block is the partial of [`BLOCK_TILES`] tiles: a window over 720 tiles merges about 75 records, not 720. Blocks repeat
//! what tiles hold, so they may count tiles that no window sees any more: no window sees such a block whole.

use crate::{
    accumulate::Partials,
    distinct::state::DistinctState,
    plan::{Level, WindowPlan},
    raw::{ColumnValue, Record, Records},
    tile::{CellFields, FieldAt, TileRecord, TileTable},
};

/// Tiles of a block.
pub(crate) const BLOCK_TILES: i64 = 16;
/// Tables with fewer tiles have no blocks.
pub(crate) const BLOCKS_FROM: usize = 48;

/// What one level holds of the folded events that its windows can see.
#[derive(Debug, Clone, Default)]
pub(super) struct LevelState {
    pub(super) tiles: TileTable,
    pub(super) blocks: TileTable,
    /// One for each cell with distinct tokens.
    pub(super) distinct: Vec<DistinctState>,
}

/// What a row of tiles is read from: whole blocks, and tiles at either end. Ranges of numbers, from the first on and before the last.
#[derive(Debug, Clone, Copy)]
pub(super) struct Parts {
    pub(super) tiles: [(i64, i64); 2],
    pub(super) blocks: (i64, i64),
}

/// Events with their column values, by time.
#[derive(Debug, Default)]
pub(super) struct Events<'a> {
    list: Vec<(Record<'a>, usize)>,
    values: Vec<ColumnValue<'a>>,
    columns: usize,
}

impl<'a> Events<'a> {
    pub(super) fn new(plan: &WindowPlan) -> Self {
        Self { columns: plan.columns().len(), ..Self::default() }
    }

    /// All events of a log, by time.
    pub(super) fn of_log(plan: &WindowPlan, log: &'a [u8]) -> Self {
        let mut events = Self::new(plan);
        let (mut records, mut values) = (Records::new(plan, log), Vec::new());
        while let Some(record) = records.next(&mut values) {
            events.push(record, &values);
        }
        events.sort();
        events
    }

    pub(super) fn push(&mut self, record: Record<'a>, values: &[ColumnValue<'a>]) {
        self.list.push((record, self.values.len()));
        self.values.extend_from_slice(values);
    }

    pub(super) fn sort(&mut self) {
        self.list.sort_by_key(|(record, _)| record.time);
    }

    pub(super) fn len(&self) -> usize {
        self.list.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    fn values(&self, at: usize) -> &[ColumnValue<'a>] {
        self.values.get(at..at + self.columns).unwrap_or(&[])
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&Record<'a>, &[ColumnValue<'a>])> {
        self.list.iter().map(|(record, values)| (record, self.values(*values)))
    }
}

/// Memory of a fold.
#[derive(Debug, Default)]
pub(super) struct FoldScratch {
    partials: Partials<'static>,
    record: TileRecord,
    fields: Vec<CellFields>,
    places: Vec<FieldAt>,
}

impl LevelState {
    /// Adds events, sorted by time; forgets what is before tile `first_live`.
    pub(super) fn fold(
        &mut self,
        plan: &WindowPlan,
        level: &Level,
        events: &Events<'_>,
        first_live: i64,
        scratch: &mut FoldScratch,
    ) {
        self.fold_tiles(plan, level.hop_ms, events, first_live, scratch);
        self.fold_distinct(plan, level, events, first_live);
    }

    /// The same without distinct tokens.
    pub(super) fn fold_tiles(
        &mut self,
        plan: &WindowPlan,
        hop_ms: i64,
        events: &Events<'_>,
        first_live: i64,
        scratch: &mut FoldScratch,
    ) {
        self.forget_before(plan, first_live);
        fold_table(plan, &mut self.tiles, hop_ms, first_live, events, scratch);
        if !self.blocks.is_empty() {
            let hop_ms = hop_ms.saturating_mul(BLOCK_TILES);
            let first_live = first_live.div_euclid(BLOCK_TILES);
            fold_table(plan, &mut self.blocks, hop_ms, first_live, events, scratch);
        }
        self.check_blocks(plan, scratch);
    }

    pub(super) fn forget_before(&mut self, plan: &WindowPlan, first_live: i64) {
        self.tiles.forget_before(plan, first_live);
        self.blocks.forget_before(plan, first_live.div_euclid(BLOCK_TILES));
    }

    /// Forgets distinct tokens before tile `first_live`.
    pub(super) fn forget_tokens(&mut self, first_live: i64) {
        self.distinct.iter_mut().for_each(|state| state.forget_before(first_live));
    }

    pub(super) fn fold_distinct(
        &mut self,
        plan: &WindowPlan,
        level: &Level,
        events: &Events<'_>,
        first_live: i64,
    ) {
        self.make_distinct(plan);
        let cells = plan.cells().iter().filter(|cell| cell.distinct.is_some());
        for (state, cell) in self.distinct.iter_mut().zip(cells) {
            state.forget_before(first_live);
            for (record, values) in events.iter().filter(|(record, _)| record.counts_in(cell.bit)) {
                let tile = level.tile(record.time);
                let token = cell.token.and_then(|at| values.get(at));
                if let (true, Some(ColumnValue::Token(token))) = (tile >= first_live, token) {
                    state.insert(tile, *token);
                }
            }
        }
    }

    /// Makes the states of distinct tokens, empty, where there are none yet.
    pub(super) fn make_distinct(&mut self, plan: &WindowPlan) {
        if self.distinct.is_empty() {
            let cells = plan.cells().iter().filter(|cell| cell.distinct.is_some());
            self.distinct = cells.map(|cell| DistinctState::new(cell.precision)).collect();
        }
    }

    /// Adds what another state of the level holds.
    pub(super) fn merge(
        &mut self,
        plan: &WindowPlan,
        other: &Self,
        first_live: i64,
        scratch: &mut FoldScratch,
    ) {
        self.forget_before(plan, first_live);
        let mut places = Vec::new();
        other.tiles.places(&mut places);
        let fields = cell_fields(plan, &places);
        for tile in other.tiles.range(first_live, i64::MAX) {
            let mut partials = std::mem::take(&mut scratch.partials).recycle();
            reset(plan, &mut partials);
            partials.merge_tile(plan.all(), &fields, 0, &tile);
            partials.merge_tile_summaries(plan, plan.all_summaries(), &places, 0, &tile);
            store_merged(plan, &mut self.tiles, tile.number, partials, scratch);
        }
        // Made again rather than merged: one state may have had none.
        self.remake_blocks(plan, scratch);
        self.make_distinct(plan);
        for (state, other) in self.distinct.iter_mut().zip(&other.distinct) {
            state.forget_before(first_live);
            state.merge(other);
        }
    }

    pub(super) fn remake_blocks(&mut self, plan: &WindowPlan, scratch: &mut FoldScratch) {
        self.blocks = TileTable::default();
        self.check_blocks(plan, scratch);
    }

    /// Makes blocks once there are many tiles.
    pub(super) fn check_blocks(&mut self, plan: &WindowPlan, scratch: &mut FoldScratch) {
        if !self.blocks.is_empty() || self.tiles.len() < BLOCKS_FROM {
            return;
        }
        let mut places = Vec::new();
        self.tiles.places(&mut places);
        let fields = cell_fields(plan, &places);
        let mut tiles = self.tiles.all().peekable();
        while let Some(first) = tiles.peek() {
            let block = first.number.div_euclid(BLOCK_TILES);
            let mut partials = std::mem::take(&mut scratch.partials).recycle();
            reset(plan, &mut partials);
            while let Some(tile) =
                tiles.next_if(|tile| tile.number.div_euclid(BLOCK_TILES) == block)
            {
                partials.merge_tile(plan.all(), &fields, 0, &tile);
                partials.merge_tile_summaries(plan, plan.all_summaries(), &places, 0, &tile);
            }
            scratch.record.fill(plan, &partials);
            scratch.partials = partials.recycle();
            self.blocks.store(plan, block, &scratch.record);
        }
    }

    /// How the tiles from `first` on and before `end` are read; `None` when there are no tiles at all.
    pub(super) fn parts(&self, (first, end): (i64, i64)) -> Option<Parts> {
        let nothing = (0, 0);
        // Blocks may still count tiles that are gone; a block that has such tiles is not whole from the first one that is left.
        let first = first.max(self.tiles.first()?);
        let blocks = (-(-first).div_euclid(BLOCK_TILES), end.div_euclid(BLOCK_TILES));
        if self.blocks.is_empty() || blocks.0 >= blocks.1 {
            return Some(Parts { tiles: [(first, end), nothing], blocks: nothing });
        }
        let tiles = [(first, blocks.0 * BLOCK_TILES), (blocks.1 * BLOCK_TILES, end)];
        Some(Parts { tiles, blocks })
    }

    pub(super) fn bytes(&self) -> usize {
        self.tiles.bytes()
            + self.blocks.bytes()
            + self.distinct.capacity() * size_of::<DistinctState>()
            + self.distinct.iter().map(DistinctState::bytes).sum::<usize>()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.tiles.is_empty() && self.distinct.iter().all(DistinctState::is_empty)
    }
}

fn reset(plan: &WindowPlan, partials: &mut Partials<'_>) {
    partials.reset(1, plan.cells().len(), plan.edge_cells());
    partials.reset_summaries(1, plan.all_summaries());
}

/// Where the cells of the plan are in the records of a table whose fields are at `places`.
fn cell_fields(plan: &WindowPlan, places: &[FieldAt]) -> Vec<CellFields> {
    plan.cells().iter().map(|cell| CellFields::new(cell, places)).collect()
}

/// Adds events to the tiles of `hop_ms`, tile by tile.
fn fold_table(
    plan: &WindowPlan,
    table: &mut TileTable,
    hop_ms: i64,
    first_live: i64,
    events: &Events<'_>,
    scratch: &mut FoldScratch,
) {
    let mut events = events.iter().peekable();
    while let Some((first, _)) = events.peek() {
        let number = first.time.div_euclid(hop_ms);
        let mut partials = std::mem::take(&mut scratch.partials).recycle();
        reset(plan, &mut partials);
        while let Some((record, values)) =
            events.next_if(|(record, _)| record.time.div_euclid(hop_ms) == number)
        {
            partials.update(plan, plan.all(), 0, record, values);
            partials.update_summaries(plan, plan.all_summaries(), 0, record, values);
        }
        if number >= first_live {
            store_merged(plan, table, number, partials, scratch);
        } else {
            scratch.partials = partials.recycle();
        }
    }
}

/// Stores slot 0 of `partials` and what the table has of the tile already.
fn store_merged<'a>(
    plan: &WindowPlan,
    table: &mut TileTable,
    number: i64,
    partials: Partials<'a>,
    scratch: &mut FoldScratch,
) {
    scratch.partials = fill(
        plan,
        table,
        number,
        partials,
        &mut scratch.record,
        (&mut scratch.places, &mut scratch.fields),
    );
    table.store(plan, number, &scratch.record);
}

/// Makes the record; gives the memory of the partials back.
fn fill<'a>(
    plan: &WindowPlan,
    table: &'a TileTable,
    number: i64,
    mut partials: Partials<'a>,
    record: &mut TileRecord,
    (places, fields): (&mut Vec<FieldAt>, &mut Vec<CellFields>),
) -> Partials<'static> {
    if let Some(tile) = table.find(number) {
        table.places(places);
        fields.clear();
        fields.extend(plan.cells().iter().map(|cell| CellFields::new(cell, places)));
        partials.merge_tile(plan.all(), fields, 0, &tile);
        partials.merge_tile_summaries(plan, plan.all_summaries(), places, 0, &tile);
    }
    record.fill(plan, &partials);
    partials.recycle()
}
