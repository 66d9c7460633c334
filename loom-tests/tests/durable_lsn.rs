//! No wake-up is lost: a task that polls its position while the flusher publishes it is woken, whichever comes first; so is a
//! flusher that goes to sleep while somebody asks for a sync of what is already written.
#![cfg(loom)]

use std::task::{Poll, Wake, Waker};
use std::time::Duration;

use loom::thread;
use loom_tests::check;
use stdx::sync::{Arc, Condvar, Mutex};
use storage::{
    Lsn, SyncLevel,
    wal::{GroupCommit, Work},
};

#[derive(Clone, Copy, PartialEq)]
enum Publish {
    AndWake,
    /// A planted bug: who waits is not told.
    Silently,
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
    fn until_woken(&self) {
        let mut woken = self.woken.lock();
        while !*woken {
            woken = self.wake.wait(woken);
        }
        *woken = false;
    }
}

/// Awaits `lsn`, as the future of a ticket does.
fn await_durable(core: &GroupCommit, lsn: Lsn) {
    let task = std::sync::Arc::new(Task { woken: Mutex::new(false), wake: Condvar::new() });
    let waker = Waker::from(std::sync::Arc::clone(&task));
    let mut registered = None;
    loop {
        match core.poll(lsn, SyncLevel::Durable, &waker, &mut registered) {
            Poll::Ready(told) => return told.expect("the disk works"),
            Poll::Pending => task.until_woken(),
        }
    }
}

/// A flusher that syncs only when somebody asks for it.
fn flusher(core: &GroupCommit, publish: Publish) {
    let mut last = 0;
    loop {
        match core.wait_for_work(Duration::ZERO) {
            Work::Write => {
                let Some(taken) = core.take() else { continue };
                last = taken.first_lsn + u64::from(taken.count) - 1;
                core.wrote(last);
            }
            Work::Sync => match publish {
                Publish::AndWake => core.synced(last),
                Publish::Silently => core.synced_silently(last),
            },
            Work::Idle => {}
            Work::Close | Work::Stop => return,
        }
    }
}

/// One task that awaits its record, one thread that blocks on its own, and a flusher.
fn race(publish: Publish) {
    check(move || {
        let core = Arc::new(GroupCommit::new(Lsn(0), 1 << 20));
        let flushing = {
            let core = Arc::clone(&core);
            thread::spawn(move || flusher(&core, publish))
        };
        let blocking = {
            let core = Arc::clone(&core);
            thread::spawn(move || {
                let lsn = core.append(1, b"").expect("open");
                core.wait(lsn, SyncLevel::Written).expect("the disk works");
            })
        };
        let lsn = core.append(2, b"").expect("open");
        await_durable(&core, lsn);
        assert!(core.positions().2 >= lsn, "woken, hence synced");
        blocking.join().expect("the other one was woken too");
        core.close();
        flushing.join().expect("the flusher ends");
    });
}

#[test]
fn nobody_sleeps_through_what_they_wait_for() {
    race(Publish::AndWake);
}

#[test]
#[should_panic(expected = "deadlock")]
fn the_model_finds_a_position_published_without_waking() {
    race(Publish::Silently);
}
