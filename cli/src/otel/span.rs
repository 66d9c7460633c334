//! A request as a span: root of a trace of its own, since the protocol carries no trace of its callers.
//!
//! Names follow the conventions for databases where there are some (<https://opentelemetry.io/docs/specs/semconv/database/>); ours begin
//! with `larder.` and are those of `/debug/slow`.

use std::time::{Duration, UNIX_EPOCH};

use opentelemetry::{
    InstrumentationScope, KeyValue,
    trace::{SpanContext, SpanId, SpanKind, Status, TraceFlags, TraceId, TraceState},
};
use opentelemetry_sdk::trace::SpanData;
use server::Answered;
use stdx::prng::Prng;

/// The span of `request`, with numbers drawn from `prng`.
pub(super) fn of(request: &Answered, prng: &mut Prng) -> SpanData {
    // All zeros mean none.
    let mut number = || prng.next_u64() | 1;
    let trace: [u64; 2] = [number(), number()];
    let mut trace_id = [0; 16];
    for (bytes, part) in trace_id.chunks_exact_mut(8).zip(trace) {
        bytes.copy_from_slice(&part.to_le_bytes());
    }
    let context = SpanContext::new(
        TraceId::from_bytes(trace_id),
        SpanId::from_bytes(number().to_le_bytes()),
        TraceFlags::SAMPLED,
        false,
        TraceState::NONE,
    );
    let end_time = UNIX_EPOCH + Duration::from_millis(u64::try_from(request.at_ms).unwrap_or(0));
    let start_time = end_time.checked_sub(Duration::from_nanos(request.took_ns));
    let is_ok = request.status == "OK";
    SpanData {
        span_context: context,
        parent_span_id: SpanId::INVALID,
        parent_span_is_remote: false,
        span_kind: SpanKind::Server,
        name: format!("{} {}", request.operation, request.on).trim_end().to_owned().into(),
        start_time: start_time.unwrap_or(end_time),
        end_time,
        attributes: attributes(request, is_ok),
        dropped_attributes_count: 0,
        events: Default::default(),
        links: Default::default(),
        status: if is_ok { Status::Unset } else { Status::error(request.status) },
        instrumentation_scope: InstrumentationScope::builder("larder").build(),
    }
}

fn attributes(request: &Answered, is_ok: bool) -> Vec<KeyValue> {
    let ms = |ns: u64| ns as f64 / 1e6;
    let bytes = |bytes: usize| i64::try_from(bytes).unwrap_or(i64::MAX);
    let mut attributes = vec![
        KeyValue::new("db.system.name", "larder"),
        KeyValue::new("db.operation.name", request.operation),
        KeyValue::new("db.response.status_code", request.status),
        KeyValue::new("larder.on", request.on.clone()),
        // Numbers above 2^63 are none in OTLP.
        KeyValue::new("larder.request_id", request.request_id.to_string()),
        KeyValue::new("larder.peer", request.peer.clone()),
        KeyValue::new("larder.reason", request.reason()),
        KeyValue::new("larder.waited_for_thread_ms", ms(request.thread_ns)),
        KeyValue::new("larder.handler_ms", ms(request.handler_ns)),
        KeyValue::new("larder.waited_after_ms", ms(request.waiting_ns)),
        KeyValue::new("larder.request_bytes", bytes(request.request_bytes)),
        KeyValue::new("larder.reply_bytes", bytes(request.reply_bytes)),
    ];
    if let Some(service) = request.on.strip_prefix("service:") {
        attributes.push(KeyValue::new("larder.service", service.to_owned()));
    }
    if !is_ok {
        attributes.push(KeyValue::new("error.type", request.status));
    }
    attributes
}
