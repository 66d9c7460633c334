//! What has a history, by its name.

use std::fmt;

use engine::changes::ChangeSource;
use model::definition::{Definitions, GroupKind, History, StreamClock};

/// A stream or a row group.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum HistorySource {
    /// A stream.
    Stream(String),
    /// A row group.
    Group(String),
}

impl HistorySource {
    /// `stream` or `group`.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Stream(_) => "stream",
            Self::Group(_) => "group",
        }
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Stream(name) | Self::Group(name) => name,
        }
    }

    /// True for a stream whose now is the largest event time so far.
    pub(super) fn is_on_event_clock(&self, definitions: &Definitions) -> bool {
        let Self::Stream(name) = self else { return false };
        let stream = definitions.stream(name);
        stream.is_some_and(|(_, stream)| stream.clock == StreamClock::Event)
    }

    /// Its directory in that of the history: names are made of what every file system takes.
    pub(super) fn folder(&self) -> String {
        format!("{}s/{}", self.kind(), self.name())
    }

    pub(super) fn of(kind: &str, name: &str) -> Option<Self> {
        match kind {
            "stream" => Some(Self::Stream(name.to_owned())),
            "group" => Some(Self::Group(name.to_owned())),
            _ => None,
        }
    }

    /// What `source` is called in `definitions`.
    pub(super) fn named(source: ChangeSource, definitions: &Definitions) -> Option<Self> {
        match source {
            ChangeSource::Stream(index) => {
                definitions.streams.get(index).map(|stream| Self::Stream(stream.name.to_string()))
            }
            ChangeSource::Group(index) => {
                definitions.groups.get(index).map(|group| Self::Group(group.name.to_string()))
            }
        }
    }

    /// Its index in `definitions`.
    #[must_use]
    pub fn index(&self, definitions: &Definitions) -> Option<ChangeSource> {
        match self {
            Self::Stream(name) => {
                definitions.stream(name).map(|(index, _)| ChangeSource::Stream(index))
            }
            Self::Group(name) => {
                definitions.group(name).map(|(index, _)| ChangeSource::Group(index))
            }
        }
    }
}

impl fmt::Display for HistorySource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind(), self.name())
    }
}

/// All streams and row groups of `definitions`, with how much is kept of each.
pub(super) fn sources(
    definitions: &Definitions,
) -> impl Iterator<Item = (HistorySource, Option<History>)> {
    let streams = definitions.streams.iter();
    let streams = streams.map(|it| (HistorySource::Stream(it.name.to_string()), it.history));
    let groups = definitions.groups.iter().filter_map(|group| match &group.kind {
        GroupKind::Rows(rows) => Some((HistorySource::Group(group.name.to_string()), rows.history)),
        // Its deletes, kept as long as the events that they delete.
        GroupKind::Windows(windows) => {
            let stream = definitions.streams.get(windows.stream)?;
            Some((HistorySource::Group(group.name.to_string()), stream.history))
        }
    });
    streams.chain(groups)
}
