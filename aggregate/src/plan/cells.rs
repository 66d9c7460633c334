//! From aggregates to cells and columns: what is equal between features is stored once.

use model::{
    definition::{Aggregate, AggregateFeature, AggregateFunction},
    expr::Expr,
    value::DataType,
};

use super::Named;

/// How the raw event log keeps an input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ColumnKind {
    /// Zigzag varint: i64, timestamp, or unscaled decimal.
    Number,
    /// Four bytes: the value's coupon, for `approx_distinct`.
    Token,
    /// Length and packed bytes: bool, string and bytes of `first` and `last`.
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

/// What partials of a cell must hold.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Needs {
    pub(crate) sum: bool,
    pub(crate) squares: bool,
    pub(crate) min: bool,
    pub(crate) max: bool,
    pub(crate) first: bool,
    pub(crate) last: bool,
    pub(crate) distinct: bool,
}

impl Needs {
    pub(crate) fn of(function: AggregateFunction) -> Self {
        use AggregateFunction as F;
        let none = Self::default();
        match function {
            F::Count => none,
            F::Sum | F::Avg => Self { sum: true, ..none },
            F::Variance | F::VariancePop | F::Stddev | F::StddevPop => {
                Self { sum: true, squares: true, ..none }
            }
            F::Min => Self { min: true, ..none },
            F::Max => Self { max: true, ..none },
            F::First => Self { first: true, ..none },
            F::Last => Self { last: true, ..none },
            F::ApproxDistinct { .. } => Self { distinct: true, ..none },
            _ => none,
        }
    }

    pub(crate) fn or(self, other: Self) -> Self {
        Self {
            sum: self.sum || other.sum,
            squares: self.squares || other.squares,
            min: self.min || other.min,
            max: self.max || other.max,
            first: self.first || other.first,
            last: self.last || other.last,
            distinct: self.distinct || other.distinct,
        }
    }

    pub(crate) fn edge(self) -> bool {
        self.first || self.last
    }

    /// The fields of a tile, in order.
    pub(crate) fn tile_fields(self) -> impl Iterator<Item = TileFieldKind> {
        let kinds = [
            (true, TileFieldKind::Count),
            (self.sum, TileFieldKind::Sum),
            (self.squares, TileFieldKind::Squares),
            (self.min, TileFieldKind::Min),
            (self.max, TileFieldKind::Max),
            (self.first, TileFieldKind::First),
            (self.last, TileFieldKind::Last),
        ];
        kinds.into_iter().filter(|(is_needed, _)| *is_needed).map(|(_, kind)| kind)
    }

    fn number(self) -> bool {
        self.sum || self.squares || self.min || self.max
    }
}

/// An (input, filter) pair.
#[derive(Debug, Clone)]
pub(crate) struct Cell {
    pub(crate) input: Option<usize>,
    pub(crate) filter: Option<usize>,
    pub(crate) needs: Needs,
    /// Its presence bit: the filter is true and the input is not null. `None` for `count(*)`, which counts every event.
    pub(crate) bit: Option<usize>,
    /// Columns it reads.
    pub(crate) number: Option<usize>,
    pub(crate) token: Option<usize>,
    pub(crate) packed: Option<usize>,
    /// Its place among the cells with edges, and among those with distinct tokens.
    pub(crate) edge: Option<usize>,
    pub(crate) distinct: Option<usize>,
    /// Its first field in a tile.
    pub(crate) tile_field: usize,
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

/// Part of a partial in a tile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TileFieldKind {
    Count,
    Sum,
    Squares,
    Min,
    Max,
    First,
    Last,
}

/// One field of a tile.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TileField {
    pub(crate) cell: usize,
    pub(crate) kind: TileFieldKind,
}

/// Collects what features need.
#[derive(Debug, Default)]
pub(super) struct Compiler {
    inputs: Vec<Named>,
    filters: Vec<Named>,
    cells: Vec<Cell>,
}

/// What a group's features need together.
pub(super) struct Compiled {
    pub(super) inputs: Vec<Named>,
    pub(super) filters: Vec<Named>,
    pub(super) columns: Vec<Column>,
    pub(super) cells: Vec<Cell>,
    pub(super) tile_fields: Vec<TileField>,
    pub(super) all: Vec<CellUse>,
    pub(super) edge_cells: usize,
    pub(super) distinct_cells: usize,
}

impl Compiler {
    /// The cell of a feature.
    pub(super) fn feature(&mut self, feature: &AggregateFeature) -> usize {
        let name = feature.name.as_str();
        let Aggregate { function, input, filter, .. } = &feature.aggregate;
        let input = input.as_ref().map(|expr| intern(&mut self.inputs, expr, name));
        let filter = filter.as_ref().map(|expr| intern(&mut self.filters, expr, name));
        let needs = Needs::of(*function);
        let same = |cell: &Cell| cell.input == input && cell.filter == filter;
        if let Some((index, cell)) = self.cells.iter_mut().enumerate().find(|(_, cell)| same(cell))
        {
            cell.needs = cell.needs.or(needs);
            return index;
        }
        self.cells.push(Cell {
            input,
            filter,
            needs,
            bit: None,
            number: None,
            token: None,
            packed: None,
            edge: None,
            distinct: None,
            tile_field: 0,
        });
        self.cells.len() - 1
    }

    pub(super) fn finish(self) -> Compiled {
        let Self { inputs, filters, mut cells } = self;
        let is_counted = |cell: &&mut Cell| cell.input.is_some() || cell.filter.is_some();
        for (bit, cell) in cells.iter_mut().filter(is_counted).enumerate() {
            cell.bit = Some(bit);
        }
        let columns = columns(&inputs, &mut cells);
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
        Compiled { inputs, filters, columns, cells, tile_fields, all, edge_cells, distinct_cells }
    }
}

/// Gives every cell the columns it reads, input by input: events are prepared in that order.
fn columns(inputs: &[Named], cells: &mut [Cell]) -> Vec<Column> {
    let mut columns: Vec<Column> = Vec::new();
    for (input, named) in inputs.iter().enumerate() {
        let is_number = matches!(
            named.expr.data_type,
            DataType::I64 | DataType::Timestamp | DataType::Decimal(_)
        );
        for kind in [ColumnKind::Number, ColumnKind::Token, ColumnKind::Packed] {
            let reads = |cell: &Cell| {
                let needs = cell.needs;
                cell.input == Some(input)
                    && match kind {
                        ColumnKind::Number => needs.number() || (needs.edge() && is_number),
                        ColumnKind::Token => needs.distinct,
                        ColumnKind::Packed => needs.edge() && !is_number,
                    }
            };
            let mut bits = Vec::new();
            for cell in cells.iter_mut().filter(|cell| reads(cell)) {
                bits.extend(cell.bit);
                let place = match kind {
                    ColumnKind::Number => &mut cell.number,
                    ColumnKind::Token => &mut cell.token,
                    ColumnKind::Packed => &mut cell.packed,
                };
                *place = Some(columns.len());
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

fn intern(list: &mut Vec<Named>, expr: &Expr, feature: &str) -> usize {
    list.iter().position(|known| known.expr == *expr).unwrap_or_else(|| {
        list.push(Named { expr: expr.clone(), feature: feature.to_owned() });
        list.len() - 1
    })
}
