//! `GET /debug/…`: what was slow, and which keys are read most. Keys are data: nothing else on this port shows any.

use std::sync::Arc;

use axum::{Json, extract::State};
use serde_json::{Value, json};

use super::life::Life;
use crate::{metrics::Served, shared::Shared};

/// Requests that were slow: the last ones, newest first, and the slowest.
pub(super) async fn slow(State(life): State<Arc<Life>>) -> Json<Value> {
    let Some(shared) = life.shared() else { return Json(json!({ "last": [], "slowest": [] })) };
    let (last, slowest) = shared.slow.read();
    let shown = |requests: Vec<crate::answered::Answered>| -> Vec<Value> {
        requests.iter().map(crate::answered::Answered::to_json).collect()
    };
    Json(json!({
        "threshold_ms": shared.slow.threshold_ms(),
        "count": shared.slow.count(),
        "last": shown(last),
        "slowest": shown(slowest),
    }))
}

/// The keys of each service that are read most, by samples.
pub(super) async fn hot_keys(State(life): State<Arc<Life>>) -> Json<Value> {
    let services = life.shared().map_or_else(Vec::new, |shared| {
        shared.metrics.services().iter().filter_map(|served| keys_of(shared, served)).collect()
    });
    Json(json!({ "services": services }))
}

/// `None` for a service that is not defined any more.
fn keys_of(shared: &Shared, served: &Served) -> Option<Value> {
    let plan = shared.database.plan_service(served.name()).ok()?;
    let (sampled, hot) = served.hot_keys();
    let keys: Vec<Value> = hot
        .iter()
        .filter_map(|hot| {
            let (entity, types) = plan.entities().get(hot.entity)?;
            let part = |count: u64| count as f64 / sampled.max(1) as f64;
            Some(json!({
                "entity": entity,
                "key": model::key::format_key(&hot.key, types),
                // Space-Saving counts too many, by so many at most.
                "share": part(hot.count),
                "share_min": part(hot.count - hot.over),
            }))
        })
        .collect();
    Some(json!({ "service": served.name(), "keys_sampled": sampled, "keys": keys }))
}
