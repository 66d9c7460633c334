//! Spans to a collector of OpenTelemetry: taken out of the server's queue in batches and sent by OTLP over HTTP, in protobuf, on a thread
//! of its own. Compiled with the feature `otel` alone.
//!
//! ```text
//! network threads ─ lots ─► bounded queue (server::Spans) ─► larder-otel: a second's spans, 512 at most ─► POST …/v1/traces
//! ```
//!
//! A batch is sent once. What a collector does not take is lost and counted (`larder_spans_total`): a sample has gaps by nature, and
//! who keeps what was refused needs room for it when there is least. `span` says what a span has in it, `collector` how it gets there.

mod collector;
mod span;

use std::pin::pin;
use std::thread::JoinHandle;
use std::time::Duration;

use opentelemetry::{Key, KeyValue};
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::{Resource, trace::SpanExporter as _};
use server::{Answered, SpanQueue, Spans};
use stdx::prng::{Prng, seed_from_os};
use tokio::{sync::oneshot, time::timeout};

use crate::{args, error::CliError};
use collector::Collector;

/// Spans of one request to the collector, as the specification's batch processor has it.
const BATCH: usize = 512;
/// How long a span waits for others.
const LINGER: Duration = Duration::from_secs(1);
/// How long the collector may take for a batch.
const PATIENCE: Duration = Duration::from_secs(3);
/// How long what is left may take when the server stops.
const FLUSH: Duration = Duration::from_secs(3);
/// What the resource is called when nobody named it.
const SERVICE_NAME: &str = "larder";
const SERVICE_NAME_KEY: &str = "service.name";

/// The thread that sends.
pub(crate) struct Exporter {
    stop: oneshot::Sender<()>,
    thread: JoinHandle<()>,
}

impl Exporter {
    /// Starts it, if there is somewhere to send to; a server that is started with what comes back hands its spans to it.
    ///
    /// # Errors
    /// When the environment asks for something that there is not, such as compression.
    pub(crate) fn start(
        args: &args::Otel,
        options: server::Config,
    ) -> Result<(Option<Self>, server::Config), CliError> {
        let Some(endpoint) = &args.endpoint else { return Ok((None, options)) };
        let collector = Collector::at(endpoint, PATIENCE)?;
        let url = collector.url();
        let builder = SpanExporter::builder().with_http().with_http_client(collector.clone());
        let builder = builder.with_endpoint(&url).with_protocol(Protocol::HttpBinary);
        let exporter = builder.with_timeout(PATIENCE).build();
        let mut exporter =
            exporter.map_err(|error| CliError::usage(format!("--otel-endpoint: {error}")))?;
        exporter.set_resource(&resource());
        let (spans, queue) = Spans::new(args.sample);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (stop, stopped) = oneshot::channel();
        let mut sender = Sender {
            exporter,
            collector,
            url,
            queue,
            prng: Prng::new(seed_from_os()),
            is_failing: false,
        };
        let thread = std::thread::Builder::new()
            .name("larder-otel".to_owned())
            .spawn(move || runtime.block_on(sender.run(stopped)))?;
        Ok((Some(Self { stop, thread }), server::Config { spans: Some(spans), ..options }))
    }

    /// Sends what is left, as far as time allows, and ends.
    pub(crate) fn stop(self) {
        // One that ended by itself hears nothing any more.
        let _ = self.stop.send(());
        if self.thread.join().is_err() {
            tracing::error!("the thread that sends spans ended by a panic");
        }
    }
}

/// What the thread has.
struct Sender {
    exporter: SpanExporter,
    collector: Collector,
    /// For messages.
    url: String,
    queue: SpanQueue,
    /// Of the numbers of traces and spans.
    prng: Prng,
    is_failing: bool,
}

impl Sender {
    async fn run(&mut self, stopped: oneshot::Receiver<()>) {
        let mut stopped = pin!(stopped);
        loop {
            let spans = tokio::select! {
                biased;
                _ = &mut stopped => break,
                spans = self.queue.next(BATCH, LINGER) => spans,
            };
            if spans.is_empty() {
                return;
            }
            self.send(&spans).await;
        }
        let rest = async {
            loop {
                let spans = self.queue.rest(BATCH);
                if spans.is_empty() {
                    return;
                }
                self.send(&spans).await;
            }
        };
        if timeout(FLUSH, rest).await.is_err() {
            tracing::warn!("the last spans are lost: the collector took longer than {FLUSH:?}");
        }
    }

    /// Sends a batch. Says how it went, once when that changes.
    async fn send(&mut self, spans: &[Answered]) {
        let data = spans.iter().map(|span| span::of(span, &mut self.prng)).collect();
        let (sent, url) = (self.exporter.export(data).await, self.url.as_str());
        match sent {
            Ok(()) => {
                self.queue.sent(spans.len());
                if std::mem::take(&mut self.is_failing) {
                    tracing::info!(url, "the collector takes spans again");
                }
            }
            Err(error) => {
                self.queue.failed(spans.len());
                let error = self.collector.trouble().unwrap_or_else(|| error.to_string());
                if !std::mem::replace(&mut self.is_failing, true) {
                    tracing::warn!(
                        url,
                        error,
                        "the collector takes no spans: they are lost, serving goes on"
                    );
                }
            }
        }
    }
}

/// Who sends: `OTEL_SERVICE_NAME` and `OTEL_RESOURCE_ATTRIBUTES` are heard.
fn resource() -> Resource {
    let version = KeyValue::new("service.version", env!("CARGO_PKG_VERSION"));
    let named = Resource::builder().with_attribute(version.clone()).build();
    let name = named.get(&Key::new(SERVICE_NAME_KEY)).map(|name| name.to_string());
    if name.is_some_and(|name| !name.starts_with("unknown_service")) {
        return named;
    }
    Resource::builder().with_attribute(version).with_service_name(SERVICE_NAME).build()
}
