//! A peer that has not said who it is: what it may send, and how long it may take.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use model::limits::UNAUTHENTICATED_BYTES_MAX;
use tokio::time::Sleep;

use crate::{session::Session, shared::Shared};

/// See the module. There are none without a policy.
pub(crate) struct Stranger {
    /// Ready when its time is over.
    patience: Pin<Box<Sleep>>,
    /// What it has sent.
    pub(crate) bytes: usize,
}

impl Stranger {
    /// A new peer of a server that wants to know who asks.
    pub(crate) fn new(shared: &Shared, session: &mut Session) -> Option<Self> {
        shared.access.as_ref()?;
        if session.caller.is_known_by_certificate(shared) {
            return None;
        }
        Some(Self { patience: Box::pin(tokio::time::sleep(shared.hello_within)), bytes: 0 })
    }

    /// True when it has sent more than it may. Once it is known who it is, there is no stranger any more.
    pub(crate) fn is_too_loud(stranger: &mut Option<Self>, session: &Session) -> bool {
        let Some(Self { bytes, .. }) = stranger else { return false };
        if session.caller.subject().is_none() {
            return *bytes > UNAUTHENTICATED_BYTES_MAX;
        }
        *stranger = None;
        false
    }

    /// Ready when its time is over.
    pub(crate) fn poll_late(stranger: &mut Option<Self>, context: &mut Context<'_>) -> Poll<()> {
        match stranger {
            Some(stranger) => stranger.patience.as_mut().poll(context),
            None => Poll::Pending,
        }
    }

    /// What one that sent too much is told.
    pub(crate) fn loud() -> String {
        format!("say hello first: who has not may send {UNAUTHENTICATED_BYTES_MAX} bytes")
    }

    /// What one that took too long is told.
    pub(crate) fn late(shared: &Shared) -> String {
        format!("nobody said within {:?} who asks: say hello with a token", shared.hello_within)
    }
}
