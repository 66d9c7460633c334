//! Names of what an Arrow schema says beside names and types: `docs/formats/export.md` has the table.

/// Of a file: version of the definitions.
pub const DEFINITIONS_VERSION: &str = "larder.definitions_version";
/// Of a file: the time that values are of, in ms since the epoch.
pub const AS_OF_MS: &str = "larder.as_of_ms";
/// Of a file: every record of the log up to this one is in it, and none after it.
pub const LSN: &str = "larder.lsn";
/// Of a file: the group it is of.
pub const GROUP: &str = "larder.group";
/// Of a file: the service it is of.
pub const SERVICE: &str = "larder.service";
/// Of a file of logged reads: the form of its columns.
pub const READ_LOG: &str = "larder.read_log";
/// Of a file of logged reads: how long it was to be kept, in ms, or [`UNLIMITED`].
pub const KEPT_AGE_MS: &str = "larder.kept_age_ms";
/// Of a file of logged reads: how many bytes of them were to be kept, or [`UNLIMITED`].
pub const KEPT_BYTES: &str = "larder.kept_bytes";
/// No limit.
pub const UNLIMITED: &str = "unlimited";
/// Of a file: the stream of a window group.
pub const STREAM: &str = "larder.stream";
/// Of a file: since when events are observed, in ms since the epoch; windows that reach further back are partial.
pub const OBSERVED_SINCE_MS: &str = "larder.observed_since_ms";
/// Of a file or key column: the entity.
pub const ENTITY: &str = "larder.entity";
/// Of a column: what it is for, one of [`role`].
pub const ROLE: &str = "larder.role";
/// Of a column: its type as in the definitions.
pub const TYPE: &str = "larder.type";
/// Of a column: the feature as in the definitions; of a window group without its window.
pub const FEATURE: &str = "larder.feature";
/// Of a column of a window group: the aggregate as in the definitions.
pub const EXPRESSION: &str = "larder.expression";
/// Of a column of a window group: the window as columns are named by it.
pub const WINDOW: &str = "larder.window";
/// Of a column of a window group: the window's length, in ms; not there for one over everything.
pub const WINDOW_MS: &str = "larder.window_ms";
/// Of a column of a window group: how long before the as-of its window ends, in ms; not there when it does not.
pub const OFFSET_MS: &str = "larder.offset_ms";
/// Of a column of a window group: width of the tiles at the window's tail, in ms.
pub const HOP_MS: &str = "larder.hop_ms";
/// Of a column of partials: the format of its bytes.
pub const SKETCH: &str = "larder.sketch";

/// Values of [`ROLE`].
pub mod role {
    /// The entity key, or one part of it.
    pub const ENTITY_KEY: &str = "entity_key";
    /// Values of a feature.
    pub const FEATURE: &str = "feature";
    /// The statuses of the feature column whose name stands before `__status`.
    pub const STATUS: &str = "status";
    /// The newest event time of a row's values.
    pub const EVENT_TIME: &str = "event_time";
    /// Of a history: the number of the record in the log.
    pub const LSN: &str = "lsn";
    /// Of a history: the position of the change in its request.
    pub const INDEX: &str = "index";
    /// Of a history: now when the change was accepted.
    pub const ARRIVAL: &str = "arrival";
    /// Of a history: what happened.
    pub const KIND: &str = "kind";
    /// Of a history: who wrote, 16 bytes, most significant first; zeros for nobody.
    pub const PRODUCER: &str = "producer";
    /// Of a history: the writer's number of the request.
    pub const SEQUENCE: &str = "sequence";
    /// Of a history: which features were not given, one bit for each, lowest bits first; null when all were.
    pub const ABSENT: &str = "absent";
    /// A field of an event.
    pub const FIELD: &str = "field";
    /// A value that came with the request.
    pub const REQUEST: &str = "request";
    /// Of a log of reads: the server's clock.
    pub const READ_AT: &str = "read_at";
    /// Of a log of reads: the as-of that the reply said.
    pub const AS_OF: &str = "as_of";
    /// Of a log of reads: the as-of asked for, null for now.
    pub const ASKED_AS_OF: &str = "asked_as_of";
    /// Of a log of reads: events at the as-of did not count.
    pub const EXCLUSIVE: &str = "exclusive";
    /// Of a log of reads: an as-of before the floor was to be answered.
    pub const SNAP: &str = "snap";
    /// Of a log of reads: up to which record of the log changes of the entity were seen.
    pub const SEEN: &str = "seen";
    /// Of a log of reads: the time a group was looked at.
    pub const GROUP_AS_OF: &str = "group_as_of";
    /// Of a log of reads: now of a window group's stream, where it was snapped.
    pub const SNAPPED_AT: &str = "snapped_at";
    /// Of a log of reads: since when a window group was observed, null for never.
    pub const OBSERVED_SINCE: &str = "observed_since";
    /// Mergeable partials of the feature column whose name stands before `__hll`.
    pub const PARTIAL: &str = "partial";
}
