//! `GET /health`: 503 with the reason when the log is poisoned, which a restart mends; else 200, also while memory is full: reads go
//! on, and nothing is gained by taking the server away from them.

use std::sync::Arc;

use axum::{Json, extract::State, http::StatusCode};
use engine::MemoryHealth;

use crate::shared::Shared;

/// What `/health` says.
pub(super) async fn health(
    State(shared): State<Arc<Shared>>,
) -> (StatusCode, Json<serde_json::Value>) {
    let wal = shared.database.wal();
    let poisoned = wal.poisoned();
    let code = if poisoned.is_some() { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK };
    let memory = shared.database.memory_use();
    let status = match (&poisoned, memory.health) {
        (Some(_), _) => "poisoned",
        (None, MemoryHealth::Full) => "memory_full",
        (None, MemoryHealth::Ok | MemoryHealth::Near) => "ok",
    };
    let body = serde_json::json!({
        "status": status,
        "reason": poisoned.map(|why| why.to_string()),
        "remedy": (code != StatusCode::OK).then_some(
            "reads go on; writes are refused: look at the disk, then restart to recover what was acknowledged"
        ),
        "sync": wal.policy().to_string(),
        "durable_lsn": wal.durable_lsn().0,
        "appended_lsn": wal.appended_lsn().0,
        "memory": {
            "health": memory.health.as_str(),
            "bytes": memory.bytes,
            "bytes_max": memory.bytes_max,
            "refused_count": memory.refused_count,
            "remedy": memory.remedy(),
        },
        "version": env!("CARGO_PKG_VERSION"),
    });
    (code, Json(body))
}
