//! Where a server is in its life, for the admin port, which is open from before there is a database until after it is closed.
//!
//! ```text
//! recovering ──► ready ──► draining
//! ```

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use axum::{Json, extract::State, http::StatusCode};
use engine::StorageError;
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
    drains: AtomicBool,
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
        self.drains.store(true, Ordering::Relaxed);
    }

    /// What is served from; `None` during recovery.
    pub(super) fn shared(&self) -> Option<&Arc<Shared>> {
        self.shared.get()
    }

    /// When it began, in ms since the epoch.
    pub(super) fn started_ms(&self) -> i64 {
        self.started_ms
    }

    /// Its stage in a word, and why it should be sent no requests, if so.
    pub(super) fn stage(&self) -> (&'static str, Option<String>) {
        if self.drains.load(Ordering::Relaxed) {
            return ("draining", Some("the server is stopping".to_owned()));
        }
        let Some(shared) = self.shared.get() else {
            let seconds = self.clock.mono_ns() / 1_000_000_000;
            let reason = format!(
                "the database is being opened since {seconds} s: its snapshot is mapped and the log behind it replayed"
            );
            return ("recovering", Some(reason));
        };
        match shared.database.wal().refusal() {
            Some(poisoned @ StorageError::Poisoned(_)) => ("poisoned", Some(poisoned.to_string())),
            _ => ("ready", None),
        }
    }
}

/// `GET /ready`: 200 when requests should be sent here, 503 with the reason when not.
pub(super) async fn ready(State(life): State<Arc<Life>>) -> (StatusCode, Json<serde_json::Value>) {
    let (stage, reason) = life.stage();
    let code = if reason.is_none() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let body = serde_json::json!({
        "ready": reason.is_none(),
        "stage": stage,
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
        let (stage, reason) = life.stage();
        assert_eq!(stage, "recovering");
        assert!(reason.is_some_and(|reason| reason.contains("replayed")));
        life.drains();
        assert_eq!(life.stage().0, "draining", "a start that is given up");
    }
}
