//! Feature groups: rows that are put, windows that are aggregated from a stream.

use std::collections::BTreeMap;

use super::{AggregateFunction, Field, History, Metadata};
use crate::{expr::Expr, limits::EVENT_TIME_ABS_MAX, name::Name, value::DataType};

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
    /// Tags of single features, by the feature's name; of a window group they hold for each of its windows.
    pub feature_tags: BTreeMap<Name, Vec<String>>,
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

    /// The tags of the column at `index`: the group's and the feature's own.
    pub fn tags_of(&self, index: usize) -> impl Iterator<Item = &str> {
        let feature = match &self.kind {
            GroupKind::Rows(rows) => rows.features.get(index).map(|feature| &feature.name),
            GroupKind::Windows(windows) => {
                let column = windows.columns.get(index);
                let feature = column.and_then(|column| windows.features.get(column.feature));
                feature.map(|feature| &feature.name)
            }
        };
        let own = feature.and_then(|feature| self.feature_tags.get(feature));
        self.metadata.tags.iter().chain(own.into_iter().flatten()).map(String::as_str)
    }
}

/// A row group.
#[derive(Debug, Clone, PartialEq)]
pub struct RowGroup {
    /// Its features; new ones are only ever appended.
    pub features: Vec<Field>,
    /// How old a value may be served, in ms; `None` for ever.
    pub max_age_ms: Option<i64>,
    /// Whether its rows are kept as files as they were put, and how much of them; `None`: they are not.
    pub history: Option<History>,
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
    /// As columns are named by it: `24h`, `7d_offset_1d`, `all`.
    pub label: String,
    /// Length in ms; [`Window::LIFETIME_MS`] for `all`.
    pub length_ms: i64,
    /// How far before the time of a read it ends, in ms: 0 for all but `7d offset 1d`.
    pub offset_ms: i64,
    /// Width of the tiles at its tail, in ms: the hop of its level.
    pub hop_ms: i64,
}

impl Window {
    /// Length, and hop, of a window over everything: more than any two event times are apart, so that one tile before the
    /// epoch and one after it hold all there is.
    pub const LIFETIME_MS: i64 = 1 << 52;

    /// True for `all`.
    #[must_use]
    pub fn is_lifetime(&self) -> bool {
        self.length_ms == Self::LIFETIME_MS
    }
}

const _: () = assert!(Window::LIFETIME_MS > 4 * EVENT_TIME_ABS_MAX);

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
    /// What it is computed of; `None` for `count(*)`, `rate()` and `time_since_last()`.
    pub input: Option<Expr>,
    /// Only events for which this is true count.
    pub filter: Option<Expr>,
    /// Once for each value of this, instead of once.
    pub by: Option<Expr>,
    /// The type of one value: of a list's or object's members where the result is one.
    pub element: DataType,
    /// The type of the result.
    pub output: DataType,
}
