//! `larder demo`: all of it in a minute. An embedded server, generated payments over TCP while a model reads, a vector with
//! its statuses, then a kill and a restart that bring the same vector back. Every number printed was measured.

mod payments;
mod readers;
mod report;
mod store;

use std::time::Duration;

use client::Client;
use indicatif::{ProgressBar, ProgressStyle};
use stdx::clock::{Clock, SystemClock};

use crate::{args, error::CliError, output};
use payments::{Payment, Payments, Shape, card_name, merchant_name};
use readers::Readers;
use store::Store;

/// Definitions of the demo: the example of the repository, in the binary.
const DEFINITIONS: &str = include_str!("../../../examples/payments/features.toml");
/// Payments of one push.
const BATCH: usize = 200;
/// Pushes on their way at once.
const IN_FLIGHT: usize = 4;

/// See the module.
pub(crate) fn run(args: &args::Demo) -> Result<(), CliError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(show(args))
}

async fn show(args: &args::Demo) -> Result<(), CliError> {
    let store = Store::start()?;
    let (native, directory) = (store.addr(), store.directory().display().to_string());
    output::note(&format!(
        "serving {native} from {directory}, sync policy always, seed {}",
        args.seed
    ));
    let client = Client::new(&native);
    let applied = client.apply("features.toml", DEFINITIONS, false).await?;
    output::note(&format!(
        "definitions: {} objects applied, version {}",
        applied.changes.len(),
        applied.version
    ));
    put_profiles(&client, args.seed).await?;

    let readers = Readers::start(&native, args.seed)?;
    let loaded = push_payments(&client, args).await?;
    let latencies = readers.stop().await?;
    report::print_load(&loaded, &latencies, &client.stats().await?)?;

    let before = report::read_vector(&client).await?;
    output::line(&format!("fraud_v3 for {} at {}", card_name(0), merchant_name(0)))?;
    output::line(&before.table())?;
    drop(client);
    let clock = SystemClock::new();
    let store = store.kill_and_reopen()?;
    let took_ms = clock.mono_ns() / 1_000_000;
    output::line(&format!(
        "killed and reopened: {} records replayed in {took_ms} ms",
        store.replayed()
    ))?;
    let after = report::read_vector(&Client::new(store.addr())).await?;
    if before != after {
        let message = format!("the vector changed across the restart:\n{}", after.table());
        return Err(CliError::failed(message));
    }
    output::line("the same vector came back, value for value")?;
    store.stop()
}

/// Profiles of the busiest cards: rows, put beside the events.
async fn put_profiles(client: &Client, seed: u64) -> Result<(), CliError> {
    let mut prng = stdx::prng::Prng::stream(seed, "profiles");
    let group = client.group("card_profile").await?;
    let rows: Vec<_> = (0..1000)
        .map(|rank| {
            let country =
                ["CH", "DE", "FR", "IT", "AT"].get(usize::try_from(prng.below(5)).unwrap_or(0));
            let limit = prng.between(5, 200) * 100;
            group
                .row()
                .key(card_name(rank))
                .set("country", country.copied())
                .set("credit_limit", limit)
        })
        .collect();
    let reply = group.put(rows).await?;
    output::note(&format!("profiles: {} rows put", reply.applied));
    Ok(())
}

/// What became of the payments.
#[derive(Debug, Default)]
pub(crate) struct Loaded {
    pub(crate) accepted: u64,
    pub(crate) duplicate: u64,
    pub(crate) late: u64,
    pub(crate) rejected: u64,
    pub(crate) took: Duration,
}

async fn push_payments(client: &Client, args: &args::Demo) -> Result<Loaded, CliError> {
    let stream = client.stream("payments").await?;
    let progress = ProgressBar::new(args.events);
    let template = "{bar:40} {pos}/{len} payments {per_sec} {eta}";
    progress.set_style(
        ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar()),
    );
    let clock = SystemClock::new();
    let mut loaded = Loaded::default();
    let mut history = Payments::new(args.seed, Shape::of(args.events)).peekable();
    let mut flying = std::collections::VecDeque::new();
    while history.peek().is_some() || !flying.is_empty() {
        while history.peek().is_some() && flying.len() < IN_FLIGHT {
            let batch: Vec<_> = history.by_ref().take(BATCH).collect();
            let stream = stream.clone();
            flying.push_back(tokio::spawn(async move {
                stream.push(batch.iter().map(|payment| event(&stream, payment))).await
            }));
        }
        let Some(oldest) = flying.pop_front() else { break };
        let reply = oldest.await.map_err(|error| CliError::failed(error.to_string()))??;
        loaded.accepted += u64::from(reply.accepted);
        loaded.duplicate += u64::from(reply.duplicate);
        loaded.late += u64::from(reply.late);
        loaded.rejected += u64::from(reply.rejected);
        progress.set_position(loaded.accepted + loaded.duplicate + loaded.late + loaded.rejected);
    }
    loaded.took = Duration::from_nanos(clock.mono_ns());
    progress.finish_and_clear();
    Ok(loaded)
}

fn event(stream: &client::StreamWriter, payment: &Payment) -> client::Event {
    stream
        .event()
        .set("payment_id", &payment.payment_id)
        .set("card", &payment.card)
        .set("merchant", &payment.merchant)
        .set("amount", model::value::Value::Decimal(payment.amount, 2))
        .set("ts", payment.at)
}
