//! The numbers of a client's writes: given out in order, never further apart than the server remembers.
//!
//! A server remembers what the last [`PRODUCER_SEQUENCES_MAX`] sequences of a producer did. A write that is still being
//! retried must stay among them, so the next number waits until the oldest open one is done.

use std::collections::BTreeSet;

use model::limits::PRODUCER_SEQUENCES_MAX;
use stdx::sync::Mutex;
use tokio::sync::Notify;

/// Most numbers between the oldest open write and the newest.
const WINDOW: u64 = PRODUCER_SEQUENCES_MAX as u64 / 2;

/// The sequences of one producer.
pub(crate) struct Sequences {
    state: Mutex<State>,
    done: Notify,
}

struct State {
    next: u64,
    open: BTreeSet<u64>,
}

/// A number in use; dropping it ends its write.
pub(crate) struct Sequence<'a> {
    number: u64,
    owner: &'a Sequences,
}

impl Sequences {
    pub(crate) fn starting_at(first: u64) -> Self {
        Self {
            state: Mutex::new(State { next: first, open: BTreeSet::new() }),
            done: Notify::new(),
        }
    }

    /// The next number, once the window allows it.
    pub(crate) async fn next(&self) -> Sequence<'_> {
        loop {
            // Registered before the check, so that a write ending in between is not missed.
            let mut done = std::pin::pin!(self.done.notified());
            done.as_mut().enable();
            if let Some(number) = self.state.lock().take() {
                return Sequence { number, owner: self };
            }
            done.await;
        }
    }
}

impl State {
    fn take(&mut self) -> Option<u64> {
        let number = self.next;
        if self.open.first().is_some_and(|oldest| number - oldest >= WINDOW) {
            return None;
        }
        self.next += 1;
        self.open.insert(number);
        Some(number)
    }
}

impl Sequence<'_> {
    pub(crate) fn number(&self) -> u64 {
        self.number
    }
}

impl Drop for Sequence<'_> {
    fn drop(&mut self) {
        self.owner.state.lock().open.remove(&self.number);
        self.owner.done.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_stuck_write_holds_the_window_until_it_is_done() {
        let sequences = Sequences::starting_at(1);
        let stuck = sequences.next().await;
        for expected in 2..=WINDOW {
            assert_eq!(sequences.next().await.number(), expected);
        }
        let mut blocked = std::pin::pin!(sequences.next());
        let waiting = tokio::select! {
            biased;
            _ = &mut blocked => false,
            () = std::future::ready(()) => true,
        };
        assert!(waiting, "sequence {} is still open", stuck.number());
        drop(stuck);
        assert_eq!(blocked.await.number(), WINDOW + 1);
    }
}
