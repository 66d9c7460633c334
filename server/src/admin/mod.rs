//! The HTTP port for operators, on a thread and runtime of its own: it shares no queue with the data port.

mod health;

use std::sync::Arc;

use axum::{Router, routing::get};
use tokio::{net::TcpListener, sync::watch};

use crate::shared::Shared;

/// Serves the admin port until `stop` says so. Runs on a runtime of its own.
pub(crate) async fn serve(
    listener: std::net::TcpListener,
    shared: Arc<Shared>,
    mut stop: watch::Receiver<bool>,
) {
    let drain = shared.drain;
    let router = Router::new().route("/health", get(health::health)).with_state(shared);
    let listener = match TcpListener::from_std(listener) {
        Ok(listener) => listener,
        Err(error) => return tracing::error!(%error, "the admin port cannot be served"),
    };
    let mut cut = stop.clone();
    let stopped = async move {
        // An error means that the server is gone: stop as well.
        let _ = stop.wait_for(|stop| *stop).await;
    };
    let cut = async move {
        let _ = cut.wait_for(|stop| *stop).await;
        tokio::time::sleep(drain).await;
    };
    tokio::select! {
        served = axum::serve(listener, router).with_graceful_shutdown(stopped).into_future() => {
            if let Err(error) = served {
                tracing::error!(%error, "the admin port stopped");
            }
        }
        // A peer that never finishes its request does not hold up the end of the server.
        () = cut => tracing::warn!("connections of the admin port were cut"),
    }
}
