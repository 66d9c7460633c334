//! Accepts connections, which are then dealt out to the network threads: `seats`.

use std::sync::Arc;

use stdx::clock::Clock;
use tokio::{net::TcpListener, sync::watch};

use super::{
    refusal::{Refusals, refusal},
    throttle::Throttle,
};
use crate::{seats::Guest, shared::Shared};

/// After a failed accept: long enough not to spin, short enough that nobody notices.
const PAUSE: std::time::Duration = std::time::Duration::from_millis(10);

/// Runs until told to stop.
pub(crate) async fn accept(
    listener: std::net::TcpListener,
    shared: Arc<Shared>,
    mut stop: watch::Receiver<bool>,
) {
    let listener = match TcpListener::from_std(listener) {
        Ok(listener) => listener,
        Err(error) => return tracing::error!(%error, "connections cannot be accepted"),
    };
    let (refusals, lost) = (Refusals::default(), Throttle::default());
    loop {
        let accepted = tokio::select! {
            _ = stop.wait_for(|stop| *stop) => return,
            accepted = listener.accept() => accepted,
        };
        let (stream, addr) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                // Out of descriptors, or the peer is gone already: others may still be served.
                if let Some(more) = lost.pass(shared.clock.mono_ns()) {
                    tracing::warn!(%error, more, "a connection could not be accepted");
                }
                tokio::time::sleep(PAUSE).await;
                continue;
            }
        };
        let place = match shared.connections.enter(addr, shared.clock.mono_ns()) {
            Ok(place) => place,
            Err(full) => {
                shared.load.refused();
                refusals.tell(stream, || refusal(full));
                continue;
            }
        };
        let Ok(stream) = stream.into_std() else { continue };
        if shared.seats.receive(Guest::New { stream, addr, place }).await.is_err() {
            return;
        }
    }
}
