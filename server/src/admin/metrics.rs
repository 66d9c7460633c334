//! `GET /metrics`: everything that is counted, as text for Prometheus. docs/observability.md has the table.

use std::sync::Arc;

use axum::{
    extract::State,
    http::{HeaderName, header},
};
use engine::{MemoryHealth, StorageError};
use model::status::Status;
use protocol::{CallStatus, Opcode};

use super::{
    exposition::{CONTENT_TYPE, Exposition, Kind, whole},
    figures,
    life::Life,
};
use crate::{
    handler,
    metrics::{OPERATIONS_MAX, STATUSES_MAX},
    shared::Shared,
};

/// Nanoseconds to seconds.
const NS: f64 = 1e-9;

/// What `/metrics` says.
pub(super) async fn metrics(
    State(life): State<Arc<Life>>,
) -> ([(HeaderName, &'static str); 1], String) {
    ([(header::CONTENT_TYPE, CONTENT_TYPE)], text(&life))
}

fn text(life: &Life) -> String {
    let mut text = Exposition::default();
    process(life, &mut text);
    let Some(shared) = life.shared() else { return text.into_text() };
    requests(shared, &mut text);
    traffic(shared, &mut text);
    services(shared, &mut text);
    log(shared, &mut text);
    health(shared, &mut text);
    figures::write(&handler::stats::figures(shared), &mut text);
    text.into_text()
}

fn process(life: &Life, text: &mut Exposition) {
    let help = "1; the release in its label.";
    let version = env!("CARGO_PKG_VERSION");
    text.family("larder_build_info", Kind::Gauge, help).sample(&[("version", version)], 1.0);
    let help = "When this server started, in seconds since 1970.";
    let started = life.started_ms() as f64 / 1000.0;
    text.family("larder_start_time_seconds", Kind::Gauge, help).sample(&[], started);
    let help = "1 when reads should be sent here: 0 during recovery, while draining, and when the database is torn.";
    let is_ready = life.stage().reads;
    text.family("larder_ready", Kind::Gauge, help).sample(&[], f64::from(u8::from(is_ready)));
    let help = "Connections of the admin port that were turned away: it has too many, or their address has.";
    let refused = whole(life.refused_count());
    text.family("larder_admin_connections_refused_total", Kind::Counter, help).sample(&[], refused);
}

/// The name of the operation with this code, and that of the call status.
fn operation(code: usize) -> Option<&'static str> {
    match u8::try_from(code).ok()? {
        0 => Some("unknown"),
        code => Opcode::from_code(code).map(Opcode::name),
    }
}

fn requests(shared: &Shared, text: &mut Exposition) {
    let metrics = &shared.metrics;
    let operations = || (0..OPERATIONS_MAX).filter_map(|code| Some((code, operation(code)?)));
    let help = "Requests answered, by operation and call status.";
    let mut family = text.family("larder_requests_total", Kind::Counter, help);
    for (code, operation) in operations() {
        for status in 0..STATUSES_MAX {
            let known = u8::try_from(status).ok().and_then(CallStatus::from_code);
            let Some(status_name) = known.map(|status| status.as_str().to_lowercase()) else {
                continue;
            };
            let count = metrics.sum(|meter| meter.requests(code, status));
            // So that a rate of failures starts at the first: the usual ones are there from the start.
            if count > 0 || known == Some(CallStatus::Ok) {
                let labels = [("operation", operation), ("status", status_name.as_str())];
                family.sample(&labels, whole(count));
            }
        }
    }
    let help = "Time from a request's last bytes being read to its reply standing in the output.";
    let mut family = text.family("larder_request_duration_seconds", Kind::Histogram, help);
    for (code, operation) in operations() {
        family.histogram(&[("operation", operation)], &metrics.durations(code), NS);
    }
}

fn traffic(shared: &Shared, text: &mut Exposition) {
    let sum = |index: usize| {
        let of = |traffic: [u64; 3]| traffic.get(index).copied().unwrap_or(0);
        whole(shared.metrics.sum(|meter| of(meter.traffic())))
    };
    let help = "Requests that wait for the log or for another thread.";
    text.family("larder_requests_in_flight", Kind::Gauge, help).sample(&[], sum(0));
    let help = "Requests that took as long as --slow or longer: /debug/slow says why.";
    let slow = whole(shared.slow.count());
    text.family("larder_requests_slow_total", Kind::Counter, help).sample(&[], slow);
    let help = "Bytes read from peers of the native protocol.";
    text.family("larder_received_bytes_total", Kind::Counter, help).sample(&[], sum(1));
    let help = "Bytes written to peers of the native protocol.";
    text.family("larder_sent_bytes_total", Kind::Counter, help).sample(&[], sum(2));
}

fn services(shared: &Shared, text: &mut Exposition) {
    let (_, definitions) = shared.database.definitions();
    let counts: Vec<_> = shared
        .metrics
        .services()
        .into_iter()
        .filter(|served| definitions.service(served.name()).is_some())
        .map(|served| (served.counts(), served))
        .collect();
    let help = "Reads of a service that were answered with vectors.";
    let mut family = text.family("larder_service_requests_total", Kind::Counter, help);
    for (counts, served) in &counts {
        family.sample(&[("service", served.name())], whole(counts.requests));
    }
    let help = "Vectors served of a service.";
    let mut family = text.family("larder_service_vectors_total", Kind::Counter, help);
    for (counts, served) in &counts {
        family.sample(&[("service", served.name())], whole(counts.vectors));
    }
    let help = "Values served of a service, by their status.";
    let mut family = text.family("larder_service_values_total", Kind::Counter, help);
    for (counts, served) in &counts {
        for (status, count) in Status::ALL.iter().zip(counts.values) {
            let status = status.as_str().to_lowercase();
            family.sample(&[("service", served.name()), ("status", &status)], whole(count));
        }
    }
}

fn log(shared: &Shared, text: &mut Exposition) {
    let (sync_ns, batch_records) = shared.database.wal().histograms();
    let help = "How long each sync of the log took.";
    text.family("larder_wal_fsync_duration_seconds", Kind::Histogram, help).histogram(
        &[],
        &sync_ns,
        NS,
    );
    let help = "Records that were written to the log together.";
    text.family("larder_wal_batch_records", Kind::Histogram, help).histogram(
        &[],
        &batch_records,
        1.0,
    );
}

/// What is wrong, each as 0 or 1.
fn health(shared: &Shared, text: &mut Exposition) {
    let database = &shared.database;
    let refusal = database.wal().refusal();
    let memory = database.memory_use().health;
    let troubles = [
        ("poisoned", matches!(refusal, Some(StorageError::Poisoned(_)))),
        ("disk_full", matches!(refusal, Some(StorageError::Full(_)))),
        ("memory_full", memory == MemoryHealth::Full),
        ("memory_near", memory == MemoryHealth::Near),
        ("checkpoint", database.checkpoint_trouble().is_some()),
        ("history", database.history_trouble().is_some()),
        ("clock", database.clock_trouble().is_some()),
    ];
    let help = "1 for each trouble that lasts: writes refused, or what /health calls degraded.";
    let mut family = text.family("larder_trouble", Kind::Gauge, help);
    for (kind, is_so) in troubles {
        family.sample(&[("kind", kind)], f64::from(u8::from(is_so)));
    }
}
