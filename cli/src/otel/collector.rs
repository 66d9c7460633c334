//! The collector at the other end, as OpenTelemetry's exporter asks for it: a client of HTTP, ours.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use client::TlsOptions;
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use stdx::sync::Mutex;

use crate::{args::Endpoint, error::CliError, http};

/// Where traces are taken, below a collector's base.
const TRACES: &str = "/v1/traces";

/// See the module; clones share what went wrong.
#[derive(Debug, Clone)]
pub(super) struct Collector {
    host: http::Host,
    path: String,
    /// Why the last batch was not taken: the exporter keeps that to itself.
    trouble: Arc<Mutex<Option<String>>>,
}

type Answering<'a> = Pin<Box<dyn Future<Output = Result<Response<Bytes>, HttpError>> + Send + 'a>>;

impl Collector {
    /// That at `endpoint`; over TLS the authorities of this machine are believed.
    ///
    /// # Errors
    /// When this machine has none.
    pub(super) fn at(endpoint: &Endpoint, patience: Duration) -> Result<Self, CliError> {
        let tls = endpoint.is_tls.then(TlsOptions::of_the_machine).transpose()?;
        let host = http::Host { addr: endpoint.addr.clone(), tls, patience };
        Ok(Self { host, path: format!("{}{TRACES}", endpoint.path), trouble: Arc::default() })
    }

    /// The whole address.
    pub(super) fn url(&self) -> String {
        let scheme = if self.host.tls.is_some() { "https" } else { "http" };
        format!("{scheme}://{}{}", self.host.addr, self.path)
    }

    /// Why the last batch was not taken.
    pub(super) fn trouble(&self) -> Option<String> {
        self.trouble.lock().take()
    }

    async fn post(&self, request: Request<Bytes>) -> Result<http::Answer, String> {
        let (parts, body) = request.into_parts();
        let fields = parts.headers.iter();
        // Whoever set one that is no text meant something else.
        let headers =
            fields.filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?)));
        let (method, path, headers) = ("POST", self.path.as_str(), headers.collect());
        let answer = self.host.ask(&http::Request { method, path, headers, body: &body }).await?;
        if (200..300).contains(&answer.status) {
            return Ok(answer);
        }
        let said: String = answer.text().chars().filter(|c| !c.is_control()).take(200).collect();
        Err(format!("status {}: {said}", answer.status))
    }
}

impl HttpClient for Collector {
    fn send_bytes<'life, 'answer>(&'life self, request: Request<Bytes>) -> Answering<'answer>
    where
        'life: 'answer,
        Self: 'answer,
    {
        Box::pin(async move {
            let answer = self.post(request).await.inspect_err(|why| {
                *self.trouble.lock() = Some(why.clone());
            })?;
            Ok(Response::builder().status(answer.status).body(Bytes::from(answer.body))?)
        })
    }
}
