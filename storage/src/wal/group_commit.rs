//! Group commit without files: who has appended, what is written, what is synced, who waits.
//!
//! Writers append to one buffer; the flusher takes all of it at once, writes and syncs it, and publishes how far it came.
//! Every lock here comes from `stdx::sync`, so that `loom-tests` can try all interleavings.
//!
//! ```text
//! writers ──append──► buffer ──take──► flusher: write, sync ──written/synced──► waiters whose position is covered
//!                                               └── failed ──► poisoned: nobody is told OK any more
//! ```

use std::task::{Poll, Waker};
use std::time::Duration;

use stdx::sync::{Condvar, Mutex};

use super::{batch, sync_policy::SyncLevel};
use crate::{Error, Lsn};

/// What the flusher took: the records of one batch.
#[derive(Debug)]
pub struct Taken {
    /// Number of the first record.
    pub first_lsn: u64,
    /// Records.
    pub count: u32,
    /// Their bytes, as in a batch.
    pub records: Vec<u8>,
    /// Newest record that was synced when this was taken.
    pub durable_before: u64,
}

/// What the flusher is asked to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Work {
    /// Records wait to be written.
    Write,
    /// Nothing to write, but somebody waits for a sync of what is written.
    Sync,
    /// Nothing happened for the time given.
    Idle,
    /// The log is being closed and everything was taken.
    Close,
    /// The log was abandoned or poisoned: stop without another byte.
    Stop,
}

#[derive(Debug)]
struct Waiter {
    lsn: u64,
    level: SyncLevel,
    waker: Waker,
}

#[derive(Debug, Default)]
struct State {
    records: Vec<u8>,
    count: u32,
    appended: u64,
    written: u64,
    durable: u64,
    /// Newest record for which a sync was asked.
    sync_wanted: u64,
    poisoned: Option<std::sync::Arc<str>>,
    /// The disk is full, and what is missing: writes are refused.
    full: Option<String>,
    /// What was appended before that could not be written: it waits for space.
    stalled: bool,
    closing: bool,
    abandoned: bool,
    waiters: Vec<Waiter>,
}

impl State {
    fn refuse(&self) -> Result<(), Error> {
        match (&self.poisoned, &self.full) {
            (Some(why), _) => Err(Error::Poisoned(std::sync::Arc::clone(why))),
            (None, Some(why)) => Err(refused(why)),
            (None, None) if self.closing || self.abandoned => Err(Error::Closed),
            (None, None) => Ok(()),
        }
    }

    /// Whether position `lsn` is as safe as `level`.
    fn reached(&self, lsn: u64, level: SyncLevel) -> bool {
        match level {
            SyncLevel::Memory => true,
            SyncLevel::Written => lsn <= self.written,
            SyncLevel::Durable => lsn <= self.durable,
        }
    }

    /// The answer to a waiter, when there is one. What was reached before a failure stays reached.
    fn answer(&self, lsn: u64, level: SyncLevel) -> Option<Result<(), Error>> {
        if self.reached(lsn, level) {
            return Some(Ok(()));
        }
        match &self.poisoned {
            Some(why) => Some(Err(Error::Poisoned(std::sync::Arc::clone(why)))),
            None => self.abandoned.then_some(Err(Error::Closed)),
        }
    }

    /// Everything up to `lsn` is on the disk, unless something had failed before.
    fn reach(&mut self, lsn: u64) {
        if self.poisoned.is_none() {
            self.written = self.written.max(lsn);
            self.durable = self.durable.max(lsn);
        }
    }

    /// Those who have an answer now.
    fn answered(&mut self) -> Vec<Waker> {
        let waiters = std::mem::take(&mut self.waiters);
        let (ready, pending): (Vec<_>, Vec<_>) =
            waiters.into_iter().partition(|waiter| self.answer(waiter.lsn, waiter.level).is_some());
        self.waiters = pending;
        ready.into_iter().map(|waiter| waiter.waker).collect()
    }
}

/// One batch never grows beyond this, however many writers had been given room at the same time: its length has 32 bits.
const BATCH_BYTES_MAX: usize = 1 << 30;

/// See the module.
#[derive(Debug)]
pub struct GroupCommit {
    state: Mutex<State>,
    /// The flusher waits here.
    work: Condvar,
    /// Writers wait here: for room, or for their position.
    progress: Condvar,
    buffer_bytes_max: usize,
}

impl GroupCommit {
    /// A log that ends at `last`, all of it synced. Writers are held back while `buffer_bytes_max` bytes wait.
    #[must_use]
    pub fn new(last: Lsn, buffer_bytes_max: usize) -> Self {
        let state =
            State { appended: last.0, written: last.0, durable: last.0, ..State::default() };
        Self {
            state: Mutex::new(state),
            work: Condvar::new(),
            progress: Condvar::new(),
            buffer_bytes_max,
        }
    }

    /// Waits until there is room in the buffer. Call it before taking any lock: [`GroupCommit::append`] never waits. Every
    /// writer that was let through may append one record, so the buffer exceeds its bound by at most one record a writer.
    ///
    /// # Errors
    /// [`Error::Poisoned`], [`Error::Full`], [`Error::Closed`].
    pub fn reserve(&self) -> Result<(), Error> {
        let mut state = self.state.lock();
        loop {
            state.refuse()?;
            if state.records.len() < self.buffer_bytes_max {
                return Ok(());
            }
            state = self.progress.wait(state);
        }
    }

    /// Appends a record and returns its number.
    ///
    /// # Errors
    /// [`Error::Poisoned`], [`Error::Closed`], [`Error::TooLarge`]: it was not appended.
    pub fn append(&self, kind: u8, payload: &[u8]) -> Result<Lsn, Error> {
        let mut state = self.state.lock();
        match state.refuse() {
            // There was room when it was reserved: the record waits until there is again.
            Ok(()) | Err(Error::Full(_)) => {}
            Err(error) => return Err(error),
        }
        let max = BATCH_BYTES_MAX.saturating_sub(state.records.len());
        if payload.len() >= max {
            return Err(Error::TooLarge { bytes: payload.len(), max });
        }
        let was_empty = state.count == 0;
        batch::push_record(&mut state.records, kind, payload);
        state.count += 1;
        state.appended += 1;
        let lsn = Lsn(state.appended);
        drop(state);
        if was_empty {
            self.work.notify_one();
        }
        Ok(lsn)
    }

    /// Gives the next record its number without keeping it: the log of a server without a log.
    pub fn append_nowhere(&self) -> Lsn {
        let mut state = self.state.lock();
        state.appended += 1;
        Lsn(state.appended)
    }

    /// Waits for work, at most `patience`.
    pub fn wait_for_work(&self, patience: Duration) -> Work {
        let mut state = self.state.lock();
        let mut waited = false;
        loop {
            if state.abandoned || state.poisoned.is_some() {
                return Work::Stop;
            }
            // What waits for space is tried again after a while, and at the latest when the log is being closed.
            if state.count > 0 && (!state.stalled || waited || state.closing) {
                return Work::Write;
            }
            if state.sync_wanted > state.durable && state.written > state.durable {
                return Work::Sync;
            }
            if state.closing {
                return Work::Close;
            }
            if waited {
                return Work::Idle;
            }
            state = self.work.wait_timeout(state, patience);
            waited = true;
        }
    }

    /// Takes everything that was appended; `None` when nothing was.
    pub fn take(&self) -> Option<Taken> {
        let mut state = self.state.lock();
        if state.count == 0 {
            return None;
        }
        let count = std::mem::take(&mut state.count);
        let records = std::mem::take(&mut state.records);
        let taken = Taken {
            first_lsn: state.appended + 1 - u64::from(count),
            count,
            records,
            durable_before: state.durable,
        };
        drop(state);
        self.progress.notify_all();
        Some(taken)
    }

    /// Puts back what was taken and could not be written because the disk is full, as `why` says.
    pub fn put_back(&self, taken: Taken, why: &str) {
        self.publish(|state| {
            let mut records = taken.records;
            records.append(&mut state.records);
            state.records = records;
            state.count += taken.count;
            state.full = Some(why.to_owned());
            state.stalled = true;
        });
    }

    /// The disk is too full for what comes after the records that have room already: new ones are refused.
    pub fn refuse_more(&self, why: &str) {
        self.publish(|state| state.full = Some(why.to_owned()));
    }

    /// There is space again.
    pub fn space_returned(&self) {
        self.publish(|state| state.full = None);
    }

    /// Everything up to `lsn` was handed to the operating system.
    pub fn wrote(&self, lsn: u64) {
        self.publish(|state| {
            state.stalled = false;
            if state.poisoned.is_none() {
                state.written = state.written.max(lsn);
            }
        });
    }

    /// Everything up to `lsn` is on the disk.
    pub fn synced(&self, lsn: u64) {
        self.publish(|state| state.reach(lsn));
    }

    /// A planted bug for the models: publishes without waking anybody.
    #[cfg(loom)]
    pub fn synced_silently(&self, lsn: u64) {
        self.state.lock().reach(lsn);
    }

    /// A write or sync failed: nothing that was not acknowledged by now ever is.
    pub fn poison(&self, why: &str) {
        self.publish(|state| {
            state.poisoned.get_or_insert_with(|| why.into());
        });
        self.work.notify_all();
    }

    /// Takes no more records; the flusher writes what there is.
    pub fn close(&self) {
        self.publish(|state| state.closing = true);
        self.work.notify_all();
    }

    /// Stops as a killed process does: what was not written is gone.
    pub fn abandon(&self) {
        self.publish(|state| state.abandoned = true);
        self.work.notify_all();
    }

    /// Changes the state, then wakes everybody who waits for it. Wakers run foreign code: never under the lock.
    fn publish(&self, change: impl FnOnce(&mut State)) {
        let mut state = self.state.lock();
        change(&mut state);
        let answered = state.answered();
        drop(state);
        self.progress.notify_all();
        answered.into_iter().for_each(Waker::wake);
    }

    /// True once no more records are taken.
    pub(super) fn is_closing(&self) -> bool {
        self.state.lock().closing
    }

    /// True once the log was told to stop as a killed process does.
    pub(super) fn is_abandoned(&self) -> bool {
        self.state.lock().abandoned
    }

    /// Waits until `lsn` is as safe as `level`.
    ///
    /// # Errors
    /// [`Error::Poisoned`], [`Error::Closed`]: it is not known to be.
    pub fn wait(&self, lsn: Lsn, level: SyncLevel) -> Result<(), Error> {
        let mut state = self.state.lock();
        loop {
            if let Some(answer) = state.answer(lsn.0, level) {
                return answer;
            }
            self.want(&mut state, lsn, level);
            state = self.progress.wait(state);
        }
    }

    /// As [`GroupCommit::wait`], but not for space: whoever waits may hold the very space that is missing.
    ///
    /// # Errors
    /// As [`GroupCommit::wait`], and [`Error::Full`].
    pub fn wait_unless_full(&self, lsn: Lsn, level: SyncLevel) -> Result<(), Error> {
        let mut state = self.state.lock();
        loop {
            if let Some(answer) = state.answer(lsn.0, level) {
                return answer;
            }
            if let Some(why) = state.full.as_ref().filter(|_| state.stalled) {
                return Err(refused(why));
            }
            self.want(&mut state, lsn, level);
            state = self.progress.wait(state);
        }
    }

    /// As [`GroupCommit::wait`], for tasks: `waker` is woken when there is an answer. `registered` is the caller's memory of
    /// the last waker given for this position.
    pub fn poll(
        &self,
        lsn: Lsn,
        level: SyncLevel,
        waker: &Waker,
        registered: &mut Option<Waker>,
    ) -> Poll<Result<(), Error>> {
        let mut state = self.state.lock();
        if let Some(answer) = state.answer(lsn.0, level) {
            return Poll::Ready(answer);
        }
        self.want(&mut state, lsn, level);
        if !registered.as_ref().is_some_and(|known| known.will_wake(waker)) {
            state.waiters.push(Waiter { lsn: lsn.0, level, waker: waker.clone() });
            *registered = Some(waker.clone());
        }
        Poll::Pending
    }

    /// The answer to who waits for `lsn`, when there is one already. A sync that it needs is asked for.
    #[must_use]
    pub fn try_answer(&self, lsn: Lsn, level: SyncLevel) -> Option<Result<(), Error>> {
        let mut state = self.state.lock();
        let answer = state.answer(lsn.0, level);
        if answer.is_none() {
            self.want(&mut state, lsn, level);
        }
        answer
    }

    fn want(&self, state: &mut State, lsn: Lsn, level: SyncLevel) {
        if level == SyncLevel::Durable && state.sync_wanted < lsn.0 {
            state.sync_wanted = lsn.0;
            self.work.notify_one();
        }
    }

    /// Newest record appended, written, synced.
    #[must_use]
    pub fn positions(&self) -> (Lsn, Lsn, Lsn) {
        let state = self.state.lock();
        (Lsn(state.appended), Lsn(state.written), Lsn(state.durable))
    }

    /// True when somebody waits for a sync of what is already written.
    #[must_use]
    pub fn wants_sync(&self) -> bool {
        let state = self.state.lock();
        state.sync_wanted > state.durable
    }

    /// Why writes are refused just now, if so.
    #[must_use]
    pub fn refusal(&self) -> Option<Error> {
        self.state.lock().refuse().err()
    }

    /// Why nothing is acknowledged any more, if so.
    #[must_use]
    pub fn poisoned(&self) -> Option<std::sync::Arc<str>> {
        self.state.lock().poisoned.clone()
    }
}

/// What a writer is told while the disk is full.
fn refused(why: &str) -> Error {
    Error::Full(format!("{why}; writes are refused until space returns, reads go on"))
}
