//! Where a server is in its life, for the admin port, which is open from before there is a database until after it is closed.
//!
//! ```text
//! recovering ──► ready ──► draining
//!                  ├─► disk_full ──► ready     writes are refused, reads go on: it is ready, and says so
//!                  ├─► poisoned                the same, until it is restarted
//!                  └─► torn                    nothing is answered, until it is restarted
//! ```

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use axum::{
    Json,
    extract::{RawQuery, State},
    http::StatusCode,
};
use engine::{Database, OsFs, StorageError};
use stdx::clock::{Clock, SystemClock};

use crate::shared::Shared;

/// See the module.
#[derive(Default)]
pub(crate) struct Life {
    /// Since when the admin port is open.
    clock: SystemClock,
    started_ms: i64,
    /// There once the database is open.
    shared: OnceLock<Arc<Shared>>,
    /// Since when it drains, in ns of its clock; 0: it does not.
    drains_since_ns: AtomicU64,
    /// Connections of the admin port that found no place.
    refused: AtomicU64,
}

impl Life {
    /// Of a server that begins now.
    pub(crate) fn new() -> Arc<Self> {
        let clock = SystemClock::new();
        Arc::new(Self { started_ms: clock.wall_ms(), clock, ..Self::default() })
    }

    /// From now on reads are served.
    pub(crate) fn is_open(&self, shared: Arc<Shared>) {
        // Once in a life: there is no second database.
        let _ = self.shared.set(shared);
    }

    /// From now on what is in flight is finished, and nothing else.
    pub(crate) fn drains(&self) {
        let (order, now_ns) = (Ordering::Relaxed, self.clock.mono_ns().max(1));
        // Said again by whoever drops what was stopped before: the first time counts.
        let _said_before = self.drains_since_ns.compare_exchange(0, now_ns, order, order);
    }

    /// What is left of `drain`, the time that the whole server has to finish what is in flight.
    pub(super) fn left_of(&self, drain: Duration) -> Duration {
        let since_ns = self.drains_since_ns.load(Ordering::Relaxed);
        let now_ns = self.clock.mono_ns();
        let gone_ns = if since_ns == 0 { 0 } else { now_ns.saturating_sub(since_ns) };
        drain.saturating_sub(Duration::from_nanos(gone_ns))
    }

    /// A connection of the admin port found no place.
    pub(crate) fn refused(&self) {
        self.refused.fetch_add(1, Ordering::Relaxed);
    }

    /// How many did not.
    pub(super) fn refused_count(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }

    /// What is served from; `None` during recovery.
    pub(super) fn shared(&self) -> Option<&Arc<Shared>> {
        self.shared.get()
    }

    /// When it began, in ms since the epoch.
    pub(super) fn started_ms(&self) -> i64 {
        self.started_ms
    }

    /// What it does now.
    pub(super) fn stage(&self) -> Stage {
        if self.drains_since_ns.load(Ordering::Relaxed) != 0 {
            return Stage::nothing("draining", "the server is stopping".to_owned());
        }
        let Some(shared) = self.shared.get() else {
            let seconds = self.clock.mono_ns() / 1_000_000_000;
            let reason = format!(
                "the database is being opened since {seconds} s: its snapshot is mapped and the log behind it replayed"
            );
            return Stage::nothing("recovering", reason);
        };
        Stage::of(&shared.database)
    }
}

/// A stage in a word, and what is answered in it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Stage {
    pub(super) name: &'static str,
    /// Reads are answered.
    pub(super) reads: bool,
    /// Writes are taken.
    pub(super) writes: bool,
    /// Why not both, if so.
    pub(super) reason: Option<String>,
}

impl Stage {
    fn nothing(name: &'static str, reason: String) -> Self {
        Self { name, reads: false, writes: false, reason: Some(reason) }
    }

    /// Of a database that is open.
    fn of(database: &Database<OsFs>) -> Self {
        let refusal = database.wal().refusal();
        if database.is_torn() {
            let why = refusal
                .map_or_else(|| "a write was applied by half".to_owned(), |it| it.to_string());
            return Self::nothing(
                "torn",
                format!("reads and writes are refused until it is restarted: {why}"),
            );
        }
        let name = match &refusal {
            Some(StorageError::Poisoned(_)) => "poisoned",
            Some(StorageError::Full(_)) => "disk_full",
            // A log that is closed belongs to a server that drains.
            _ => return Self { name: "ready", reads: true, writes: true, reason: None },
        };
        let reason = refusal.map(|why| format!("writes are refused, reads go on: {why}"));
        Self { name, reads: true, writes: false, reason }
    }
}

/// `GET /ready`: 200 when reads should be sent here, with `?writes=true` when writes should; 503 with the reason when not.
pub(super) async fn ready(
    State(life): State<Arc<Life>>,
    RawQuery(query): RawQuery,
) -> (StatusCode, Json<serde_json::Value>) {
    let Stage { name, reads, writes, reason } = life.stage();
    let is_wanted = match query.as_deref().unwrap_or_default() {
        "" | "writes=false" => reads,
        "writes=true" => writes,
        // A probe that asks for something else would otherwise be told that it is there.
        other => {
            let error =
                format!("query {other:?} is not known: writes=true asks whether writes are taken");
            return (StatusCode::BAD_REQUEST, Json(serde_json::json!({ "error": error })));
        }
    };
    let code = if is_wanted { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let body = serde_json::json!({
        "ready": reads,
        "writes": writes,
        "stage": name,
        "reason": reason,
        "version": env!("CARGO_PKG_VERSION"),
    });
    (code, Json(body))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_without_a_database_is_not_ready_and_says_why() {
        let life = Life::new();
        let stage = life.stage();
        assert_eq!((stage.name, stage.reads, stage.writes), ("recovering", false, false));
        assert!(stage.reason.is_some_and(|reason| reason.contains("replayed")));
        life.drains();
        assert_eq!(life.stage().name, "draining", "a start that is given up");
    }
}
