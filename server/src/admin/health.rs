//! `GET /health`: 200 while writes are accepted, 503 with the reason when the log is poisoned.

use std::sync::Arc;

use axum::{Json, extract::State, http::StatusCode};

use crate::shared::Shared;

/// What `/health` says.
pub(super) async fn health(
    State(shared): State<Arc<Shared>>,
) -> (StatusCode, Json<serde_json::Value>) {
    let wal = shared.database.wal();
    let poisoned = wal.poisoned();
    let code = if poisoned.is_some() { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK };
    let body = serde_json::json!({
        "status": if poisoned.is_some() { "poisoned" } else { "ok" },
        "reason": poisoned.map(|why| why.to_string()),
        "remedy": (code != StatusCode::OK).then_some(
            "reads go on; writes are refused: look at the disk, then restart to recover what was acknowledged"
        ),
        "sync": wal.policy().to_string(),
        "durable_lsn": wal.durable_lsn().0,
        "appended_lsn": wal.appended_lsn().0,
        "version": env!("CARGO_PKG_VERSION"),
    });
    (code, Json(body))
}
