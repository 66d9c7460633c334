//! `GET /health`: 503 with the reason when the log is poisoned, which a restart mends; else 200, also while memory or the disk is
//! full or snapshots are in trouble: reads go on, and nothing is gained by taking the server away from them.

use std::sync::Arc;

use axum::{Json, extract::State, http::StatusCode};
use engine::{Database, MemoryHealth, OsFs, StorageError, Trouble};

use super::life::{Life, Stage};

/// How the server is, in one word, and what follows from it.
struct Verdict {
    /// `ok`, `degraded`, `memory_full`, `disk_full`, `poisoned`.
    status: &'static str,
    reason: Option<String>,
    remedy: Option<&'static str>,
}

/// The gravest of what is wrong.
fn verdict(database: &Database<OsFs>) -> Verdict {
    let verdict = |status, reason, remedy| Verdict { status, reason: Some(reason), remedy };
    match database.wal().refusal() {
        Some(StorageError::Poisoned(why)) => {
            let remedy = if database.is_torn() {
                "reads and writes are refused: restart, it recovers what was acknowledged"
            } else {
                "reads go on; writes are refused: look at the disk, then restart to recover what was acknowledged"
            };
            return verdict("poisoned", why.to_string(), Some(remedy));
        }
        Some(full @ StorageError::Full(_)) => {
            let remedy =
                "free space on the disk of the data directory: writes resume by themselves";
            return verdict("disk_full", full.to_string(), Some(remedy));
        }
        _ => {}
    }
    let memory = database.memory_use();
    if memory.health == MemoryHealth::Full {
        let reason = format!("{} bytes of memory are in use", memory.bytes);
        return verdict("memory_full", reason, memory.remedy());
    }
    match trouble(database) {
        Some(trouble) => verdict("degraded", trouble.reason, Some(trouble.remedy)),
        None => Verdict { status: "ok", reason: None, remedy: None },
    }
}

/// What is wrong although every request is answered.
fn trouble(database: &Database<OsFs>) -> Option<Trouble> {
    let checkpoints = database.checkpoint_trouble();
    checkpoints.or_else(|| database.history_trouble()).or_else(|| database.clock_trouble())
}

/// What `/health` says.
pub(super) async fn health(State(life): State<Arc<Life>>) -> (StatusCode, Json<serde_json::Value>) {
    let Some(shared) = life.shared() else {
        // Alive, and on its way: nothing is gained by starting it again.
        let Stage { name: status, reason, .. } = life.stage();
        let version = env!("CARGO_PKG_VERSION");
        let body = serde_json::json!({ "status": status, "reason": reason, "version": version });
        return (StatusCode::OK, Json(body));
    };
    let wal = shared.database.wal();
    let Verdict { status, reason, remedy } = verdict(&shared.database);
    let is_poisoned = status == "poisoned";
    let code = if is_poisoned { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK };
    let memory = shared.database.memory_use();
    let body = serde_json::json!({
        "status": status,
        "reason": reason,
        "remedy": remedy,
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
