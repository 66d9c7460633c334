//! From aggregates to cells and columns: what is equal between features is stored once.

use model::{
    definition::{Aggregate, AggregateFeature, AggregateFunction},
    expr::Expr,
    value::DataType,
};

use super::{Named, Needs, Summary, SummaryKind, TileField, TileFieldKind};

/// How the raw event log keeps an input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ColumnKind {
    /// Zigzag varint: i64, timestamp, or unscaled decimal.
    Number,
    /// Four bytes: the value's coupon, for `approx_distinct`.
    Token,
    /// Length and bytes that sort as values do (see [`super::ordered`]): what `first`, `last`, `top_k` and `by` tell apart.
    Packed,
}

/// One encoding of an input.
#[derive(Debug, Clone)]
pub(crate) struct Column {
    pub(crate) input: usize,
    pub(crate) kind: ColumnKind,
    /// Presence bits of the cells that read it: it is stored when one of them is set. The first 64 as a mask.
    pub(crate) mask: u64,
    /// The others.
    pub(crate) high_bits: Vec<usize>,
}

/// An (input, filter, by) triple.
#[derive(Debug, Clone)]
pub(crate) struct Cell {
    pub(crate) input: Option<usize>,
    pub(crate) filter: Option<usize>,
    pub(crate) by: Option<usize>,
    pub(crate) needs: Needs,
    /// Its presence bit: the filter is true, and neither the input nor the value of `by` is null. `None` for `count(*)`, which
    /// counts every event.
    pub(crate) bit: Option<usize>,
    /// Columns it reads.
    pub(crate) number: Option<usize>,
    pub(crate) token: Option<usize>,
    pub(crate) packed: Option<usize>,
    pub(crate) key: Option<usize>,
    /// Its place among the cells with edges, and among those with distinct tokens.
    pub(crate) edge: Option<usize>,
    pub(crate) distinct: Option<usize>,
    /// Of its distinct tokens.
    pub(crate) precision: u8,
    /// Its first field in a tile.
    pub(crate) tile_field: usize,
}

impl Cell {
    /// True when every event counts in it.
    fn is_total(&self) -> bool {
        self.input.is_none() && self.filter.is_none() && self.by.is_none()
    }
}

/// A cell as a read or a fold uses it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CellUse {
    pub(crate) cell: usize,
    pub(crate) needs: Needs,
    /// As [`Cell::bit`], [`Cell::number`] and [`Cell::token`], beside what else is looked at for every event.
    pub(crate) bit: Option<usize>,
    pub(crate) number: Option<usize>,
    pub(crate) token: Option<usize>,
    /// Place of its edges among those in use.
    pub(crate) edge: Option<usize>,
    /// Place of its tokens among those in use.
    pub(crate) distinct: Option<usize>,
}

impl CellUse {
    /// The use of `cell`, number `index`, for `needs`, with the places of its edges and tokens.
    pub(crate) fn new(
        index: usize,
        cell: &Cell,
        needs: Needs,
        (edge, distinct): (Option<usize>, Option<usize>),
    ) -> Self {
        let Cell { bit, number, token, .. } = *cell;
        Self { cell: index, needs, bit, number, token, edge, distinct }
    }
}

/// A summary as a read or a fold uses it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SummaryUse {
    /// Its index in the plan.
    pub(crate) summary: usize,
    pub(crate) kind: SummaryKind,
    /// Index of its cell in the plan.
    pub(crate) cell: usize,
}

/// Collects what features need.
#[derive(Debug, Default)]
pub(super) struct Compiler {
    inputs: Vec<Named>,
    filters: Vec<Named>,
    cells: Vec<Cell>,
    summaries: Vec<Summary>,
}

/// What a group's features need together.
pub(super) struct Compiled {
    pub(super) inputs: Vec<Named>,
    pub(super) filters: Vec<Named>,
    pub(super) columns: Vec<Column>,
    pub(super) cells: Vec<Cell>,
    pub(super) summaries: Vec<Summary>,
    pub(super) tile_fields: Vec<TileField>,
    pub(super) all: Vec<CellUse>,
    pub(super) all_summaries: Vec<SummaryUse>,
    pub(super) edge_cells: usize,
    pub(super) distinct_cells: usize,
    pub(super) has_ids: bool,
    pub(super) presence_bits: usize,
}

impl Compiler {
    /// The cell of a feature, and its summary.
    pub(super) fn feature(&mut self, feature: &AggregateFeature) -> (usize, Option<usize>) {
        let name = feature.name.as_str();
        let Aggregate { function, input, filter, by, .. } = &feature.aggregate;
        let input = input.as_ref().map(|expr| intern(&mut self.inputs, expr, name));
        let by = by.as_ref().map(|expr| intern(&mut self.inputs, expr, name));
        let filter = filter.as_ref().map(|expr| intern(&mut self.filters, expr, name));
        let needs = Needs::of(*function, by.is_some());
        let precision = match function {
            AggregateFunction::ApproxDistinct { precision } => *precision,
            _ => 0,
        };
        let same = |cell: &Cell| {
            let is_alike = precision == 0 || cell.precision == 0 || cell.precision == precision;
            cell.input == input && cell.filter == filter && cell.by == by && is_alike
        };
        let known = self.cells.iter().position(same).unwrap_or_else(|| {
            self.cells.push(Cell {
                input,
                filter,
                by,
                needs: Needs::default(),
                bit: None,
                number: None,
                token: None,
                packed: None,
                key: None,
                edge: None,
                distinct: None,
                precision,
                tile_field: 0,
            });
            self.cells.len() - 1
        });
        if let Some(cell) = self.cells.get_mut(known) {
            cell.needs = cell.needs.or(needs);
            cell.precision = cell.precision.max(precision);
        }
        let summary =
            SummaryKind::of(*function, by.is_some()).map(|kind| self.summary(known, kind));
        (known, summary)
    }

    fn summary(&mut self, cell: usize, kind: SummaryKind) -> usize {
        let like = |known: &Summary| known.cell == cell && known.kind.is_like(kind);
        let Some(index) = self.summaries.iter().position(like) else {
            self.summaries.push(Summary { cell, kind, tile_field: 0 });
            return self.summaries.len() - 1;
        };
        if let Some(Summary { kind: SummaryKind::Newest { limit }, .. }) =
            self.summaries.get_mut(index)
            && let SummaryKind::Newest { limit: wanted } = kind
        {
            *limit = wanted.max(*limit);
        }
        index
    }

    pub(super) fn finish(self) -> Compiled {
        let Self { inputs, filters, mut cells, mut summaries } = self;
        for (bit, cell) in cells.iter_mut().filter(|cell| !cell.is_total()).enumerate() {
            cell.bit = Some(bit);
        }
        let presence_bits = cells.iter().filter(|cell| cell.bit.is_some()).count();
        let columns = columns(&inputs, &mut cells, &summaries);
        let (mut edge_cells, mut distinct_cells) = (0, 0);
        let (mut tile_fields, mut all) = (Vec::new(), Vec::new());
        for (index, cell) in cells.iter_mut().enumerate() {
            cell.edge = cell.needs.edge().then_some(edge_cells);
            edge_cells += usize::from(cell.needs.edge());
            cell.distinct = cell.needs.distinct.then_some(distinct_cells);
            distinct_cells += usize::from(cell.needs.distinct);
            cell.tile_field = tile_fields.len();
            tile_fields
                .extend(cell.needs.tile_fields().map(|kind| TileField { cell: index, kind }));
            all.push(CellUse::new(index, cell, cell.needs, (cell.edge, cell.distinct)));
        }
        for (index, summary) in summaries.iter_mut().enumerate() {
            summary.tile_field = tile_fields.len();
            tile_fields.push(TileField { cell: summary.cell, kind: TileFieldKind::Summary(index) });
        }
        let all_summaries = summaries.iter().enumerate().map(|(index, summary)| SummaryUse {
            summary: index,
            kind: summary.kind,
            cell: summary.cell,
        });
        let all_summaries = all_summaries.collect();
        let has_ids = edge_cells > 0 || summaries.iter().any(|summary| summary.kind.has_ids());
        Compiled {
            inputs,
            filters,
            columns,
            cells,
            summaries,
            tile_fields,
            all,
            all_summaries,
            edge_cells,
            distinct_cells,
            has_ids,
            presence_bits,
        }
    }
}

/// Gives every cell the columns it reads, input by input: events are prepared in that order.
fn columns(inputs: &[Named], cells: &mut [Cell], summaries: &[Summary]) -> Vec<Column> {
    let mut columns: Vec<Column> = Vec::new();
    for (input, named) in inputs.iter().enumerate() {
        let is_number = matches!(
            named.expr.data_type,
            DataType::I64 | DataType::Timestamp | DataType::Decimal(_)
        );
        for kind in [ColumnKind::Number, ColumnKind::Token, ColumnKind::Packed] {
            let mut bits = Vec::new();
            for (index, cell) in cells.iter_mut().enumerate() {
                let is_input = cell.input == Some(input);
                let is_read = is_input && reads(index, cell, summaries, kind, is_number);
                let is_key = kind == ColumnKind::Packed && cell.by == Some(input);
                let place = match kind {
                    ColumnKind::Number => &mut cell.number,
                    ColumnKind::Token => &mut cell.token,
                    ColumnKind::Packed => &mut cell.packed,
                };
                if is_read {
                    *place = Some(columns.len());
                }
                if is_key {
                    cell.key = Some(columns.len());
                }
                if is_read || is_key {
                    bits.extend(cell.bit);
                }
            }
            if !bits.is_empty() {
                let mask =
                    bits.iter().filter(|bit| **bit < 64).fold(0, |mask, bit| mask | 1 << bit);
                bits.retain(|bit| *bit >= 64);
                columns.push(Column { input, kind, mask, high_bits: bits });
            }
        }
    }
    columns
}

/// Whether `cell` reads its input as a column of `kind`.
fn reads(
    index: usize,
    cell: &Cell,
    summaries: &[Summary],
    kind: ColumnKind,
    is_number: bool,
) -> bool {
    let mut of_cell = summaries.iter().filter(|summary| summary.cell == index);
    let edge = cell.needs.edge();
    match kind {
        ColumnKind::Token => cell.needs.distinct,
        ColumnKind::Number => {
            let number = cell.needs.number() || edge && is_number;
            number
                || of_cell.any(|summary| match summary.kind {
                    SummaryKind::Newest { .. } | SummaryKind::Groups => is_number,
                    SummaryKind::TopK => false,
                    SummaryKind::Quantile | SummaryKind::Decay { .. } => true,
                })
        }
        ColumnKind::Packed => {
            edge && !is_number
                || of_cell.any(|summary| match summary.kind {
                    SummaryKind::Newest { .. } => !is_number,
                    SummaryKind::TopK => true,
                    _ => false,
                })
        }
    }
}

fn intern(list: &mut Vec<Named>, expr: &Expr, feature: &str) -> usize {
    list.iter().position(|known| known.expr == *expr).unwrap_or_else(|| {
        list.push(Named { expr: expr.clone(), feature: feature.to_owned() });
        list.len() - 1
    })
}
