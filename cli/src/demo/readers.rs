//! A model service beside the load: reads vectors over TCP, one after the other, and keeps every latency.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use client::Client;
use hdrhistogram::Histogram;
use stdx::{
    clock::{Clock, SystemClock},
    prng::Prng,
};

use super::payments::{card_name, merchant_name};
use crate::error::CliError;

/// Latencies in µs.
pub(super) type Latencies = Histogram<u64>;

/// The reading thread.
pub(super) struct Readers {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Result<Latencies, CliError>>,
}

impl Readers {
    /// Reads from the server at `addr` until stopped.
    pub(super) fn start(addr: &str, seed: u64) -> Result<Self, CliError> {
        let stop = Arc::new(AtomicBool::new(false));
        let (addr, until) = (addr.to_owned(), Arc::clone(&stop));
        let thread = std::thread::Builder::new()
            .name("demo-reader".to_owned())
            .spawn(move || crate::remote::run(read(addr, seed, until)))?;
        Ok(Self { stop, thread })
    }

    /// Stops and returns the latencies.
    pub(super) async fn stop(self) -> Result<Latencies, CliError> {
        self.stop.store(true, Ordering::Release);
        let joined = tokio::task::spawn_blocking(move || self.thread.join()).await;
        match joined {
            Ok(Ok(latencies)) => latencies,
            _ => Err(CliError::failed("the reading thread panicked")),
        }
    }
}

async fn read(addr: String, seed: u64, stop: Arc<AtomicBool>) -> Result<Latencies, CliError> {
    let mut prng = Prng::stream(seed, "readers");
    let clock = SystemClock::new();
    // 1 µs to 60 s with three digits.
    let mut latencies = Histogram::new_with_bounds(1, 60_000_000, 3)
        .map_err(|error| CliError::failed(error.to_string()))?;
    let service = Client::builder(addr).connections(1).build().service("fraud_v3").await?;
    while !stop.load(Ordering::Acquire) {
        let start = clock.mono_ns();
        let read = service
            .read()
            .key("card", card_name(prng.below(500)))
            .key("merchant", merchant_name(prng.below(100)))
            .request("amount", 50.0);
        read.send().await?;
        latencies.saturating_record((clock.mono_ns() - start) / 1000);
    }
    Ok(latencies)
}
