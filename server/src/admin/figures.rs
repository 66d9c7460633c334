//! Which figure of the statistics is which metric: one table.

use std::collections::BTreeMap;

use protocol::StatValue;

use super::exposition::{Exposition, Kind, scaled};

/// A figure as a sample of a metric.
struct Row {
    /// The family.
    metric: &'static str,
    /// The figure; of one that has a name behind a dot, what stands before it.
    figure: &'static str,
    /// The label that says which: whose value is what stands behind the dot, or the word here.
    label: Label,
    /// What one of the figure is in the metric's unit.
    scale: f64,
}

/// See [`Row`].
#[derive(Clone, Copy)]
enum Label {
    /// There is one sample.
    None,
    /// What stands behind the dot is the value of this label.
    Named(&'static str),
    /// This label has this value.
    Is(&'static str, &'static str),
    /// Both: the named one, then the one of a fixed value.
    NamedIs(&'static str, (&'static str, &'static str)),
}

/// A family of the table: rows of one name stand together, its kind and help with it.
struct Described {
    metric: &'static str,
    kind: Kind,
    help: &'static str,
}

const fn row(metric: &'static str, figure: &'static str, label: Label, scale: f64) -> Row {
    Row { metric, figure, label, scale }
}

const fn gauge(metric: &'static str, help: &'static str) -> Described {
    Described { metric, kind: Kind::Gauge, help }
}

const fn counter(metric: &'static str, help: &'static str) -> Described {
    Described { metric, kind: Kind::Counter, help }
}

use Label::{Is, Named, NamedIs, None as Bare};

const GROUP: Label = Named("group");
const STREAM: Label = Named("stream");
const MS: f64 = 1e-3;

/// A stream's events of this outcome.
const fn events(outcome: &'static str) -> Label {
    NamedIs("stream", ("outcome", outcome))
}

/// A row group's rows of this outcome.
const fn rows(outcome: &'static str) -> Label {
    NamedIs("group", ("outcome", outcome))
}

const ROWS: &[Row] = &[
    row("larder_connections", "connections_count", Bare, 1.0),
    row("larder_connections_cut_total", "connections_cut", Bare, 1.0),
    row("larder_connections_refused_total", "connections_refused", Bare, 1.0),
    row("larder_connections_unfinished_total", "connections_unfinished", Bare, 1.0),
    row(
        "larder_reloads_failed_total",
        "access_reloads_failed_count",
        Is("what", "access_policy"),
        1.0,
    ),
    row("larder_reloads_failed_total", "tls_reloads_failed_count", Is("what", "certificates"), 1.0),
    row("larder_tls_handshakes_failed_total", "tls_handshakes_failed", Bare, 1.0),
    row("larder_buffer_bytes", "buffers_bytes", Bare, 1.0),
    row("larder_network_threads_used", "network_threads_used_count", Bare, 1.0),
    row("larder_handles", "handles_count", Bare, 1.0),
    row("larder_panics_total", "handler_panics", Bare, 1.0),
    row("larder_requests_shed_total", "requests_shed", Bare, 1.0),
    row("larder_requests_expired_total", "requests_expired", Bare, 1.0),
    row("larder_vectors_read_total", "vectors_read_count", Bare, 1.0),
    row("larder_definitions_version", "definitions_version", Bare, 1.0),
    row("larder_producers", "producers_count", Bare, 1.0),
    row("larder_memory_bytes", "memory_bytes", Bare, 1.0),
    row("larder_memory_max_bytes", "memory_bytes_max", Bare, 1.0),
    row("larder_memory_refused_total", "memory_refused_count", Bare, 1.0),
    row("larder_memory_part_bytes", "memory_part_bytes", Named("part"), 1.0),
    row("larder_group_entities", "group_entities_count", GROUP, 1.0),
    row("larder_group_memory_bytes", "group_bytes", GROUP, 1.0),
    row("larder_group_freshness_seconds", "group_newest_age_ms", GROUP, MS),
    row("larder_group_rows_total", "group_rows_put_count", rows("stored"), 1.0),
    row("larder_group_rows_total", "group_rows_stale_count", rows("stale"), 1.0),
    row("larder_group_rows_total", "group_rows_rejected_count", rows("rejected"), 1.0),
    row("larder_stream_events_total", "stream_events_accepted_count", events("accepted"), 1.0),
    row("larder_stream_events_total", "stream_events_late_count", events("late"), 1.0),
    row("larder_stream_events_total", "stream_events_duplicate_count", events("duplicate"), 1.0),
    row("larder_stream_events_total", "stream_events_rejected_count", events("rejected"), 1.0),
    row("larder_stream_ids", "stream_ids_count", STREAM, 1.0),
    row("larder_stream_ids_evicted_total", "stream_ids_evicted_count", STREAM, 1.0),
    row("larder_retractions_total", "events_retracted_count", Is("outcome", "retracted"), 1.0),
    row("larder_retractions_total", "retractions_refused_count", Is("outcome", "refused"), 1.0),
    row("larder_sweep_rounds_total", "sweep_rounds_count", Bare, 1.0),
    row("larder_sweep_entities_total", "swept_entities_count", Is("outcome", "visited"), 1.0),
    row("larder_sweep_entities_total", "swept_retired_count", Is("outcome", "retired"), 1.0),
    row("larder_sweep_freed_bytes_total", "swept_bytes_freed", Bare, 1.0),
    row("larder_wal_appended_lsn", "wal_appended_lsn", Bare, 1.0),
    row("larder_wal_durable_lsn", "wal_durable_lsn", Bare, 1.0),
    row("larder_wal_written_bytes_total", "wal_bytes_written", Bare, 1.0),
    row("larder_wal_durable_bytes_total", "wal_bytes_durable", Bare, 1.0),
    row("larder_wal_segments", "wal_segments_count", Bare, 1.0),
    row("larder_checkpoints_total", "checkpoints_count", Is("result", "done"), 1.0),
    row("larder_checkpoints_total", "checkpoints_failed_count", Is("result", "failed"), 1.0),
    row("larder_checkpoint_age_seconds", "checkpoint_age_ms", Bare, MS),
    row("larder_checkpoint_duration_seconds", "checkpoint_time_ms", Bare, MS),
    row("larder_checkpoint_bytes", "checkpoint_bytes", Bare, 1.0),
    row("larder_checkpoint_entities", "checkpoint_entities_count", Bare, 1.0),
    row("larder_checkpoint_log_bytes", "log_bytes_since_checkpoint", Bare, 1.0),
    row("larder_snapshot_blocks", "snapshot_blocks_count", Bare, 1.0),
    row("larder_snapshot_blocks_verified", "snapshot_blocks_verified_count", Bare, 1.0),
    row("larder_recovery_duration_seconds", "recovery_time_ms", Bare, MS),
    row("larder_recovery_records", "recovery_records_count", Bare, 1.0),
    row("larder_recovery_read_bytes", "recovery_bytes", Bare, 1.0),
    row("larder_history_lsn", "history_lsn", Bare, 1.0),
    row("larder_history_rows", "history_rows", Bare, 1.0),
    row("larder_history_files", "history_files_count", Bare, 1.0),
    row("larder_history_bytes", "history_bytes", Bare, 1.0),
    row("larder_history_gaps", "history_gaps_count", Bare, 1.0),
    row("larder_history_log_bytes", "history_log_bytes", Bare, 1.0),
    row("larder_read_log_vectors_total", "read_log_vectors", Is("outcome", "logged"), 1.0),
    row("larder_read_log_vectors_total", "read_log_dropped", Is("outcome", "dropped"), 1.0),
    row("larder_spans_total", "spans_sent", Is("outcome", "sent"), 1.0),
    row("larder_spans_total", "spans_dropped", Is("outcome", "dropped"), 1.0),
    row("larder_spans_total", "spans_failed", Is("outcome", "failed"), 1.0),
    row("larder_exports_total", "exports_done_count", Is("result", "done"), 1.0),
    row("larder_exports_total", "exports_failed_count", Is("result", "failed"), 1.0),
    row("larder_exports_running", "exports_running", Bare, 1.0),
    row("larder_audit_lines_total", "audit_lines", Bare, 1.0),
    row("larder_audit_dropped_total", "audit_dropped", Bare, 1.0),
    row("larder_audit_failing", "audit_is_failing", Bare, 1.0),
];

const FAMILIES: &[Described] = &[
    gauge("larder_connections", "Connections of the native protocol that are open."),
    counter(
        "larder_connections_cut_total",
        "Connections cut because the peer read nothing of its answers, or did not say who it is.",
    ),
    counter(
        "larder_connections_refused_total",
        "Connections that were not served because there are too many.",
    ),
    counter(
        "larder_connections_unfinished_total",
        "Connections cut because a request was begun and not finished.",
    ),
    counter(
        "larder_reloads_failed_total",
        "Times that the access policy or certificates were read again and could not be used.",
    ),
    counter("larder_tls_handshakes_failed_total", "TLS handshakes that came to no end."),
    gauge("larder_network_threads_used", "Network threads that connections are dealt to."),
    gauge(
        "larder_buffer_bytes",
        "Bytes of large requests under way and of answers that are not read yet.",
    ),
    gauge("larder_handles", "Prepared requests that are kept."),
    counter("larder_panics_total", "Requests and connections that a defect of the server ended."),
    counter("larder_requests_shed_total", "Requests turned away because there was too much to do."),
    counter(
        "larder_requests_expired_total",
        "Requests not begun because their deadline had passed.",
    ),
    counter("larder_vectors_read_total", "Feature vectors read."),
    gauge("larder_definitions_version", "Version of the definitions, 0 before the first apply."),
    gauge("larder_producers", "Producers whose sequences are remembered."),
    gauge(
        "larder_memory_bytes",
        "Bytes of rows, window states, ids, producers and log buffers, as the memory limit counts them.",
    ),
    gauge("larder_memory_max_bytes", "Bytes that may be in use; missing without a limit."),
    counter("larder_memory_refused_total", "Writes refused because there was no memory for them."),
    gauge("larder_memory_part_bytes", "Bytes in use by part."),
    gauge("larder_group_entities", "Entities of a group."),
    gauge("larder_group_memory_bytes", "Bytes of a group: rows or window states, keys and index."),
    gauge(
        "larder_group_freshness_seconds",
        "Age of the newest event or row of a group by its event time; missing before the first since the start.",
    ),
    counter(
        "larder_group_rows_total",
        "Rows put into a row group by outcome; stale ones had nothing newer than what is stored.",
    ),
    counter("larder_stream_events_total", "Events pushed into a stream by outcome."),
    gauge("larder_stream_ids", "Event ids of a stream that are remembered, to refuse duplicates."),
    counter("larder_stream_ids_evicted_total", "Event ids forgotten because there were too many."),
    counter("larder_retractions_total", "Events to be retracted by outcome."),
    counter("larder_sweep_rounds_total", "Sweeps of all window groups."),
    counter(
        "larder_sweep_entities_total",
        "Entities of window groups that a sweep looked at, and those forgotten because no window sees their events.",
    ),
    counter("larder_sweep_freed_bytes_total", "Bytes of window groups that sweeping gave back."),
    gauge("larder_wal_appended_lsn", "Newest record of the log."),
    gauge("larder_wal_durable_lsn", "Newest record of the log known to be on the disk."),
    counter("larder_wal_written_bytes_total", "Bytes of batches written to the log."),
    counter("larder_wal_durable_bytes_total", "Bytes of batches that were synced."),
    gauge("larder_wal_segments", "Segments of the log there are."),
    counter("larder_checkpoints_total", "Checkpoints by result."),
    gauge(
        "larder_checkpoint_age_seconds",
        "Time since the last checkpoint ended well, or since the start.",
    ),
    gauge(
        "larder_checkpoint_duration_seconds",
        "How long the last checkpoint took; missing before the first.",
    ),
    gauge(
        "larder_checkpoint_bytes",
        "Length of the last checkpoint's snapshot; missing before the first.",
    ),
    gauge(
        "larder_checkpoint_entities",
        "Entities in the last checkpoint; missing before the first.",
    ),
    gauge("larder_checkpoint_log_bytes", "Bytes of log that came since the last checkpoint."),
    gauge(
        "larder_snapshot_blocks",
        "Blocks of the snapshot that is served from; missing without one.",
    ),
    gauge(
        "larder_snapshot_blocks_verified",
        "Those of them whose checksums were verified since the start.",
    ),
    gauge("larder_recovery_duration_seconds", "How long the last start took to replay the log."),
    gauge("larder_recovery_records", "Records that it replayed."),
    gauge("larder_recovery_read_bytes", "Bytes of log that it read."),
    gauge("larder_history_lsn", "Newest record of the log that history has gone through."),
    gauge("larder_history_rows", "Rows in the files of history."),
    gauge("larder_history_files", "Files of history."),
    gauge("larder_history_bytes", "Bytes of the files of history."),
    gauge("larder_history_gaps", "Gaps in history: parts of the log that it could not keep."),
    gauge("larder_history_log_bytes", "Bytes of log that are kept for history alone."),
    counter("larder_read_log_vectors_total", "Vectors drawn for the log of reads by outcome."),
    counter("larder_spans_total", "Requests that were drawn to become spans, by outcome."),
    counter("larder_exports_total", "Exports by result."),
    gauge("larder_exports_running", "1 while an export is made."),
    counter("larder_audit_lines_total", "Lines of the audit log that were written."),
    counter("larder_audit_dropped_total", "Lines of the audit log that were lost."),
    gauge("larder_audit_failing", "1 while the audit log cannot be written."),
];

/// Writes every family of the table that has samples.
pub(super) fn write(figures: &[(String, StatValue)], text: &mut Exposition) {
    let mut known: BTreeMap<&str, Vec<(&str, u64)>> = BTreeMap::new();
    for (name, value) in figures {
        if let StatValue::U64(value) = value {
            // Names of definitions have no dots, figures neither.
            let (figure, named) = name.split_once('.').unwrap_or((name, ""));
            known.entry(figure).or_default().push((named, *value));
        }
    }
    for Described { metric, kind, help } in FAMILIES {
        let rows = ROWS.iter().filter(|row| row.metric == *metric);
        let mut samples = rows.filter_map(|row| Some((row, known.get(row.figure)?))).peekable();
        if samples.peek().is_none() {
            continue;
        }
        let mut family = text.family(metric, *kind, help);
        for (row, values) in samples {
            for (named, value) in values {
                let value = scaled(*value, row.scale);
                match row.label {
                    Bare => family.sample(&[], value),
                    Is(label, is) => family.sample(&[(label, is)], value),
                    Named(label) => family.sample(&[(label, named)], value),
                    NamedIs(label, fixed) => family.sample(&[(label, named), fixed], value),
                };
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_row_has_a_family_and_every_family_a_row() {
        let rows: BTreeSet<_> = ROWS.iter().map(|row| row.metric).collect();
        let families: BTreeSet<_> = FAMILIES.iter().map(|family| family.metric).collect();
        assert_eq!(rows, families);
        assert_eq!(families.len(), FAMILIES.len(), "one is described twice");
    }

    #[test]
    fn names_are_conventional() {
        for Described { metric, kind, help } in FAMILIES {
            assert_eq!(metric.ends_with("_total"), *kind == Kind::Counter, "{metric}");
            assert!(metric.starts_with("larder_") && help.ends_with('.'), "{metric}: {help}");
            assert!(!metric.contains("_ms") && !metric.contains("_count"), "{metric}");
        }
    }

    #[test]
    fn figures_become_samples_in_base_units_with_their_names_as_labels() {
        let number = |name: &str, value| (name.to_owned(), StatValue::U64(value));
        let figures = [
            number("group_newest_age_ms.spend", 1500),
            number("stream_events_late_count.pay", 2),
            number("stream_events_accepted_count.pay", 7),
            ("wal_health".to_owned(), StatValue::Text("ok".to_owned())),
            number("of_nobody", 1),
        ];
        let mut text = Exposition::default();
        write(&figures, &mut text);
        let text = text.into_text();
        let samples: Vec<_> = text.lines().filter(|line| !line.starts_with('#')).collect();
        let expected = [
            "larder_group_freshness_seconds{group=\"spend\"} 1.5",
            "larder_stream_events_total{stream=\"pay\",outcome=\"accepted\"} 7",
            "larder_stream_events_total{stream=\"pay\",outcome=\"late\"} 2",
        ];
        assert_eq!(samples, expected);
    }
}
