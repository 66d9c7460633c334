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
/// Most services whose values are counted by status: names that were defined at some time.
pub const SERVICES_COUNTED_MAX: usize = 2 * DEFINITIONS_MAX;
/// Slow requests that are described in one second; the others are counted.
pub const SLOW_DESCRIBED_MAX: u64 = 128;
/// Slow requests that are kept: the last ones, and the slowest.
pub const SLOW_KEPT_MAX: usize = 128;
/// See [`SLOW_KEPT_MAX`].
pub const SLOWEST_KEPT_MAX: usize = 16;
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
/// Longest token of a client, in bytes.
pub const TOKEN_BYTES_MAX: usize = 256;
/// Shortest token: 256 random bits take more characters than this, 43 in Base64 and 64 in hexadecimal.
pub const TOKEN_BYTES_MIN: usize = 40;
/// Longest purpose that reads declare, in bytes.
pub const PURPOSE_BYTES_MAX: usize = 128;
/// Longest access policy, in bytes.
pub const ACCESS_BYTES_MAX: usize = 1024 * 1024;
/// Most roles, subjects, tokens of all subjects together, and certificates, each: whoever says hello is compared with every token.
pub const ACCESS_ENTRIES_MAX: usize = 4096;
/// Most rules of one role, of all kinds together; and most roles of one subject.
pub const ROLE_RULES_MAX: usize = 1024;
/// Most handles of one connection for which is remembered what may be done with them: beyond it all is decided again.
pub const DECISIONS_MAX: usize = 1024;
/// What a peer may send, in bytes, until it has said who it is, where that is asked.
pub const UNAUTHENTICATED_BYTES_MAX: usize = 8 * 1024;
/// How long it may take until it has said who it is, in ms.
pub const UNAUTHENTICATED_MS_MAX: u64 = 5_000;
/// Most connections of one server, unless it is told otherwise.
pub const CONNECTIONS_MAX: usize = 10_000;
/// Most network threads of one server.
pub const THREADS_MAX: u16 = 1024;
/// Most connections of one address (of IPv6: of one /64), unless the server is told otherwise.
pub const CONNECTIONS_PER_ADDRESS_MAX: usize = 2_000;
/// Most connections of the admin port.
pub const ADMIN_CONNECTIONS_MAX: usize = 64;
/// Most of them of one address: nobody keeps the probes of all others out.
pub const ADMIN_CONNECTIONS_PER_ADDRESS_MAX: usize = ADMIN_CONNECTIONS_MAX / 4;
/// Longest time from the first to the last byte of a request, in ms: whoever takes longer is cut off.
pub const UNFINISHED_MS_MAX: u64 = 30_000;
/// Most bytes of large requests that are not whole and of answers that nobody reads, of all connections together; half as many more
/// of requests that wait for a thread of their own, or are answered there.
pub const BUFFER_BYTES_MAX: usize = 512 * 1024 * 1024;
/// Bytes of requests, and of answers, that a connection holds without being counted, and keeps while it is quiet.
pub const BUFFER_BYTES_KEPT: usize = 64 * 1024;
/// Most prepared requests of a server, and columns that all of them read.
pub const HANDLES_MAX: usize = 16_384;
/// See [`HANDLES_MAX`].
pub const HANDLE_COLUMNS_MAX: usize = 1 << 22;
/// Most prepared requests that one connection was the first to prepare.
pub const HANDLES_PER_CONNECTION_MAX: usize = 1024;
/// Most TLS handshakes at once: they cost a thousand times what a request does.
pub const HANDSHAKES_MAX: usize = 256;
/// Most of them of one address (of IPv6: of one /64).
pub const HANDSHAKES_PER_ADDRESS_MAX: usize = HANDSHAKES_MAX / 4;
/// Most TLS handshakes that one address begins in a second: about a tenth of a core, with keys of elliptic curves.
pub const HANDSHAKES_PER_ADDRESS_PER_SECOND_MAX: u64 = 128;
/// As many it may begin at once beforehand, after two seconds without one: a whole fleet that comes back behind one address.
pub const HANDSHAKES_PER_ADDRESS_BURST_MAX: u64 = 256;
/// Largest file of certificates or a key that is read, in bytes.
pub const TLS_FILE_BYTES_MAX: usize = 1 << 20;
/// Most sequences remembered per producer: how far behind a retry may come and still be answered exactly.
pub const PRODUCER_SEQUENCES_MAX: usize = 256;
/// Most producers remembered; the least recently seen leaves first.
pub const PRODUCERS_MAX: usize = 100_000;
/// Most refused rows described in one reply; the count is always complete.
pub const REJECTS_PER_REPLY_MAX: usize = BATCH_MAX;
/// Most names of groups, services and streams that one line of the audit log lists; the count is always complete.
pub const AUDIT_NAMES_LISTED_MAX: usize = 32;
/// Most keys whose hashes one line of the audit log lists.
pub const AUDIT_KEYS_LISTED_MAX: usize = 16;
/// Longest text in a line of the audit log, in bytes: what is longer is cut.
pub const AUDIT_TEXT_BYTES_MAX: usize = 1024;
/// Lines that may wait for the thread that writes the audit log; what comes beyond is dropped and counted.
pub const AUDIT_WAITING_MAX: usize = 4096;
/// Kinds of writes that are counted apart for one connection in one second; what comes beyond is counted together.
pub const AUDIT_TALLIES_MAX: usize = 32;
/// Denials of one connection that the audit log tells one by one in a second; what comes beyond is counted.
pub const AUDIT_DENIALS_TOLD_MAX: u64 = 16;
/// Denials of all who did not say who they are that the audit log tells one by one in a second: whoever connects again and again
/// fills no disk, and crowds nothing else out.
pub const AUDIT_STRANGERS_TOLD_MAX: u64 = 64;
/// A file of the audit log that is as large is followed by another one, in bytes.
pub const AUDIT_FILE_BYTES_MAX: u64 = 64 << 20;
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
const _: () = assert!(BUFFER_BYTES_MAX >= 2 * FRAME_BYTES_MAX);
const _: () = assert!(HANDLES_PER_CONNECTION_MAX < HANDLES_MAX);
const _: () = assert!(HANDLE_COLUMNS_MAX > FEATURES_PER_SERVICE_MAX * HANDLES_PER_CONNECTION_MAX);
const _: () = assert!(CONNECTIONS_PER_ADDRESS_MAX <= CONNECTIONS_MAX);
const _: () = assert!(FRAME_BYTES_MAX <= u32::MAX as usize);
const _: () = assert!(TOKEN_BYTES_MAX + PURPOSE_BYTES_MAX < UNAUTHENTICATED_BYTES_MAX / 2);
const _: () = assert!(KEY_BYTES_MAX <= u16::MAX as usize);
const _: () = assert!(BATCH_MAX * 8 <= FRAME_BYTES_MAX);
// A group's name twice; the rest of a path, lengths and figures.
const _: () = assert!(EXPORT_FILES_LISTED_MAX * (2 * NAME_BYTES_MAX + 64) < FRAME_BYTES_MAX);
