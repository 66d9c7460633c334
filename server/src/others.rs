//! Answers that leave together: all who have something to say are heard before the first of them is answered.
//!
//! ```text
//! one after the other   hear a, send a, hear b, send b, hear c, send c      each send may wake a peer that sleeps again
//! together              hear a, hear b, hear c, send a, send b, send c      the first does
//! ```
//!
//! Sending to a peer on this machine that sleeps wakes it: another core has to be told, which costs the sender as much as the rest of
//! the sending. So it is where one thread of the peer's has several connections; where each has a thread of its own, all are woken either
//! way. Measured in `docs/decisions/0014-answers-that-leave-together.md`.

use std::{future::poll_fn, mem, task::Poll};

/// Lets all tasks of the thread that are ready now have their turn before this one goes on.
pub(crate) async fn first() {
    let mut waited = false;
    poll_fn(|context| {
        if mem::replace(&mut waited, true) {
            return Poll::Ready(());
        }
        // To the end of the run queue; `yield_now` would ask the kernel for news first.
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use tokio::task::JoinSet;

    use super::*;

    #[tokio::test]
    async fn all_are_heard_before_the_first_is_answered() {
        let said = Arc::new(Mutex::new(String::new()));
        let mut tasks = JoinSet::new();
        for name in ["a", "b", "c"] {
            let said = Arc::clone(&said);
            tasks.spawn(async move {
                said.lock().expect("nobody panics").push_str(name);
                first().await;
                said.lock().expect("nobody panics").push_str(&name.to_uppercase());
            });
        }
        while tasks.join_next().await.is_some() {}
        assert_eq!(*said.lock().expect("nobody panics"), "abcABC");
    }
}
