//! What the demo prints.

use client::{Client, StatValue};
use model::{status::Status, value::Value};
use serde_json::Value as Json;

use super::{Loaded, card_name, merchant_name, readers::Latencies};
use crate::{
    error::CliError,
    output::{self, Sheet, value_to_json},
};

/// Counts, rates, latencies and bytes of the load.
pub(super) fn print_load(
    loaded: &Loaded,
    latencies: &Latencies,
    stats: &[(String, StatValue)],
) -> Result<(), CliError> {
    let Loaded { accepted, duplicate, late, rejected, took } = loaded;
    let all = accepted + duplicate + late + rejected;
    let rate = all as f64 / took.as_secs_f64();
    output::line(&format!(
        "pushed {all} payments in {:.1} s, {rate:.0} a second: {accepted} accepted, {duplicate} duplicate, {late} late, \
         {rejected} rejected",
        took.as_secs_f64()
    ))?;
    let quantile = |quantile| latencies.value_at_quantile(quantile);
    output::line(&format!(
        "read {} vectors of fraud_v3 meanwhile: p50 {} µs, p99 {} µs, p99.9 {} µs",
        latencies.len(),
        quantile(0.5),
        quantile(0.99),
        quantile(0.999)
    ))?;
    let mut sheet = Sheet::new(["group", "entities", "bytes", "bytes per entity"]);
    for (name, entities) in stats {
        let Some(group) = name.strip_prefix("group_entities_count.") else { continue };
        let bytes = stats.iter().find(|(name, _)| name.strip_prefix("group_bytes.") == Some(group));
        let (StatValue::U64(entities), Some((_, StatValue::U64(bytes)))) = (entities, bytes) else {
            continue;
        };
        let each = if *entities == 0 { Json::Null } else { Json::from(bytes / entities) };
        sheet.push(vec![Json::from(group), Json::from(*entities), Json::from(*bytes), each]);
    }
    output::line(&sheet.to_table())
}

/// One vector, to show and to compare.
#[derive(Debug, PartialEq)]
pub(super) struct Vector {
    values: Vec<(String, Status, Option<Value>)>,
}

impl Vector {
    /// The vector as a table.
    pub(super) fn table(&self) -> String {
        let mut sheet = Sheet::new(["feature", "value", "status"]);
        for (name, status, value) in &self.values {
            let shown = value.as_ref().map_or(Json::Null, value_to_json);
            sheet.push(vec![Json::from(name.as_str()), shown, Json::from(status.as_str())]);
        }
        sheet.to_table()
    }
}

/// The busiest card at the busiest merchant, as of the stream's now.
pub(super) async fn read_vector(client: &Client) -> Result<Vector, CliError> {
    let service = client.service("fraud_v3").await?;
    let read = service
        .read()
        .key("card", card_name(0))
        .key("merchant", merchant_name(0))
        .request("amount", 250.0);
    let vectors = read.send().await?;
    let values = vectors
        .row(0)
        .map(|(name, status, value)| (name.to_owned(), status, value.map(|value| value.to_owned())))
        .collect();
    Ok(Vector { values })
}
