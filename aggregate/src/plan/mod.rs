//! The plan of a window group: its definition compiled once into inputs, columns, cells, levels and outputs.
//!
//! ```text
//! input    a distinct expression that aggregates read                      sum(amount), avg(amount): one input
//! column   one encoding of an input in the raw event log                   number, token or packed bytes
//! cell     an (input, filter, by) triple: one partial in every tile        sum(amount), max(amount): one cell
//! summary  what a cell holds beyond numbers: bins, counts, newest values   approx_quantile(amount, 0.5)
//! level    a hop and the windows that use it                               one or two, and one of `all`
//! ```

mod cells;
mod direct;
pub mod explain;
mod levels;
mod needs;
pub(crate) mod ordered;
mod prepare;
mod select;

use model::{
    definition::{AggregateFunction, Stream, WindowGroup},
    expr::Expr,
    limits::RAW_EVENTS_MAX,
    value::DataType,
};

pub(crate) use cells::{Cell, CellUse, Column, ColumnKind, SummaryUse};
pub use direct::{DirectEvents, DirectFields};
pub(crate) use levels::{Level, Span};
pub(crate) use needs::{Needs, Summary, SummaryKind, TileField, TileFieldKind};
pub use prepare::{PreparedEvent, StoredEvent};
pub use select::ColumnSelection;

/// A window group, compiled. Cheap to read from many threads; it holds no state.
#[derive(Debug, Clone)]
pub struct WindowPlan {
    /// How far behind now a read is exact, in ms.
    horizon_ms: i64,
    /// See [`WindowPlan::young_hop_ms`].
    young_hop_ms: i64,
    windows: Vec<Span>,
    levels: Vec<Level>,
    /// Distinct input expressions, each with the name of a feature that uses it.
    inputs: Vec<Named>,
    /// Distinct filters, each with the name of a feature that uses it.
    filters: Vec<Named>,
    columns: Vec<Column>,
    cells: Vec<Cell>,
    summaries: Vec<Summary>,
    /// What a tile stores, in order.
    tile_fields: Vec<TileField>,
    /// Every cell with all it needs: what folding works on.
    all: Vec<CellUse>,
    all_summaries: Vec<SummaryUse>,
    /// Cells that keep first or last values: their partials have edges.
    edge_cells: usize,
    /// True when the raw log has event ids: something breaks ties by them, or events are retracted by them.
    has_ids: bool,
    /// True when every event is kept, also one that no aggregate counts: each can be retracted.
    keeps_all: bool,
    /// Presence bits of an event, all set.
    presence_bits: usize,
    /// Cells that keep distinct tokens.
    distinct_cells: usize,
    outputs: Vec<Output>,
    fold_threshold: usize,
}

/// An expression and the feature to name when it fails.
#[derive(Debug, Clone)]
struct Named {
    expr: Expr,
    feature: String,
}

/// A column of the group: how its value is made.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Output {
    pub(crate) window: usize,
    pub(crate) cell: usize,
    pub(crate) function: AggregateFunction,
    /// Its summary, where numbers and edges do not hold it.
    pub(crate) summary: Option<usize>,
    /// Type of the aggregate's input, where it has one.
    pub(crate) input: DataType,
    /// Type of the values it is taken by.
    pub(crate) by: Option<DataType>,
    /// Type of one value, of a list's or object's members where it is one.
    pub(crate) element: DataType,
}

impl WindowPlan {
    /// Compiles `group`, a window group of `stream`.
    #[must_use]
    pub fn new(stream: &Stream, group: &WindowGroup) -> Self {
        let mut compiler = cells::Compiler::default();
        let of_feature: Vec<_> =
            group.features.iter().map(|feature| compiler.feature(feature)).collect();
        let (windows, levels) = levels::of_windows(&group.windows);
        let outputs = group.columns.iter().filter_map(|column| {
            let aggregate = &group.features.get(column.feature)?.aggregate;
            let (cell, summary) = *of_feature.get(column.feature)?;
            Some(Output {
                window: column.window,
                cell,
                summary,
                function: aggregate.function,
                input: aggregate.input.as_ref().map_or(DataType::I64, |input| input.data_type),
                by: aggregate.by.as_ref().map(|by| by.data_type),
                element: aggregate.element,
            })
        });
        let outputs = outputs.collect();
        let compiled = compiler.finish();
        Self {
            horizon_ms: stream.horizon_ms,
            young_hop_ms: levels::young_hop(&levels, stream.horizon_ms),
            windows,
            levels,
            inputs: compiled.inputs,
            filters: compiled.filters,
            columns: compiled.columns,
            cells: compiled.cells,
            summaries: compiled.summaries,
            tile_fields: compiled.tile_fields,
            all: compiled.all,
            all_summaries: compiled.all_summaries,
            edge_cells: compiled.edge_cells,
            has_ids: compiled.has_ids || stream.retract,
            keeps_all: stream.retract,
            presence_bits: compiled.presence_bits,
            distinct_cells: compiled.distinct_cells,
            outputs,
            fold_threshold: RAW_EVENTS_MAX,
        }
    }

    /// The same plan, folding whatever it costs once `events` raw events are older than the horizon; with `usize::MAX` never,
    /// not even where tiles are smaller. Values do not depend on it, only memory and speed do: for tuning, and for tests of exactly that.
    #[must_use]
    pub fn with_fold_threshold(mut self, events: usize) -> Self {
        self.fold_threshold = events;
        self
    }

    /// Number of columns of the group.
    #[must_use]
    pub fn column_count(&self) -> usize {
        self.outputs.len()
    }

    pub(crate) fn fold_threshold(&self) -> usize {
        self.fold_threshold
    }

    pub(crate) fn levels(&self) -> &[Level] {
        &self.levels
    }

    pub(crate) fn columns(&self) -> &[Column] {
        &self.columns
    }

    pub(crate) fn cells(&self) -> &[Cell] {
        &self.cells
    }

    pub(crate) fn tile_fields(&self) -> &[TileField] {
        &self.tile_fields
    }

    /// Indexes of the tile fields that point to bytes elsewhere.
    pub(crate) fn blob_fields(&self) -> impl Iterator<Item = usize> {
        self.tile_fields
            .iter()
            .enumerate()
            .filter(|(_, field)| field.kind.is_blob())
            .map(|(i, _)| i)
    }

    pub(crate) fn all(&self) -> &[CellUse] {
        &self.all
    }

    pub(crate) fn all_summaries(&self) -> &[SummaryUse] {
        &self.all_summaries
    }

    pub(crate) fn edge_cells(&self) -> usize {
        self.edge_cells
    }

    pub(crate) fn distinct_cells(&self) -> usize {
        self.distinct_cells
    }

    /// How the value of a column is made.
    pub(crate) fn output(&self, column: usize) -> Option<&Output> {
        self.outputs.get(column)
    }

    /// A window of the group.
    pub(crate) fn window(&self, window: usize) -> Option<&Span> {
        self.windows.get(window)
    }

    pub(crate) fn summaries(&self) -> &[Summary] {
        &self.summaries
    }

    /// True when raw events carry their ids: where they do not, an event needs none.
    #[must_use]
    pub fn has_ids(&self) -> bool {
        self.has_ids
    }

    /// Presence bits of an event.
    pub(crate) fn presence_bits(&self) -> usize {
        self.presence_bits
    }

    /// Width of the tiles of events that are too young to be folded, in ms.
    pub(crate) fn young_hop_ms(&self) -> i64 {
        self.young_hop_ms
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use model::definition::{Definitions, GroupKind};

    use super::*;

    /// The plan of a group over a stream of `i` (i64), `d` (decimal(2)), `s` (string) and `b` (bool).
    pub(crate) fn plan(windows: &str, features: &str) -> WindowPlan {
        let text = format!(
            "[entity.e]\nkey = \"string\"\n[stream.x]\nevent_time = \"ts\"\n[stream.x.fields]\nts = \"timestamp\"\n\
             i = \"i64\"\nd = \"decimal(2)\"\ns = \"string\"\nb = \"bool\"\n[group.g]\nentity = \"e\"\n\
             stream = \"x\"\nkey = \"s\"\n{windows}\n[group.g.features]\n{features}\n"
        );
        let definitions = Definitions::parse("test.toml", &text, &Definitions::default());
        let definitions = definitions.unwrap_or_else(|error| panic!("{error}\n{text}"));
        let GroupKind::Windows(group) = &definitions.groups[0].kind else { panic!("of windows") };
        WindowPlan::new(&definitions.streams[0], group)
    }

    #[test]
    fn what_is_equal_between_features_is_kept_once() {
        let plan = plan(
            "windows = [\"5m\", \"24h\"]",
            "n = \"count(*)\"\na = \"sum(d)\"\nb = \"avg(d)\"\nc = \"stddev(d)\"\n\
             e = \"max(d) filter (where b)\"\nf = \"approx_distinct(s)\"\ng = \"last(s)\"\nh = \"count(s)\"",
        );
        assert_eq!(plan.levels.len(), 2);
        assert_eq!(plan.inputs.len(), 2, "d and s");
        assert_eq!(plan.filters.len(), 1);
        let kinds: Vec<_> = plan.columns.iter().map(|column| (column.input, column.kind)).collect();
        let expected = [(0, ColumnKind::Number), (1, ColumnKind::Token), (1, ColumnKind::Packed)];
        assert_eq!(kinds, expected);
        assert_eq!(plan.cells.len(), 4, "all, d, d where b, s");
        assert_eq!(plan.presence_bits(), 3, "every cell but that of all events");
        assert_eq!(plan.column_count(), 16);
    }

    #[test]
    fn a_selection_needs_no_more_than_its_columns() {
        let plan = plan(
            "windows = [\"5m\", \"24h\"]",
            "a = \"sum(d)\"\nb = \"stddev(d)\"\nc = \"last(s)\"",
        );
        let selection = plan.select(&[1, 0]);
        assert_eq!((selection.windows.len(), selection.cells.len()), (2, 1));
        assert!(!selection.cells[0].needs.squares);
        assert_eq!(selection.edge_cells, 0);
        assert!(plan.select(&[3]).cells[0].needs.squares);
    }
}
