//! Feature groups: rows that are put, windows that are aggregated from a stream.

use std::fmt;

use super::{Field, Metadata};
use crate::{expr::Expr, name::Name, value::DataType};

/// Stored features of one entity type that are written together.
#[derive(Debug, Clone, PartialEq)]
pub struct Group {
    /// Its name.
    pub name: Name,
    /// Index of its entity in [`super::Definitions::entities`].
    pub entity: usize,
    /// Rows or windows.
    pub kind: GroupKind,
    /// Free metadata.
    pub metadata: Metadata,
}

/// How a group gets its values.
#[derive(Debug, Clone, PartialEq)]
pub enum GroupKind {
    /// You put rows.
    Rows(RowGroup),
    /// Aggregates of a stream.
    Windows(WindowGroup),
}

impl Group {
    /// The names and types of its columns, in storage order: features of a row group, feature × window of a window group.
    #[must_use]
    pub fn columns(&self) -> Vec<Field> {
        match &self.kind {
            GroupKind::Rows(rows) => rows.features.clone(),
            GroupKind::Windows(windows) => {
                windows.columns.iter().map(|column| column.field.clone()).collect()
            }
        }
    }
}

/// A row group.
#[derive(Debug, Clone, PartialEq)]
pub struct RowGroup {
    /// Its features; new ones are only ever appended.
    pub features: Vec<Field>,
    /// How old a value may be served, in ms; `None` for ever.
    pub max_age_ms: Option<i64>,
}

/// A window group.
#[derive(Debug, Clone, PartialEq)]
pub struct WindowGroup {
    /// Index of its stream in [`super::Definitions::streams`].
    pub stream: usize,
    /// Indexes of the stream fields that carry the entity key, one for each part.
    pub key: Vec<usize>,
    /// Its windows, shortest first.
    pub windows: Vec<Window>,
    /// Its aggregates, in the file's order.
    pub features: Vec<AggregateFeature>,
    /// One column per feature and window: feature by feature, windows shortest first.
    pub columns: Vec<WindowColumn>,
}

/// A span looked back over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Window {
    /// As written, for column names: `24h`.
    pub label: String,
    /// Length in ms.
    pub length_ms: i64,
    /// Width of the tiles at its tail, in ms: the hop of its level.
    pub hop_ms: i64,
}

/// A named aggregate.
#[derive(Debug, Clone, PartialEq)]
pub struct AggregateFeature {
    /// Its name; columns append `_` and the window's label.
    pub name: Name,
    /// The aggregate.
    pub aggregate: Aggregate,
    /// The expression as written.
    pub text: String,
}

/// A column of a window group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WindowColumn {
    /// Its name, such as `spend_5m`, and the type of its values.
    pub field: Field,
    /// Index of the feature.
    pub feature: usize,
    /// Index of the window.
    pub window: usize,
}

/// An aggregate over the events of a window.
#[derive(Debug, Clone, PartialEq)]
pub struct Aggregate {
    /// What is computed.
    pub function: AggregateFunction,
    /// What it is computed of; `None` for `count(*)`.
    pub input: Option<Expr>,
    /// Only events for which this is true count.
    pub filter: Option<Expr>,
    /// The type of the result.
    pub output: DataType,
}

/// The aggregates there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AggregateFunction {
    /// `count(*)`, `count(x)`
    Count,
    /// `sum(x)`
    Sum,
    /// `avg(x)`
    Avg,
    /// `min(x)`
    Min,
    /// `max(x)`
    Max,
    /// `variance(x)`: sample.
    Variance,
    /// `variance_pop(x)`
    VariancePop,
    /// `stddev(x)`: sample.
    Stddev,
    /// `stddev_pop(x)`
    StddevPop,
    /// `first(x)`: of the earliest event that has one.
    First,
    /// `last(x)`: of the latest event that has one.
    Last,
    /// `approx_distinct(x)`
    ApproxDistinct,
}

impl AggregateFunction {
    /// All of them.
    pub const ALL: [Self; 12] = [
        Self::Count,
        Self::Sum,
        Self::Avg,
        Self::Min,
        Self::Max,
        Self::Variance,
        Self::VariancePop,
        Self::Stddev,
        Self::StddevPop,
        Self::First,
        Self::Last,
        Self::ApproxDistinct,
    ];

    /// The name in SQL.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Count => "count",
            Self::Sum => "sum",
            Self::Avg => "avg",
            Self::Min => "min",
            Self::Max => "max",
            Self::Variance => "variance",
            Self::VariancePop => "variance_pop",
            Self::Stddev => "stddev",
            Self::StddevPop => "stddev_pop",
            Self::First => "first",
            Self::Last => "last",
            Self::ApproxDistinct => "approx_distinct",
        }
    }
}

impl fmt::Display for AggregateFunction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
