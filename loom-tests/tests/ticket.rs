//! A ticket that one task polled and another awaits: the flusher wakes the one that waits now, whenever the ticket changed hands,
//! and whether the disk works or the log is abandoned.
#![cfg(loom)]

use std::pin::Pin;
use std::task::{Context, Poll, Wake, Waker};

use loom::thread;
use loom_tests::{check, must_fail};
use stdx::{
    clock::ManualClock,
    sync::{Arc, Condvar, Mutex},
};
use storage::{CommitTicket, Directory, Error, Lsn, SyncPolicy, Wal, WalConfig, fs::SimFs};

#[derive(Clone, Copy, PartialEq)]
enum Await {
    Correct,
    /// A planted bug: the task that waits leaves the waker of the one that polled before.
    WithAnothersWaker,
}

#[derive(Clone, Copy, PartialEq)]
enum End {
    Closed,
    Abandoned,
}

/// What a runtime does for a task: sleeps until it is woken.
struct Task {
    woken: Mutex<bool>,
    wake: Condvar,
}

impl Wake for Task {
    fn wake(self: std::sync::Arc<Self>) {
        *self.woken.lock() = true;
        self.wake.notify_one();
    }
}

impl Task {
    fn new() -> std::sync::Arc<Self> {
        std::sync::Arc::new(Self { woken: Mutex::new(false), wake: Condvar::new() })
    }

    fn until_woken(&self) {
        let mut woken = self.woken.lock();
        while !*woken {
            woken = self.wake.wait(woken);
        }
        *woken = false;
    }
}

fn poll(ticket: &mut CommitTicket, waker: &Waker) -> Poll<Result<Lsn, Error>> {
    let done = Pin::new(ticket).poll(&mut Context::from_waker(waker));
    done.map(|done| done.map(|durable| durable.lsn))
}

/// Awaits `ticket`, which another task polled with `anothers` waker.
fn await_ticket(mut ticket: CommitTicket, anothers: &Waker, how: Await) -> Result<Lsn, Error> {
    let task = Task::new();
    let own = Waker::from(std::sync::Arc::clone(&task));
    let waker = if how == Await::Correct { &own } else { anothers };
    loop {
        match poll(&mut ticket, waker) {
            Poll::Ready(told) => return told,
            Poll::Pending => task.until_woken(),
        }
    }
}

/// A task that polls its ticket and hands it on, one that awaits it, and the real flusher.
fn race(how: Await, end: End) {
    check(move || {
        let config = WalConfig {
            sync: SyncPolicy::Always,
            threaded: false,
            segment_bytes: 8192,
            ..WalConfig::default()
        };
        let directory = Directory::open(SimFs::new(), 1).expect("an empty disk");
        let clock = std::sync::Arc::new(ManualClock::at(0));
        let opened = Wal::open(&directory, config, clock, &mut |_, _, _| Ok(()));
        let log = Arc::new(opened.expect("an empty directory").0);
        let flushing = {
            let log = Arc::clone(&log);
            thread::spawn(move || log.run())
        };
        let lsn = log.append(1, b"").expect("open");
        let first = Waker::from(Task::new());
        let mut ticket = log.ticket(lsn, None);
        let polled = poll(&mut ticket, &first);
        let waiting = {
            let first = first.clone();
            thread::spawn(move || await_ticket(ticket, &first, how))
        };
        if end == End::Abandoned {
            log.abandon();
        }
        let told = waiting.join().expect("the task is woken");
        assert!(end == End::Abandoned || told.is_ok(), "the disk works");
        if told.is_ok() || matches!(polled, Poll::Ready(Ok(_))) {
            assert!(log.durable_lsn() >= lsn, "told, hence synced");
        }
        log.abandon();
        flushing.join().expect("the flusher ends");
    });
}

#[test]
fn who_holds_the_ticket_is_woken() {
    race(Await::Correct, End::Closed);
}

#[test]
fn who_holds_the_ticket_of_an_abandoned_log_is_woken() {
    race(Await::Correct, End::Abandoned);
}

#[test]
#[ignore = "a planted bug"]
fn a_task_waits_with_anothers_waker() {
    race(Await::WithAnothersWaker, End::Closed);
}

#[test]
fn the_model_finds_a_task_that_waits_with_anothers_waker() {
    must_fail("a_task_waits_with_anothers_waker", "deadlock");
}
