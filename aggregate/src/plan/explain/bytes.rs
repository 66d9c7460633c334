//! Bytes of an event, a tile and an entity: the layouts of `raw`, `tile` and `entity` with expected lengths in them.

use model::{
    definition::Stream,
    limits::{RAW_EVENTS_MAX, STRING_BYTES_MAX, YOUNG_EVENTS_MAX},
    time::DAY_MS,
    value::DataType,
};

use super::{
    EntityBytes, EventBytes, Load, TileFieldKind, WindowPlan,
    load::{fullest, mean_varint, occupied, whole, width},
    sketch::{self, Sizes},
};
use crate::{
    entity::{
        BLOCK_TILES, BLOCKS_FROM, Grown, INBOX_BYTES, INBOX_EVENTS, LOG_BYTES_MIN, folded_bytes,
        is_better_folded,
    },
    plan::{Column, ColumnKind, Level},
};

/// Most bytes of the time of a record.
const TIME_BYTES_MAX: u64 = 8;
/// Most bytes of a number, with 7 bits a byte.
const NUMBER_BYTES_MAX: u64 = 10;
/// Bytes of an event id that the engine makes, without its length.
const HASH_BYTES: u64 = 16;
/// Tile numbers count from an entity's first tile: of an entity that has lived so long.
const AGE_MS: f64 = 365.0 * DAY_MS as f64;
/// Bytes behind the records of a table.
const PADDING: f64 = 8.0;
/// Tables grow by an eighth: half of that is free on average.
const TABLE_ROOM: f64 = 1.06;
/// A heap is cleaned up when half of it is garbage, and was twice its content then; younger ones have grown less far.
const HEAP_ROOM: f64 = 1.75;
/// A log grows by a quarter.
const LOG_ROOM: f64 = 1.25;

/// A group's layouts under a load.
pub(super) struct Costs<'a> {
    plan: &'a WindowPlan,
    stream: &'a Stream,
    load: &'a Load,
    span_ms: f64,
}

/// Largest and expected things of one kind differ only in what is put in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Case {
    Expected,
    Worst,
}

impl<'a> Costs<'a> {
    pub(super) fn new(
        plan: &'a WindowPlan,
        stream: &'a Stream,
        load: &'a Load,
        span_ms: i64,
    ) -> Self {
        Self { plan, stream, load, span_ms: span_ms as f64 }
    }

    pub(super) fn event(&self) -> EventBytes {
        let presence = self.plan.presence_bits.div_ceil(8) as u64;
        let (id_least, id_most) = match self.id_type() {
            _ if !self.plan.has_ids => (0, 0),
            Some(DataType::String | DataType::Bytes) => (1, text_most()),
            Some(_) => (9, 9),
            None => (1 + HASH_BYTES, 1 + HASH_BYTES),
        };
        let columns = |size: fn(&Self, &Column) -> u64| {
            self.plan.columns.iter().map(move |column| size(self, column))
        };
        // Either all are there, or presence says which: none where something counts every event, else one at least.
        let full: u64 = columns(Self::least).sum();
        let has_total = self.plan.cells.iter().any(|cell| cell.bit.is_none());
        let one = if has_total { 0 } else { columns(Self::least).min().unwrap_or(0) };
        let most: u64 = columns(Self::most).sum();
        EventBytes {
            least: 1 + full.min(presence + one) + id_least,
            expected: 1.0 + self.time_bytes(self.span_ms) + self.body(Case::Expected) - 1.0,
            most: TIME_BYTES_MAX + presence + most + id_most,
        }
    }

    fn id_type(&self) -> Option<DataType> {
        let field = self.stream.fields.get(self.stream.event_id?)?;
        Some(field.data_type)
    }

    fn least(&self, column: &Column) -> u64 {
        match (column.kind, self.type_of(column)) {
            (ColumnKind::Number, _) | (_, DataType::String | DataType::Bytes) => 1,
            (ColumnKind::Token, _) => 4,
            (ColumnKind::Packed, DataType::Bool) => 2,
            (ColumnKind::Packed, _) => 9,
        }
    }

    fn most(&self, column: &Column) -> u64 {
        match (column.kind, self.type_of(column)) {
            (ColumnKind::Number, _) => NUMBER_BYTES_MAX,
            (ColumnKind::Packed, DataType::String | DataType::Bytes) => text_most(),
            (_, _) => self.least(column),
        }
    }

    fn type_of(&self, column: &Column) -> DataType {
        self.plan.inputs.get(column.input).map_or(DataType::I64, |input| input.expr.data_type)
    }

    /// Mean bytes of the time of a record in a log over `span_ms`; twice for its sign and once more for a flag.
    fn time_bytes(&self, span_ms: f64) -> f64 {
        mean_varint(4.0 * span_ms)
    }

    /// Bytes of a record without its time.
    fn body(&self, case: Case) -> f64 {
        let plan = self.plan;
        let is_filtered = plan.cells.iter().any(|cell| cell.filter.is_some());
        let presence =
            if is_filtered || case == Case::Worst { plan.presence_bits.div_ceil(8) } else { 0 };
        let columns = plan.columns.iter().map(|column| {
            let reads = |cell: &&super::super::Cell| {
                cell.input == Some(column.input) || cell.by == Some(column.input)
            };
            let is_always = plan.cells.iter().filter(reads).any(|cell| cell.filter.is_none());
            let share = if is_always || case == Case::Worst { 1.0 } else { self.load.filter_share };
            share * self.column(column, case)
        });
        presence as f64 + columns.sum::<f64>() + self.id()
    }

    fn column(&self, column: &Column, case: Case) -> f64 {
        match (column.kind, case) {
            (ColumnKind::Number, Case::Expected) => {
                mean_varint(2.0 * self.load.unscaled_max(self.type_of(column)))
            }
            (ColumnKind::Number, Case::Worst) => NUMBER_BYTES_MAX as f64,
            (ColumnKind::Token, _) => 4.0,
            (ColumnKind::Packed, _) => {
                sketch::packed(self.type_of(column), self.load.text_bytes as f64)
            }
        }
    }

    /// Bytes of an event id with its length.
    fn id(&self) -> f64 {
        if !self.plan.has_ids {
            return 0.0;
        }
        match self.id_type() {
            Some(DataType::String | DataType::Bytes) => {
                mean_varint(self.load.id_bytes as f64) + self.load.id_bytes as f64
            }
            Some(_) => 9.0,
            None => 1.0 + HASH_BYTES as f64,
        }
    }

    /// Bytes of a tile that has ten events.
    pub(super) fn tile_of_ten(&self) -> f64 {
        let (stride, blobs) = self.record(Case::Expected, 10.0, 100.0, DAY_MS as f64 / 24.0);
        stride + blobs
    }

    /// Bytes of the record of one of `tiles` tiles that have `events` events each, and of what it points to.
    fn record(&self, case: Case, events: f64, tiles: f64, hop_ms: f64) -> (f64, f64) {
        let mut stride = if case == Case::Worst {
            7.0
        } else {
            width(2.0 * AGE_MS.max(hop_ms) / hop_ms).max(1.0)
        };
        let (mut blobs, mut pointers) = (0.0, 0.0);
        for field in &self.plan.tile_fields {
            let Some(cell) = self.plan.cells.get(field.cell) else { continue };
            let share = if cell.filter.is_some() && case == Case::Expected {
                self.load.filter_share
            } else {
                1.0
            };
            let mean = events * share;
            let sizes = self.sizes(cell, case);
            // Of each field the largest value that a tile has is what counts.
            let count = fullest(tiles, mean).max(1.0);
            let number = sizes.number_max;
            let partly = |part: f64| (count * part + count.sqrt()).min(count);
            stride += match field.kind {
                TileFieldKind::Count => width(count),
                TileFieldKind::Sum if case == Case::Expected => width(2.0 * number * partly(0.5)),
                TileFieldKind::Sum => width(2.0 * number * count),
                TileFieldKind::Squares if case == Case::Expected => {
                    width(number * number * partly(1.0 / 3.0))
                }
                TileFieldKind::Squares => width(number * number * count),
                TileFieldKind::Min if case == Case::Expected => {
                    width(2.0 * number * (8.0 / mean.max(1.0)).min(1.0))
                }
                TileFieldKind::Min | TileFieldKind::Max => width(2.0 * number),
                TileFieldKind::Oldest | TileFieldKind::Newest => 6.0,
                TileFieldKind::First | TileFieldKind::Last => {
                    pointers += 1.0;
                    blobs += occupied(1.0, mean) * sketch::edge(&sizes);
                    0.0
                }
                TileFieldKind::Summary(index) => {
                    pointers += 1.0;
                    let kind = self.plan.summaries.get(index).map(|summary| summary.kind);
                    blobs += kind.map_or(0.0, |kind| self.blob(case, kind, &sizes, mean, hop_ms));
                    0.0
                }
            };
        }
        (stride + pointers * width(HEAP_ROOM * blobs * tiles), blobs)
    }

    fn blob(
        &self,
        case: Case,
        kind: super::SummaryKind,
        sizes: &Sizes,
        events: f64,
        hop_ms: f64,
    ) -> f64 {
        let hop_ms = i64::try_from(whole(hop_ms)).unwrap_or(i64::MAX);
        match case {
            Case::Expected => sketch::summary(kind, sizes, self.load, events, hop_ms),
            Case::Worst => sketch::summary_worst(kind, sizes, self.load, events, hop_ms),
        }
    }

    fn sizes(&self, cell: &super::super::Cell, case: Case) -> Sizes {
        let type_of = |input: usize| {
            self.plan.inputs.get(input).map_or(DataType::I64, |input| input.expr.data_type)
        };
        let input = cell.input.map_or(DataType::I64, type_of);
        let key = cell.by.map_or(input, type_of);
        let number_max = match case {
            Case::Expected => self.load.unscaled_max(input),
            Case::Worst => 2.0_f64.powi(63),
        };
        let text = self.load.text_bytes as f64;
        let is_number = matches!(input, DataType::I64 | DataType::Timestamp | DataType::Decimal(_));
        let value =
            if is_number { mean_varint(2.0 * number_max) } else { sketch::packed(input, text) };
        Sizes { value, key: sketch::packed(key, text), id: self.id(), number_max }
    }

    /// Bytes of a table of tiles of `hop_ms`, of which `tiles` at most have `mean` events each at random.
    fn table(&self, case: Case, tiles: f64, mean: f64, hop_ms: f64) -> f64 {
        let live = match case {
            Case::Expected => occupied(tiles, mean),
            Case::Worst => tiles.min(fullest(1.0, mean * tiles) + 1.0),
        };
        if live < 0.5 {
            return 0.0;
        }
        let (stride, blobs) = self.record(case, mean * tiles / live, live, hop_ms);
        let widths = 1.0 + self.plan.tile_fields.len() as f64;
        let (table_room, heap_room) = match case {
            Case::Expected => (TABLE_ROOM, HEAP_ROOM),
            Case::Worst => (1.25, 2.0 * HEAP_ROOM),
        };
        widths + (live * stride + PADDING) * table_room + live * blobs * heap_room
    }

    /// Bytes of tiles and of their blocks, where there are so many.
    fn tables(&self, case: Case, tiles: f64, mean: f64, hop_ms: f64) -> f64 {
        let block = BLOCK_TILES as f64;
        let has_blocks = case == Case::Worst || occupied(tiles, mean) >= BLOCKS_FROM as f64;
        let blocks = if has_blocks {
            self.table(case, tiles / block + 1.0, mean * block, hop_ms * block)
        } else {
            0.0
        };
        self.table(case, tiles, mean, hop_ms) + blocks
    }

    fn level(&self, case: Case, level: &Level, rate: f64) -> f64 {
        let is_lifetime = level.hop_ms as f64 > 100.0 * AGE_MS;
        // All that there was of a year or of the span, where nothing is ever forgotten.
        let hop_ms = if is_lifetime { self.span_ms } else { level.hop_ms as f64 };
        let tiles = if is_lifetime { 1.0 } else { level.tiles_max() as f64 - 0.5 };
        let (mean, events) = (rate * hop_ms, rate * hop_ms * tiles);
        let precisions = self.plan.cells.iter().filter(|cell| cell.distinct.is_some());
        let precisions = precisions.map(|cell| (cell.precision, cell.filter.is_some()));
        let distinct = precisions.map(|(precision, is_filtered)| match case {
            Case::Expected => {
                let share = if is_filtered { self.load.filter_share } else { 1.0 };
                sketch::distinct(precision, self.load, events * share, tiles)
            }
            Case::Worst => sketch::distinct_worst(precision, fullest(1.0, events)),
        });
        let distinct = distinct.sum::<f64>() + sketch::distinct_states(self.plan.distinct_cells);
        self.tables(case, tiles, mean, hop_ms) + distinct
    }

    /// Bytes of `events` events that are kept raw by tiles of the horizon, and of those tiles.
    fn young(&self, case: Case, rate: f64, record: f64) -> f64 {
        let hop_ms = self.plan.young_hop_ms as f64;
        let tiles = self.plan.horizon_ms as f64 / hop_ms + 1.0;
        let mean = rate * hop_ms;
        let queue = (tiles + 1.0).log2().ceil().exp2() * size_of::<(i64, Vec<u8>)>() as f64;
        let log = |events: f64| {
            // Logs grow to the double.
            let bytes = events * record + 5.0;
            bytes.max(8.0).log2().ceil().exp2()
        };
        let spread = 1.2 * mean.sqrt();
        let logs = match case {
            Case::Expected => {
                occupied(tiles, mean)
                    * (log((mean - spread).max(1.0)) + log(mean.max(1.0)) + log(mean + spread))
                    / 3.0
            }
            Case::Worst => tiles * log(fullest(tiles, mean)),
        };
        queue + logs + self.tables(case, tiles, mean, hop_ms)
    }

    /// Bytes of an entity with `events` events in the span.
    pub(super) fn entity(&self, events: u64) -> EntityBytes {
        let rate = events as f64 / self.span_ms;
        let is_tiled = self.is_tiled(rate);
        let expected = if is_tiled {
            self.tiled(Case::Expected, rate)
        } else {
            self.raw(Case::Expected, rate)
        };
        // What grows long is folded; before that, nothing but the log is there.
        let record = TIME_BYTES_MAX as f64 + self.body(Case::Worst);
        let kept = fullest(1.0, rate * self.kept_ms()) + 2.0;
        let folded = folded_bytes(self.plan, 1, 0) as f64;
        let may_fold = kept * record > folded || kept > YOUNG_EVENTS_MAX as f64;
        let raw = self.raw(Case::Worst, rate);
        let worst = if may_fold { raw.max(0.0) + self.tiled(Case::Worst, rate) } else { raw };
        EntityBytes {
            events,
            is_tiled,
            expected: whole(expected),
            worst: whole(worst.max(expected)),
        }
    }

    /// How long an event is kept raw when nothing is folded.
    fn kept_ms(&self) -> f64 {
        let reach = self.plan.levels.iter().filter(|level| level.hop_ms as f64 <= 100.0 * AGE_MS);
        let reach =
            reach.map(|level| (level.reach_ms() + level.hop_ms / 2) as f64).fold(0.0, f64::max);
        // What is never forgotten is kept for a span here: see `Explanation::span_ms`.
        self.plan.horizon_ms as f64 + if reach > 0.0 { reach } else { self.span_ms }
    }

    /// The rule of `entity/fold.rs`, for expected numbers.
    fn is_tiled(&self, rate: f64) -> bool {
        let young = rate * self.plan.horizon_ms as f64;
        let old = rate * self.kept_ms() - young;
        let tiles = self.plan.levels.iter().map(|level| {
            let hop = level.hop_ms as f64;
            occupied(
                (level.tiles_max() as f64).min(self.kept_ms() / hop + 1.0),
                (rate * hop).min(old),
            )
        });
        let number = |value| usize::try_from(whole(value)).unwrap_or(usize::MAX);
        let tiles = number(tiles.sum());
        let tokens =
            self.plan.columns.iter().filter(|column| column.kind == ColumnKind::Token).count()
                as f64
                * old;
        let tokens = number(tokens);
        let raw = old * (self.body(Case::Expected) + crate::entity::TIME_BYTES as f64);
        let folded = folded_bytes(self.plan, tiles, tokens);
        let is_better = is_better_folded(number(old), number(raw), folded);
        is_better || old >= RAW_EVENTS_MAX as f64 || young > YOUNG_EVENTS_MAX as f64
    }

    /// Bytes of an entity that has but a log.
    fn raw(&self, case: Case, rate: f64) -> f64 {
        let kept_ms = self.kept_ms();
        let (body, time, events) = match case {
            // Room is made when an event comes, for those before it: between one less and, while it lasts, none less.
            Case::Expected => {
                (self.body(case), self.time_bytes(kept_ms), (rate * kept_ms - 0.5).max(0.0))
            }
            // Folded at the latest when it is full after so many.
            Case::Worst => {
                let most = ((RAW_EVENTS_MAX + YOUNG_EVENTS_MAX) as f64) * LOG_ROOM + 64.0;
                (
                    self.body(case),
                    TIME_BYTES_MAX as f64,
                    (fullest(2.0, 2.0 * rate * kept_ms) + 2.0).min(most),
                )
            }
        };
        let needed = TIME_BYTES_MAX as f64 + body;
        // The first event's time is whole.
        let live = events * (body + time) + 2.0;
        (live * LOG_ROOM + needed).max(LOG_BYTES_MIN as f64) + 4.0
    }

    /// Bytes of an entity that has tiles.
    fn tiled(&self, case: Case, rate: f64) -> f64 {
        let body = self.body(case);
        let needed = TIME_BYTES_MAX as f64 + body;
        let horizon_ms = self.plan.horizon_ms as f64;
        let young = rate * horizon_ms;
        let has_young = match case {
            Case::Expected => young > YOUNG_EVENTS_MAX as f64,
            Case::Worst => fullest(2.0, 2.0 * young) > YOUNG_EVENTS_MAX as f64,
        };
        let record = match case {
            Case::Expected => body + self.time_bytes(self.plan.young_hop_ms as f64),
            Case::Worst => needed,
        };
        let in_log = match case {
            Case::Expected if has_young => 0.0,
            Case::Expected => young * (body + self.time_bytes(horizon_ms)),
            Case::Worst => (2.0 * young).min(YOUNG_EVENTS_MAX as f64) * needed,
        };
        let room = (INBOX_BYTES as f64).max(INBOX_EVENTS as f64 * needed);
        let inbox = room + needed + in_log;
        let levels =
            self.plan.levels.iter().map(|level| self.level(case, level, rate)).sum::<f64>();
        let young = if has_young { self.young(case, rate, record) } else { 0.0 };
        Grown::empty_bytes(self.plan.levels.len()) as f64 + inbox + levels + young
    }
}

fn text_most() -> u64 {
    3 + STRING_BYTES_MAX as u64
}
