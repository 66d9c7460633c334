//! The catalog: definitions of one version with what was compiled from them. Replaced as a whole, under one lock.

mod codec;

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use aggregate::{DirectEvents, WindowPlan};
use model::{
    definition::{Definitions, GroupKind, Stream, StreamClock},
    key::KeyType,
    value::DataType,
};

pub(crate) use codec::CatalogRecord;

use crate::{Error, rows::RowLayout, shard::ShardSet, stream::StreamState, tally::RowsTally};

/// What a group needs at run time.
#[derive(Debug, Clone)]
pub(crate) enum GroupRuntime {
    /// A row group.
    Rows(Arc<RowsRuntime>),
    /// A window group.
    Windows(Arc<WindowsRuntime>),
}

impl GroupRuntime {
    /// What became of the rows of a row group, to go on with.
    fn tally(&self) -> Arc<RowsTally> {
        match self {
            Self::Rows(rows) => Arc::clone(&rows.tally),
            Self::Windows(_) => Arc::default(),
        }
    }
}

/// A row group, compiled.
#[derive(Debug)]
pub(crate) struct RowsRuntime {
    pub(crate) layout: Arc<RowLayout>,
    pub(crate) max_age_ms: Option<i64>,
    /// What became of its rows; shared by all versions of the catalog.
    pub(crate) tally: Arc<RowsTally>,
}

/// A window group, compiled.
#[derive(Debug)]
pub(crate) struct WindowsRuntime {
    pub(crate) plan: WindowPlan,
    /// The quick way to prepare an event, where there is one.
    pub(crate) direct: Option<DirectEvents>,
    /// Index of its stream.
    pub(crate) stream: usize,
    /// Stream fields that carry the entity key.
    pub(crate) key: Vec<usize>,
    /// Since when events are observed, in ms: windows that reach further back are partial.
    observed_since: AtomicI64,
}

impl WindowsRuntime {
    /// Since when events are observed, in ms; `i64::MAX` before the first of an event-clock stream.
    pub(crate) fn observed_since(&self) -> i64 {
        self.observed_since.load(Ordering::Acquire)
    }

    /// Observation began no later than this, in ms: what a snapshot says.
    pub(crate) fn observed_from(&self, since: i64) {
        self.observed_since.fetch_min(since, Ordering::AcqRel);
    }

    /// An event of this time was accepted. History observes itself: on the event clock observation began with its
    /// earliest event, on the wall clock when the group was defined.
    pub(crate) fn observe(&self, clock: StreamClock, event_time: i64) {
        if clock == StreamClock::Event {
            self.observed_since.fetch_min(event_time, Ordering::AcqRel);
        }
    }
}

/// A stream, compiled.
#[derive(Debug, Clone)]
pub(crate) struct StreamRuntime {
    /// Types of its fields, in order.
    pub(crate) types: Arc<[DataType]>,
    /// Clock and duplicates; shared by all versions of the catalog.
    pub(crate) state: Arc<StreamState>,
    /// Indexes of the window groups it feeds.
    pub(crate) groups: Arc<[usize]>,
    /// One of them keeps the ids of its events.
    pub(crate) has_ids: bool,
}

/// Definitions of one version, compiled.
#[derive(Debug, Default)]
pub(crate) struct Catalog {
    /// 0 before the first apply.
    pub(crate) version: u64,
    pub(crate) definitions: Arc<Definitions>,
    pub(crate) groups: Vec<GroupRuntime>,
    pub(crate) streams: Vec<StreamRuntime>,
    /// Every version there was, in order: what is defined depends on what was defined before.
    pub(crate) history: Vec<Arc<CatalogRecord>>,
}

impl Catalog {
    /// Becomes the next version, with tables for what is new; live and in recovery.
    pub(crate) fn adopt(
        &mut self,
        definitions: Definitions,
        record: CatalogRecord,
        shards: &ShardSet,
    ) {
        let mut next = self.next(definitions, record.applied_at_ms);
        shards.adopt(&next.groups);
        next.history = std::mem::take(&mut self.history);
        next.history.push(Arc::new(record));
        *self = next;
    }

    /// The next version: `definitions` compiled, with the state of what exists already carried over.
    pub(crate) fn next(&self, definitions: Definitions, applied_at_ms: i64) -> Self {
        let groups: Vec<_> = definitions
            .groups
            .iter()
            .enumerate()
            .map(|(index, group)| match (&group.kind, self.groups.get(index)) {
                (GroupKind::Rows(rows), existing) => GroupRuntime::Rows(Arc::new(RowsRuntime {
                    layout: Arc::new(RowLayout::new(&rows.features)),
                    max_age_ms: rows.max_age_ms,
                    tally: existing.map_or_else(Arc::default, GroupRuntime::tally),
                })),
                (GroupKind::Windows(_), Some(existing)) => existing.clone(),
                (GroupKind::Windows(windows), None) => {
                    let stream = &definitions.streams[windows.stream];
                    let since = match stream.clock {
                        StreamClock::Wall => applied_at_ms,
                        StreamClock::Event => i64::MAX,
                    };
                    let plan = WindowPlan::new(stream, windows);
                    GroupRuntime::Windows(Arc::new(WindowsRuntime {
                        direct: plan.direct(),
                        plan,
                        stream: windows.stream,
                        key: windows.key.clone(),
                        observed_since: AtomicI64::new(since),
                    }))
                }
            })
            .collect();
        let streams = definitions
            .streams
            .iter()
            .enumerate()
            .map(|(index, stream)| {
                let existing = self.streams.get(index);
                let fed = fed_by(&groups, index);
                StreamRuntime {
                    types: stream.fields.iter().map(|field| field.data_type).collect(),
                    state: existing.map_or_else(Arc::default, |it| Arc::clone(&it.state)),
                    has_ids: fed.iter().any(|group| has_ids(&groups, *group)),
                    groups: fed,
                }
            })
            .collect();
        let version = self.version + 1;
        let definitions = Arc::new(definitions);
        Self { version, definitions, groups, streams, history: Vec::new() }
    }

    /// The definition and run-time of stream `index`.
    ///
    /// # Errors
    /// [`Error::Internal`] for an index that no definition has: plans check their version first.
    pub(crate) fn stream(&self, index: usize) -> Result<(&Stream, &StreamRuntime), Error> {
        let found = self.definitions.streams.get(index).zip(self.streams.get(index));
        found.ok_or_else(|| Error::Internal(format!("no stream has index {index}")))
    }

    /// The row group `index`.
    ///
    /// # Errors
    /// [`Error::Internal`] when the index names no row group.
    pub(crate) fn rows(&self, index: usize) -> Result<&RowsRuntime, Error> {
        match self.groups.get(index) {
            Some(GroupRuntime::Rows(rows)) => Ok(rows),
            _ => Err(Error::Internal(format!("no row group has index {index}"))),
        }
    }

    /// The window group `index`.
    ///
    /// # Errors
    /// [`Error::Internal`] when the index names no window group.
    pub(crate) fn windows(&self, index: usize) -> Result<&WindowsRuntime, Error> {
        match self.groups.get(index) {
            Some(GroupRuntime::Windows(windows)) => Ok(windows),
            _ => Err(Error::Internal(format!("no window group has index {index}"))),
        }
    }

    /// Name and key types of the entity of group `index`.
    ///
    /// # Errors
    /// [`Error::Internal`] when the index names no group.
    pub(crate) fn group_key(&self, index: usize) -> Result<(&str, &[KeyType]), Error> {
        let group = self.definitions.groups.get(index);
        group
            .and_then(|group| Some((group, self.definitions.entities.get(group.entity)?)))
            .map(|(group, entity)| (group.name.as_str(), entity.key.as_slice()))
            .ok_or_else(|| Error::Internal(format!("no group has index {index}")))
    }
}

/// Window group `index` keeps the ids of its events.
fn has_ids(groups: &[GroupRuntime], index: usize) -> bool {
    matches!(groups.get(index), Some(GroupRuntime::Windows(windows)) if windows.plan.has_ids())
}

fn fed_by(groups: &[GroupRuntime], stream: usize) -> Arc<[usize]> {
    let fed =
        |group: &GroupRuntime| matches!(group, GroupRuntime::Windows(w) if w.stream == stream);
    groups.iter().enumerate().filter(|(_, group)| fed(group)).map(|(index, _)| index).collect()
}
