//! How a peer stands with the policy: what one that has not said who it is may send, and how long it may take. Whoever was known and is
//! not in the policy any more is one of those, from the moment that the policy changes, also when it asks for nothing.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use model::limits::UNAUTHENTICATED_BYTES_MAX;
use tokio::{sync::watch, time::Sleep};

use crate::{session::Session, shared::Shared};

/// A peer's standing. Without a policy there are no strangers, and nothing is looked at.
pub(crate) struct Standing {
    /// Another policy is in force, or a token has ended; `None` without a policy.
    news: Option<News>,
    /// It is nobody that the policy knows, so far.
    stranger: Option<Stranger>,
    /// Requests of the peer that are not answered.
    awaited: usize,
}

struct Stranger {
    /// Ready when its time is over.
    patience: Pin<Box<Sleep>>,
    /// What it has sent.
    bytes: usize,
    /// The policy knew it once.
    was_known: bool,
}

impl Stranger {
    fn new(shared: &Shared, was_known: bool) -> Self {
        let patience = Box::pin(tokio::time::sleep(shared.hello_within));
        Self { patience, bytes: 0, was_known }
    }
}

impl Standing {
    /// Of a new peer.
    pub(crate) fn new(shared: &Shared, session: &mut Session) -> Self {
        let Some(access) = &shared.access else {
            return Self { news: None, stranger: None, awaited: 0 };
        };
        // First: what changes from here on is news.
        let news = Some(News::new(access.news()));
        let is_known = session.caller.is_known_by_certificate(shared);
        Self { news, stranger: (!is_known).then(|| Stranger::new(shared, false)), awaited: 0 }
    }

    /// It is nobody that the policy knows, so far, and a timer of this thread runs.
    pub(crate) fn is_strange(&self) -> bool {
        self.stranger.is_some()
    }

    /// The peer has sent so many bytes.
    pub(crate) fn heard(&mut self, bytes: usize) {
        if let Some(stranger) = &mut self.stranger {
            stranger.bytes += bytes;
        }
    }

    /// True when a stranger has sent more than it may; `awaited` requests of its are not answered. Once it is known who it is, there is no
    /// stranger any more, until it is not.
    pub(crate) fn is_too_loud(
        &mut self,
        shared: &Shared,
        session: &Session,
        awaited: usize,
    ) -> bool {
        self.awaited = awaited;
        self.settle(shared, session);
        self.stranger.as_ref().is_some_and(|it| it.bytes > UNAUTHENTICATED_BYTES_MAX)
    }

    /// Ready when a stranger's time is over; what it asked for while it was known is answered first.
    pub(crate) fn poll_late(
        &mut self,
        context: &mut Context<'_>,
        shared: &Shared,
        session: &mut Session,
    ) -> Poll<()> {
        let Some(news) = &mut self.news else { return Poll::Pending };
        if news.poll(context) {
            session.caller.look_again(shared);
            self.settle(shared, session);
        }
        match &mut self.stranger {
            Some(stranger) if self.awaited == 0 => stranger.patience.as_mut().poll(context),
            Some(_) | None => Poll::Pending,
        }
    }

    fn settle(&mut self, shared: &Shared, session: &Session) {
        if self.news.is_none() {
            return;
        }
        if session.caller.subject().is_some() {
            self.stranger = None;
        } else if self.stranger.is_none() {
            self.stranger = Some(Stranger::new(shared, true));
        }
    }

    /// What one that sent too much is told.
    pub(crate) fn loud() -> String {
        format!("say hello first: who has not may send {UNAUTHENTICATED_BYTES_MAX} bytes")
    }

    /// What one that took too long is told.
    pub(crate) fn late(&self, shared: &Shared) -> String {
        let within = shared.hello_within;
        if self.stranger.as_ref().is_some_and(|stranger| stranger.was_known) {
            return format!(
                "whoever asked is not known to the access policy (any more), and nobody else said hello within {within:?}"
            );
        }
        format!("nobody said within {within:?} who asks: say hello with a token")
    }
}

/// News, as a connection waits for them.
struct News {
    seen: watch::Receiver<u64>,
    told: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
}

impl News {
    fn new(seen: watch::Receiver<u64>) -> Self {
        Self { seen, told: None }
    }

    /// True when there are some; the task is woken once there are more.
    fn poll(&mut self, context: &mut Context<'_>) -> bool {
        let mut is_news = false;
        loop {
            let told = self.told.get_or_insert_with(|| next(self.seen.clone()));
            // Each time: it may have been woken for news that were seen already, and then waits for the next only when it is polled.
            if told.as_mut().poll(context).is_pending() {
                return is_news;
            }
            self.told = None;
            self.seen.mark_unchanged();
            is_news = true;
        }
    }
}

/// Ready when there is something that `seen` has not seen.
fn next(mut seen: watch::Receiver<u64>) -> Pin<Box<dyn Future<Output = ()> + Send>> {
    Box::pin(async move {
        if seen.changed().await.is_err() {
            // The server is gone, and with it whoever could have news.
            std::future::pending::<()>().await;
        }
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
    use std::task::{Wake, Waker};

    use super::*;

    /// Says that a task was woken.
    #[derive(Default)]
    struct Flag(AtomicBool);

    impl Wake for Flag {
        fn wake(self: Arc<Self>) {
            self.0.store(true, Ordering::SeqCst);
        }
    }

    /// What broke: news are counted first and told then; a connection that was looking in between was woken for what it had seen
    /// already, and not for the next.
    #[test]
    fn whoever_looks_while_news_are_told_hears_of_the_next_ones_too() {
        const ROUNDS: u64 = 2_000;
        let (sender, woken) = (watch::Sender::new(0), Arc::new(Flag::default()));
        let (is_busy, is_idle) = (AtomicBool::new(false), AtomicBool::new(true));
        let (seen, is_over) = (AtomicU64::new(0), AtomicBool::new(false));
        let mut news = News::new(sender.subscribe());
        let looks = || {
            let waker = Waker::from(Arc::clone(&woken));
            let mut context = Context::from_waker(&waker);
            news.poll(&mut context);
            while !is_over.load(Ordering::SeqCst) {
                let is_busy = is_busy.load(Ordering::SeqCst);
                if !is_busy && !woken.0.swap(false, Ordering::SeqCst) {
                    is_idle.store(true, Ordering::SeqCst);
                    std::thread::yield_now();
                    continue;
                }
                is_idle.store(false, Ordering::SeqCst);
                if news.poll(&mut context) {
                    seen.store(*news.seen.borrow(), Ordering::SeqCst);
                }
            }
        };
        // So long that a thread which is not woken is not merely slow.
        let waits = |condition: &dyn Fn() -> bool| {
            (0..10_000_000).any(|_| {
                condition() || {
                    std::thread::yield_now();
                    false
                }
            })
        };
        std::thread::scope(|scope| {
            scope.spawn(looks);
            let mut heard = true;
            for round in 1..=ROUNDS {
                is_busy.store(true, Ordering::SeqCst);
                waits(&|| !is_idle.load(Ordering::SeqCst));
                sender.send_replace(2 * round - 1);
                waits(&|| seen.load(Ordering::SeqCst) == 2 * round - 1);
                is_busy.store(false, Ordering::SeqCst);
                waits(&|| is_idle.load(Ordering::SeqCst));
                sender.send_replace(2 * round);
                heard = waits(&|| seen.load(Ordering::SeqCst) == 2 * round);
                if !heard {
                    break;
                }
            }
            is_over.store(true, Ordering::SeqCst);
            assert!(heard, "it was not woken");
        });
    }
}
