//! What the state of a cell must hold for its aggregates: numbers, edges and summaries, and the fields they have in a tile.

use model::definition::AggregateFunction;

/// What the numeric partials and edges of a cell must hold.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Needs {
    pub(crate) sum: bool,
    pub(crate) squares: bool,
    pub(crate) min: bool,
    pub(crate) max: bool,
    pub(crate) first: bool,
    pub(crate) last: bool,
    /// Time of the oldest and newest event.
    pub(crate) times: bool,
    pub(crate) distinct: bool,
}

impl Needs {
    pub(crate) fn of(function: AggregateFunction, is_by: bool) -> Self {
        use AggregateFunction as F;
        let none = Self::default();
        match function {
            _ if is_by => none,
            F::Sum | F::Avg | F::Cusum { .. } => Self { sum: true, ..none },
            F::Variance | F::VariancePop | F::Stddev | F::StddevPop => {
                Self { sum: true, squares: true, ..none }
            }
            F::Min => Self { min: true, ..none },
            F::Max => Self { max: true, ..none },
            F::First => Self { first: true, ..none },
            F::Last => Self { last: true, ..none },
            F::TimeSinceLast | F::Rate => Self { times: true, ..none },
            F::ApproxDistinct { .. } => Self { distinct: true, ..none },
            F::Count
            | F::Lag { .. }
            | F::LastN { .. }
            | F::ApproxQuantile { .. }
            | F::TopK { .. }
            | F::Ema { .. } => none,
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
            times: self.times || other.times,
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
            (self.times, TileFieldKind::Oldest),
            (self.times, TileFieldKind::Newest),
            (self.first, TileFieldKind::First),
            (self.last, TileFieldKind::Last),
        ];
        kinds.into_iter().filter(|(is_needed, _)| *is_needed).map(|(_, kind)| kind)
    }

    pub(super) fn number(self) -> bool {
        self.sum || self.squares || self.min || self.max
    }
}

/// A mergeable summary beyond numbers and edges: what it is of its cell's events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SummaryKind {
    /// The newest values; how many is the most that a feature asks for.
    Newest { limit: usize },
    /// Bins of a DDSketch.
    Quantile,
    /// Counts of values.
    TopK,
    /// Numbers of each value of `by`.
    Groups,
    /// Weighted sums.
    Decay { half_life_ms: i64 },
}

impl SummaryKind {
    pub(crate) fn of(function: AggregateFunction, is_by: bool) -> Option<Self> {
        use AggregateFunction as F;
        match function {
            _ if is_by => Some(Self::Groups),
            F::Lag { n } => Some(Self::Newest { limit: usize::from(n) + 1 }),
            F::LastN { n } => Some(Self::Newest { limit: n.into() }),
            F::ApproxQuantile { .. } => Some(Self::Quantile),
            F::TopK { .. } => Some(Self::TopK),
            F::Ema { half_life_ms } => Some(Self::Decay { half_life_ms }),
            _ => None,
        }
    }

    /// True when one summary can serve both.
    pub(super) fn is_like(self, other: Self) -> bool {
        match (self, other) {
            (Self::Newest { .. }, Self::Newest { .. }) => true,
            _ => self == other,
        }
    }

    pub(super) fn has_ids(self) -> bool {
        matches!(self, Self::Newest { .. } | Self::TopK)
    }
}

/// A summary of one cell.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Summary {
    pub(crate) cell: usize,
    pub(crate) kind: SummaryKind,
    /// Its field in a tile.
    pub(crate) tile_field: usize,
}

/// Part of a partial in a tile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TileFieldKind {
    Count,
    Sum,
    Squares,
    Min,
    Max,
    Oldest,
    Newest,
    First,
    Last,
    /// The summary of this index.
    Summary(usize),
}

/// One field of a tile.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TileField {
    pub(crate) cell: usize,
    pub(crate) kind: TileFieldKind,
}

impl TileFieldKind {
    /// True when the field is the place of bytes elsewhere.
    pub(crate) fn is_blob(self) -> bool {
        matches!(self, Self::First | Self::Last | Self::Summary(_))
    }
}
