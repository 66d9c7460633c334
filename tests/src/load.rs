//! Writers that keep a server busy until something happens to it, and the judgement afterwards.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use client::{Error, Receipt};
use stdx::{
    clock::{Clock, SystemClock},
    prng::Prng,
    sync::{Condvar, Mutex},
};

use crate::{
    binary,
    journal::{Journal, Promise, Settled, Write},
    sender::Sender,
    server::{self, Server},
    state,
};

/// How long a refused writer waits before it tries again.
const REFUSED_PAUSE: Duration = Duration::from_millis(5);
/// How often somebody who waits for a count looks.
const LOOK_AGAIN: Duration = Duration::from_millis(1);

/// Writers with their journals; they live across many runs of servers on one directory.
#[derive(Debug, Clone)]
pub struct Load {
    journals: Vec<Journal>,
    prngs: Vec<Prng>,
    note_bytes: usize,
    clock: Arc<SystemClock>,
    checkpoints: bool,
}

/// A load under way, as whoever disturbs it sees it.
#[derive(Debug)]
pub struct Running<'a> {
    clock: &'a SystemClock,
    /// Acknowledgements that count.
    acks: AtomicU64,
    /// Writes that were refused, certainly not applied.
    refusals: AtomicU64,
    /// From here on acknowledgements count no more.
    cut: AtomicBool,
    stop: AtomicBool,
    /// Writers at work.
    writers: Mutex<usize>,
    changed: Condvar,
}

/// What became of the writes of a load after a restart.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Verdict {
    /// Acknowledged writes that are not there.
    pub acked_lost: u64,
    /// When the first of them was acknowledged, in ns of the load's clock.
    pub first_lost_ns: Option<u64>,
}

impl Load {
    /// `writers` writers drawing from `seed`, with `keys` keys each and notes of about `note_bytes` bytes in their rows.
    #[must_use]
    pub fn new(seed: u64, writers: usize, keys: usize, note_bytes: usize) -> Self {
        let names: Vec<String> = (0..writers).map(|writer| format!("writer{writer}")).collect();
        Self {
            journals: names.iter().map(|name| Journal::new(name, keys)).collect(),
            prngs: names.iter().map(|name| Prng::stream(seed, name)).collect(),
            note_bytes,
            clock: Arc::new(SystemClock::new()),
            checkpoints: binary::knows("checkpoint"),
        }
    }

    /// Writes to the server at `addr` until `disturb` returns or every writer has stopped, because its last write is in
    /// doubt or nobody answers.
    ///
    /// # Panics
    /// When `disturb` does, or the server acknowledges what it did not take.
    pub fn run<T>(&mut self, addr: &str, disturb: impl FnOnce(&Running<'_>) -> T) -> T {
        let running = Running::new(&self.clock, self.journals.len());
        let (note_bytes, checkpoints) = (self.note_bytes, self.checkpoints);
        std::thread::scope(|scope| {
            for (journal, prng) in self.journals.iter_mut().zip(&mut self.prngs) {
                let running = &running;
                scope.spawn(move || {
                    let _left = Leaves(running);
                    running.write(addr, journal, prng, note_bytes);
                });
            }
            if checkpoints {
                scope.spawn(|| running.checkpoint(addr));
            }
            // Also when `disturb` panics: the scope waits for the writers.
            let _stops = Stops(&running);
            disturb(&running)
        })
    }

    /// Compares what `server` shows with every journal; sends again what is missing, which must count once, and some of
    /// what is there, which must not count again.
    ///
    /// # Errors
    /// What is wrong.
    pub fn judge(&mut self, server: &Server, promise: Promise) -> Result<Verdict, String> {
        let keys: Vec<String> = self.journals.iter().flat_map(|j| j.keys().to_vec()).collect();
        let there = state::read(server.addr(), &keys)?;
        let mut verdict = Verdict::default();
        for journal in &mut self.journals {
            let settled = journal.settle(&there, promise)?;
            let mut acked = settled.lost.iter().filter_map(|write| write.acked_at_ns);
            verdict.first_lost_ns = verdict.first_lost_ns.into_iter().chain(acked.clone()).min();
            verdict.acked_lost += acked.by_ref().count() as u64;
            send_again(server, journal, &settled, self.note_bytes)
                .map_err(|error| format!("{}: sent again: {error}", journal.writer()))?;
        }
        self.compare(server)
            .map_err(|error| format!("after sending again what was missing: {error}"))?;
        Ok(verdict)
    }

    /// As [`Load::judge`] where every acknowledged write must be there.
    ///
    /// # Panics
    /// With what is wrong.
    #[track_caller]
    pub fn must_have_everything(&mut self, server: &Server) {
        if let Err(error) = self.judge(server, Promise::Everything) {
            panic!("{error}\nthe server said: {}", server.errors());
        }
    }

    /// Compares what a server that still runs shows, without settling anything: every acknowledged write must be there.
    ///
    /// # Errors
    /// What is wrong.
    pub fn compare(&self, server: &Server) -> Result<(), String> {
        let keys: Vec<String> = self.journals.iter().flat_map(|j| j.keys().to_vec()).collect();
        let there = state::read(server.addr(), &keys)?;
        self.journals.iter().try_for_each(|journal| journal.compare(&there))
    }
}

fn send_again(
    server: &Server,
    journal: &mut Journal,
    settled: &Settled,
    note_bytes: usize,
) -> Result<(), String> {
    let sender = Sender::connect(server.addr(), journal.writer(), note_bytes);
    let sender = sender.map_err(|error| error.to_string())?;
    let again = |sender: &Sender, write: &Write, repeated: bool| {
        let receipt: Receipt = sender.send(write).map_err(|error| error.to_string())?;
        if receipt.repeated == repeated {
            return Ok(());
        }
        Err(format!("{write:?} should say repeated={repeated}: {receipt:?}"))
    };
    settled.kept.iter().try_for_each(|write| again(&sender, write, true))?;
    let Some((last, lost)) = settled.lost.split_last() else { return Ok(()) };
    lost.iter().try_for_each(|write| again(&sender, write, false))?;
    // What is durable makes everything before it durable, whatever the server's policy is.
    again(&sender.durable(), last, false)?;
    settled.lost.iter().for_each(|write| journal.repaired(write));
    Ok(())
}

impl<'a> Running<'a> {
    fn new(clock: &'a SystemClock, writers: usize) -> Self {
        Self {
            clock,
            acks: AtomicU64::new(0),
            refusals: AtomicU64::new(0),
            cut: AtomicBool::new(false),
            stop: AtomicBool::new(false),
            writers: Mutex::new(writers),
            changed: Condvar::new(),
        }
    }

    /// Acknowledgements so far.
    pub fn acks(&self) -> u64 {
        self.acks.load(Ordering::SeqCst)
    }

    /// Writes refused so far.
    pub fn refusals(&self) -> u64 {
        self.refusals.load(Ordering::SeqCst)
    }

    /// True when every writer has stopped.
    pub fn is_over(&self) -> bool {
        *self.writers.lock() == 0
    }

    /// From here on an acknowledgement does not count: whatever happens next races with it. Returns the time, in ns of the
    /// load's clock.
    pub fn cut(&self) -> u64 {
        self.cut.store(true, Ordering::SeqCst);
        self.clock.mono_ns()
    }

    /// Lets the load run for `ms` ms, or until no writer is left.
    pub fn run_for(&self, ms: u64) {
        self.wait_until(ms, || false);
    }

    /// Lets the load run until `condition`, looking again and again; false when `ms` ms pass or no writer is left before.
    pub fn wait_until(&self, ms: u64, condition: impl Fn() -> bool) -> bool {
        let end = self.clock.mono_ns() + ms * 1_000_000;
        let mut writers = self.writers.lock();
        while !condition() {
            let left = Duration::from_nanos(end.saturating_sub(self.clock.mono_ns()));
            if left.is_zero() || *writers == 0 {
                return false;
            }
            writers = self.changed.wait_timeout(writers, left.min(LOOK_AGAIN));
        }
        true
    }

    fn write(&self, addr: &str, journal: &mut Journal, prng: &mut Prng, note_bytes: usize) {
        // A server that was killed before it could say hello.
        let Ok(sender) = Sender::connect(addr, journal.writer(), note_bytes) else { return };
        while !self.stop.load(Ordering::SeqCst) {
            let write = journal.send(prng);
            match sender.send(&write) {
                Ok(receipt) => {
                    assert!(!receipt.repeated, "{write:?} was never sent before: {receipt:?}");
                    if self.cut.load(Ordering::SeqCst) {
                        return;
                    }
                    journal.acked(self.clock.mono_ns());
                    self.acks.fetch_add(1, Ordering::SeqCst);
                }
                Err(error) if error.may_be_applied() => return,
                Err(Error::Operator(_) | Error::Retry(_)) => {
                    journal.refused();
                    self.refusals.fetch_add(1, Ordering::SeqCst);
                    let writers = self.writers.lock();
                    let _writers = self.changed.wait_timeout(writers, REFUSED_PAUSE);
                }
                Err(Error::Connect { .. }) => {
                    journal.refused();
                    return;
                }
                Err(error) => panic!("{write:?}: {error}"),
            }
        }
    }

    /// Asks for checkpoints, one after the other.
    fn checkpoint(&self, addr: &str) {
        while !self.stop.load(Ordering::SeqCst) && *self.writers.lock() > 0 {
            // A server that is killed meanwhile fails it; whether checkpoints work is not the question here.
            let _output = server::run(addr, &["checkpoint", "--addr", addr]);
        }
    }
}

/// Tells a load to stop when it goes out of scope.
struct Stops<'a>(&'a Running<'a>);

impl Drop for Stops<'_> {
    fn drop(&mut self) {
        self.0.stop.store(true, Ordering::SeqCst);
        self.0.changed.notify_all();
    }
}

/// Tells a load that a writer is gone, however it went.
struct Leaves<'a>(&'a Running<'a>);

impl Drop for Leaves<'_> {
    fn drop(&mut self) {
        *self.0.writers.lock() -= 1;
        self.0.changed.notify_all();
    }
}
