//! What a window group will cost and how exact it is, from its definition alone.
//!
//! ```text
//! load     what is assumed of events            bytes    of an event, a tile, an entity      sketch   of distinct counts
//! reads    tiles merged, events passed over     errors   what is approximate, and by how much         and summaries
//! ```
//!
//! Figures are *expected* for entities in steady state whose events come at random times at a constant rate, and *worst*
//! for the same events with whatever numbers and values cost most. Tests hold bytes, tiles and coverage against real ones.

mod bytes;
mod errors;
mod load;
mod reads;
mod sketch;
#[cfg(test)]
mod tests;

use model::{
    definition::{Stream, Window, WindowGroup},
    time::DAY_MS,
};

pub use errors::{Accuracy, FeatureAccuracy};
pub use load::Load;

use super::{Needs, SummaryKind, TileFieldKind, WindowPlan};

/// What the engine takes for an entity beside its key and its state: a slot of four bytes, seven in front of the key, and
/// five in an index that is from seven sixteenths to seven eighths full.
pub const SLOT_BYTES: u64 = 20;

/// What events of a group with nothing but `all` are spread over.
const LIFETIME_SPAN_MS: i64 = 365 * DAY_MS;

/// What one window group costs and how exact it is.
#[derive(Debug, Clone, PartialEq)]
pub struct Explanation {
    /// What was assumed.
    pub load: Load,
    /// What the events of [`Explanation::entities`] are spread over, in ms: the longest window, a year for `all` alone.
    pub span_ms: i64,
    /// Bytes of one event in the raw log.
    pub event: EventBytes,
    /// What is stored, each once for all features named.
    pub cells: Vec<CellExplained>,
    /// One for each hop.
    pub levels: Vec<LevelExplained>,
    /// What an entity takes, for each number of events of the load.
    pub entities: Vec<EntityBytes>,
    /// One for each window.
    pub windows: Vec<WindowExplained>,
    /// What a read of all columns passes over.
    pub read: ReadCost,
    /// How long events are kept.
    pub retention: Retention,
    /// One for each feature.
    pub accuracy: Vec<FeatureAccuracy>,
}

/// Bytes of one event in the raw log: time, values that aggregates read, event id where it breaks ties.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct EventBytes {
    /// The smallest there is.
    pub least: u64,
    /// By the load.
    pub expected: f64,
    /// The largest there is: texts are up to [`model::limits::STRING_BYTES_MAX`] long.
    pub most: u64,
}

/// An (input, filter, by) triple that a group keeps once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CellExplained {
    /// Features that are made from it, as `name = aggregate`.
    pub features: Vec<String>,
    /// What every tile keeps of it.
    pub keeps: Vec<String>,
}

/// The windows of one hop.
#[derive(Debug, Clone, PartialEq)]
pub struct LevelExplained {
    /// Width of a tile, in ms; `None` for that of `all`, which is one tile.
    pub hop_ms: Option<i64>,
    /// Labels of its windows.
    pub windows: Vec<String>,
    /// Most tiles of an entity.
    pub tiles_max: u64,
    /// Bytes of a tile that has ten events, summaries included.
    pub tile_bytes: f64,
}

/// What an entity takes, without [`SLOT_BYTES`] and its key.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct EntityBytes {
    /// Events within [`Explanation::span_ms`].
    pub events: u64,
    /// True when most of them are in tiles; false when all are kept as they came.
    pub is_tiled: bool,
    /// Bytes on the heap, as [`crate::EntityWindows::bytes`] has them. Raw logs have room for a quarter more; a holder that
    /// keeps logs without it takes up to a fifth less.
    pub expected: u64,
    /// The same for whatever costs most.
    pub worst: u64,
}

/// One window.
#[derive(Debug, Clone, PartialEq)]
pub struct WindowExplained {
    /// As columns are named by it.
    pub label: String,
    /// Length in ms; `None` for `all`.
    pub length_ms: Option<i64>,
    /// Width of its tiles, in ms; `None` for `all`.
    pub hop_ms: Option<i64>,
    /// How far before the time of a read it ends, in ms, before it is shifted to a tile edge.
    pub offset_ms: i64,
    /// By how many ms it is longer than asked for, at most. Never shorter but with an offset.
    pub over_ms_max: i64,
    /// By how many ms it is shorter, at most: 0 without an offset.
    pub under_ms_max: i64,
    /// By how many ms its end is before `x − offset`, at most: 0 without an offset.
    pub shift_ms_max: i64,
    /// [`WindowExplained::over_ms_max`] as a share of the length.
    pub over_share: f64,
    /// Tiles and blocks of tiles that a read of it alone merges, at most, those of young events aside.
    pub tiles_merged_max: u64,
}

/// What a read of all columns passes over, at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReadCost {
    /// Tiles and blocks of tiles of all levels.
    pub tiles_merged_max: u64,
    /// The same of events within the horizon, where an entity has so many that they have tiles.
    pub young_tiles_merged_max: u64,
    /// Raw events of an entity without tiles.
    pub raw_events_max: u64,
    /// Raw events of an entity with tiles: those that came since it was last folded, and those within the horizon while
    /// these have no tiles. Where they have, the events of one such tile come on top, for distinct counts those of all.
    pub inbox_events_max: u64,
    /// Width of the tiles of events within the horizon, in ms.
    pub young_hop_ms: i64,
}

/// How long events are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// How far behind now reads are exact, in ms: the stream's horizon.
    pub horizon_ms: i64,
    /// An event of at most this age, in ms, is never late. `None`: none is ever late.
    pub accepted_ms: Option<i64>,
    /// An event of more than this age, in ms, is always late, and forgotten if it was kept. `None`: never.
    pub forgotten_ms: Option<i64>,
}

impl WindowPlan {
    /// What `group`, which this is the plan of, costs and how exact it is. `stream` is the group's.
    #[must_use]
    pub fn explain(&self, stream: &Stream, group: &WindowGroup, load: &Load) -> Explanation {
        let spans = group.windows.iter().filter(|window| !window.is_lifetime());
        let span_ms = spans.map(|window| window.length_ms + window.offset_ms).max();
        let span_ms = span_ms.unwrap_or(LIFETIME_SPAN_MS).max(1);
        let costs = bytes::Costs::new(self, stream, load, span_ms);
        Explanation {
            load: load.clone(),
            span_ms,
            event: costs.event(),
            cells: self.cells_explained(group),
            levels: self.levels_explained(group, &costs),
            entities: load.events.iter().map(|events| costs.entity(*events)).collect(),
            windows: (0..group.windows.len())
                .filter_map(|window| self.window_explained(window, group.windows.get(window)?))
                .collect(),
            read: reads::cost(self, &costs.event()),
            retention: self.retention(),
            accuracy: errors::of_features(group),
        }
    }

    fn cells_explained(&self, group: &WindowGroup) -> Vec<CellExplained> {
        let features = |cell: usize| {
            let mut names = Vec::new();
            for (output, column) in self.outputs.iter().zip(&group.columns) {
                let Some(feature) = group.features.get(column.feature) else { continue };
                let name = format!("{} = {}", feature.name, feature.text);
                if output.cell == cell && !names.contains(&name) {
                    names.push(name);
                }
            }
            names
        };
        let keeps = |index: usize, needs: Needs| {
            let fields = self.tile_fields.iter().filter(|field| field.cell == index);
            let mut keeps: Vec<_> = fields.map(|field| self.kept(field.kind)).collect();
            if needs.distinct {
                keeps.push("distinct values".to_owned());
            }
            keeps
        };
        let cells = self.cells.iter().enumerate();
        cells
            .map(|(index, cell)| CellExplained {
                features: features(index),
                keeps: keeps(index, cell.needs),
            })
            .collect()
    }

    /// What a field of a tile is, in words.
    fn kept(&self, kind: TileFieldKind) -> String {
        let word = match kind {
            TileFieldKind::Count => "count",
            TileFieldKind::Sum => "sum",
            TileFieldKind::Squares => "sum of squares",
            TileFieldKind::Min => "minimum",
            TileFieldKind::Max => "maximum",
            TileFieldKind::Oldest => "oldest time",
            TileFieldKind::Newest => "newest time",
            TileFieldKind::First => "first value",
            TileFieldKind::Last => "last value",
            TileFieldKind::Summary(index) => {
                match self.summaries.get(index).map(|summary| summary.kind) {
                    Some(SummaryKind::Newest { limit }) => return format!("{limit} newest values"),
                    Some(SummaryKind::Quantile) => "quantile bins",
                    Some(SummaryKind::TopK) => "counts of values",
                    Some(SummaryKind::Groups) => "numbers by value",
                    Some(SummaryKind::Decay { .. }) | None => "decayed sums",
                }
            }
        };
        word.to_owned()
    }

    fn levels_explained(
        &self,
        group: &WindowGroup,
        costs: &bytes::Costs<'_>,
    ) -> Vec<LevelExplained> {
        let of_level = |level: usize| {
            let windows = self.windows.iter().zip(&group.windows);
            windows.filter(move |(span, _)| span.level == level).map(|(_, window)| window)
        };
        let levels = self.levels.iter().enumerate();
        levels
            .map(|(index, level)| {
                let is_lifetime = of_level(index).any(Window::is_lifetime);
                LevelExplained {
                    hop_ms: (!is_lifetime).then_some(level.hop_ms),
                    windows: of_level(index).map(|window| window.label.clone()).collect(),
                    tiles_max: level.tiles_max(),
                    tile_bytes: costs.tile_of_ten(),
                }
            })
            .collect()
    }

    fn window_explained(&self, index: usize, window: &Window) -> Option<WindowExplained> {
        let span = self.window(index)?;
        let is_lifetime = window.is_lifetime();
        let coverage = reads::coverage(span);
        let sliding = |ms: i64| (!is_lifetime).then_some(ms);
        Some(WindowExplained {
            label: window.label.clone(),
            length_ms: sliding(window.length_ms),
            hop_ms: sliding(window.hop_ms),
            offset_ms: window.offset_ms,
            over_ms_max: coverage.over_ms,
            under_ms_max: coverage.under_ms,
            shift_ms_max: coverage.shift_ms,
            over_share: coverage.over_ms as f64 / window.length_ms as f64,
            tiles_merged_max: reads::merged_of_windows(self, &[index]),
        })
    }

    fn retention(&self) -> Retention {
        let is_lifetime = self.windows.iter().any(|span| span.is_lifetime());
        let reach = self.levels.iter().map(|level| level.reach_ms()).max().unwrap_or(0);
        let hop = self.levels.iter().filter(|level| level.reach_ms() == reach);
        let hop = hop.map(|level| level.hop_ms).max().unwrap_or(0);
        let kept = |more: i64| (!is_lifetime).then_some(self.horizon_ms + reach + more);
        Retention { horizon_ms: self.horizon_ms, accepted_ms: kept(0), forgotten_ms: kept(hop) }
    }
}
