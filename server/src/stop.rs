//! The end of a server, as its connections wait for it: ready once it stops. Cheap to poll again: it asks to be woken once, and
//! afterwards only looks whether there is news. News stay news: between the new value and the wake-up `told` does not know of it yet, and must be asked again when it is woken.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::sync::watch;

/// See the module.
pub(crate) struct Stop {
    seen: watch::Receiver<bool>,
    told: Pin<Box<dyn Future<Output = ()> + Send>>,
    is_registered: bool,
}

impl Stop {
    /// Of the server that says so by `stop`.
    pub(crate) fn new(mut stop: watch::Receiver<bool>) -> Self {
        let seen = stop.clone();
        let told = Box::pin(async move {
            let _sender_is_gone = stop.wait_for(|stop| *stop).await;
        });
        Self { seen, told, is_registered: false }
    }
}

impl Future for Stop {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let is_news = self.seen.has_changed().unwrap_or(true);
        if self.is_registered && !is_news {
            return Poll::Pending;
        }
        self.is_registered = true;
        self.told.as_mut().poll(context)
    }
}
