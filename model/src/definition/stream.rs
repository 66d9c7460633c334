//! A stream: the schema of its events and the rules of its time.

use super::{Field, History, Metadata};
use crate::{name::Name, time};

/// Where "now" of a stream comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StreamClock {
    /// The server's wall clock.
    Wall,
    /// The largest event time accepted so far: replaying history, simulators, tests.
    Event,
}

/// A named event schema.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stream {
    /// Its name.
    pub name: Name,
    /// The fields of an event, in the order of packed events.
    pub fields: Vec<Field>,
    /// Index of the timestamp field that says when an event happened.
    pub event_time: usize,
    /// Index of the string, i64 or bytes field that identifies an event.
    pub event_id: Option<usize>,
    /// How long after its arrival a second event of the same id is dropped, in ms; `None` never.
    pub dedup_ms: Option<i64>,
    /// True when single events can be retracted while they are within the horizon: window groups then keep their ids.
    pub retract: bool,
    /// Where its "now" comes from.
    pub clock: StreamClock,
    /// How far ahead of now an event time may be, in ms; only with the wall clock.
    pub max_skew_ms: i64,
    /// How far behind now a read's as-of is exact, in ms.
    pub horizon_ms: i64,
    /// Whether its accepted events are kept as files, and how much of them; `None`: they are not.
    pub history: Option<History>,
    /// Free metadata.
    pub metadata: Metadata,
}

impl Stream {
    /// Default of [`Stream::max_skew_ms`].
    pub const MAX_SKEW_MS_DEFAULT: i64 = 5 * time::SECOND_MS;
    /// Default of [`Stream::horizon_ms`].
    pub const HORIZON_MS_DEFAULT: i64 = 60 * time::SECOND_MS;
}
