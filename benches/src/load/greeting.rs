//! Is there what was named? Asked before anything is filled or measured, with little patience.

use std::time::Duration;

use super::{
    Error,
    bench::{Peer, Plan, runtime},
    peer::redis::Redis,
};

/// Longest wait for an answer to a greeting.
const PATIENCE: Duration = Duration::from_secs(5);

/// Greets the server, and the Redis that it is compared with.
pub(super) fn greet(plan: &Plan) -> Result<(), Error> {
    runtime()?.block_on(async {
        larder(plan).await?;
        match &plan.peer {
            Some(Peer::Redis(addr)) => Redis::greet(addr, PATIENCE).await,
            Some(Peer::Echo(_)) | None => Ok(()),
        }
    })
}

async fn larder(plan: &Plan) -> Result<(), Error> {
    let client = plan.caller.client(&plan.addr).retries(0).request_timeout(PATIENCE).build();
    match client.ping().await {
        Ok(()) => Ok(()),
        Err(client::Error::Connect { addr, reason }) => Err(Error::Failed(format!(
            "connect to {addr}: {reason}; is `larder serve` running there? --addr names the server, without it one is started"
        ))),
        Err(client::Error::Timeout { addr, .. }) => Err(Error::Failed(format!(
            "{addr} takes connections and does not answer within {PATIENCE:?}: is that a Larder server? --addr names it"
        ))),
        Err(other) => Err(other.into()),
    }
}
