//! Every bound of the product, in one place: no queue, buffer, batch or loop without one.

/// Longest name of an entity, stream, group, feature or service, in bytes.
pub const NAME_BYTES_MAX: usize = 128;
/// Longest encoded entity key, in bytes.
pub const KEY_BYTES_MAX: usize = 512;
/// Most parts of a composite key.
pub const KEY_PARTS_MAX: usize = 8;
/// Longest string or bytes value, in bytes.
pub const STRING_BYTES_MAX: usize = 64 * 1024;
/// Most elements of an `f32[n]` vector.
pub const VECTOR_ELEMENTS_MAX: u32 = 8 * 1024;
/// Most decimal places of a `decimal(s)`.
pub const DECIMAL_SCALE_MAX: u8 = 18;
/// Decimal places kept of an `f32` or `f64` field of a stream.
pub const FLOAT_FIELD_SCALE: u8 = 6;
/// Longest definitions file, in bytes.
pub const DEFINITIONS_BYTES_MAX: usize = 1024 * 1024;
/// Most features of a row group, fields of a stream, or columns of a window group.
pub const FEATURES_PER_GROUP_MAX: usize = 1024;
/// Most values a service reads, derived ones included.
pub const FEATURES_PER_SERVICE_MAX: usize = 1024;
/// Most windows of a window group.
pub const WINDOWS_PER_GROUP_MAX: usize = 16;
/// Most tiles that a window can see: its length and offset over its hop.
pub const TILES_PER_WINDOW_MAX: i64 = (1 << 20) - 2;
/// Most events that `last_n` gives and `lag` looks back over.
pub const LAST_EVENTS_MAX: u16 = 256;
/// Most values that `top_k` gives; up to as many different ones are counted exactly.
pub const TOP_VALUES_MAX: u16 = 64;
/// Most values of `by` that are told apart: the smallest; the others are added up.
pub const BY_VALUES_MAX: usize = 64;
/// Smallest, default and largest precision of `approx_distinct`: 2^precision registers.
pub const DISTINCT_PRECISIONS: (u8, u8, u8) = (10, 12, 16);
/// Most groups, streams, entities and services, each.
pub const DEFINITIONS_MAX: usize = 4096;
/// Deepest nesting of an expression.
pub const EXPRESSION_DEPTH_MAX: usize = 64;
/// Longest expression, in bytes.
pub const EXPRESSION_BYTES_MAX: usize = 8 * 1024;
/// Most tokens of an expression: a chain of operators nests one level for each.
pub const EXPRESSION_TOKENS_MAX: usize = 1024;
/// Most nodes of a compiled expression: `between` and `case x when` repeat their operand.
pub const EXPRESSION_NODES_MAX: usize = 4096;
/// Most problems of a definitions file listed in one answer.
pub const PROBLEMS_LISTED_MAX: usize = 20;
/// Most tags of a definition.
pub const TAGS_MAX: usize = 32;
/// Most entities read, rows put or events pushed by one request.
pub const BATCH_MAX: usize = 4096;
/// Most keys of one read: entities of a tuple times tuples.
pub const READ_KEYS_MAX: usize = 16 * BATCH_MAX;
/// Most rows one scan page returns.
pub const SCAN_PAGE_MAX: usize = 1024;
/// Longest cursor of a scan, in bytes.
pub const SCAN_CURSOR_BYTES_MAX: usize = 64;
/// Most figures of the statistics.
pub const STATS_MAX: usize = 64 * 1024;
/// Longest name of a backup, in bytes.
pub const BACKUP_NAME_BYTES_MAX: usize = 64;
/// Longest name of an export, in bytes.
pub const EXPORT_NAME_BYTES_MAX: usize = 64;
/// Most files of an export that its answer lists.
pub const EXPORT_FILES_LISTED_MAX: usize = 16_384;
/// Bytes of log that are kept for history alone when it cannot be written: then a part of it is left out.
pub const HISTORY_LOG_BYTES_MAX: u64 = 4 << 30;
/// Longest request or reply frame, in bytes, header included.
pub const FRAME_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Most requests in flight on one connection.
pub const IN_FLIGHT_MAX: usize = 128;
/// Most connections of one server.
pub const CONNECTIONS_MAX: usize = 10_000;
/// Most sequences remembered per producer: how far behind a retry may come and still be answered exactly.
pub const PRODUCER_SEQUENCES_MAX: usize = 256;
/// Most producers remembered; the least recently seen leaves first.
pub const PRODUCERS_MAX: usize = 100_000;
/// Most refused rows described in one reply; the count is always complete.
pub const REJECTS_PER_REPLY_MAX: usize = BATCH_MAX;
/// Distinct values counted exactly before the sketch answers.
pub const DISTINCT_EXACT_MAX: usize = 512;
/// Raw events of one entity older than the horizon before they are folded into tiles whatever that costs.
pub const RAW_EVENTS_MAX: usize = 1024;
/// Raw events of one entity within the horizon before they are kept in tiles too.
pub const YOUNG_EVENTS_MAX: usize = 128;
/// Earliest and latest event time accepted, in ms since the epoch: ±8,925 years, so that sums of times and windows stay
/// inside i64 and a time packs into 49 bits.
pub const EVENT_TIME_ABS_MAX: i64 = 1 << 48;
/// Longest window, retention or horizon, in ms: 100 years.
pub const SPAN_MS_MAX: i64 = 100 * 366 * 24 * 3600 * 1000;

/// Default port of the native protocol.
pub const PORT_DEFAULT: u16 = 7440;

const _: () = assert!(EVENT_TIME_ABS_MAX > 2 * SPAN_MS_MAX);
const _: () = assert!(FRAME_BYTES_MAX <= u32::MAX as usize);
const _: () = assert!(KEY_BYTES_MAX <= u16::MAX as usize);
const _: () = assert!(BATCH_MAX * 8 <= FRAME_BYTES_MAX);
// A group's name twice; the rest of a path, lengths and figures.
const _: () = assert!(EXPORT_FILES_LISTED_MAX * (2 * NAME_BYTES_MAX + 64) < FRAME_BYTES_MAX);
