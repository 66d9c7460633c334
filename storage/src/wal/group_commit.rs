//! Group commit without files: who has appended, what is written, what is synced, who waits.
//!
//! Writers append to one buffer; the flusher takes all of it at once, writes and syncs it, and publishes how far it came.
//! Every lock here comes from `stdx::sync`, so that `loom-tests` can try all interleavings.
//!
//! ```text
//! writers ──append──► buffer ──take──► flusher: write, sync ──written/synced──► waiters whose position is covered
//!                                               └── failed ──► poisoned: nobody is told OK any more
//! ```

use std::task::{Context, Poll, Waker};
use std::time::Duration;

use stdx::sync::{Arc, Condvar, Mutex};

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
    /// The disk is full: the file named here could not grow.
    full: Option<String>,
    closing: bool,
    abandoned: bool,
    waiters: Vec<Waiter>,
}

impl State {
    fn refuse(&self) -> Result<(), Error> {
        match (&self.poisoned, &self.full) {
            (Some(why), _) => Err(Error::Poisoned(std::sync::Arc::clone(why))),
            (None, Some(file)) => Err(Error::Full(file.clone())),
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

    fn wake(&mut self) {
        let waiters = std::mem::take(&mut self.waiters);
        for waiter in waiters {
            if self.answer(waiter.lsn, waiter.level).is_some() {
                waiter.waker.wake();
            } else {
                self.waiters.push(waiter);
            }
        }
    }
}

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

    /// Waits until there is room in the buffer. Call it before taking any lock: [`GroupCommit::append`] never waits.
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
    /// [`Error::Poisoned`], [`Error::Closed`]: it was not appended.
    pub fn append(&self, kind: u8, payload: &[u8]) -> Result<Lsn, Error> {
        let mut state = self.state.lock();
        match state.refuse() {
            // There was room when it was reserved: the record waits until there is again.
            Ok(()) | Err(Error::Full(_)) => {}
            Err(error) => return Err(error),
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

    /// Waits for work, at most `patience`. `syncs_writes` says that a write is followed by a sync anyway.
    pub fn wait_for_work(&self, patience: Duration) -> Work {
        let mut state = self.state.lock();
        let mut waited = false;
        loop {
            if state.abandoned || state.poisoned.is_some() {
                return Work::Stop;
            }
            if state.count > 0 && (state.full.is_none() || waited) {
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

    /// Puts back what was taken and could not be written because the disk is full: `file` could not grow.
    pub fn put_back(&self, taken: Taken, file: String) {
        let mut state = self.state.lock();
        let mut records = taken.records;
        records.append(&mut state.records);
        state.records = records;
        state.count += taken.count;
        state.full = Some(file);
        drop(state);
        self.progress.notify_all();
    }

    /// Everything up to `lsn` was handed to the operating system.
    pub fn wrote(&self, lsn: u64) {
        let mut state = self.state.lock();
        state.written = state.written.max(lsn);
        state.full = None;
        state.wake();
        drop(state);
        self.progress.notify_all();
    }

    /// Everything up to `lsn` is on the disk.
    pub fn synced(&self, lsn: u64) {
        let mut state = self.state.lock();
        state.written = state.written.max(lsn);
        state.durable = state.durable.max(lsn);
        state.wake();
        drop(state);
        self.progress.notify_all();
    }

    /// A write or sync failed: nothing that was not acknowledged by now ever is.
    pub fn poison(&self, why: &str) {
        let mut state = self.state.lock();
        state.poisoned.get_or_insert_with(|| why.into());
        state.wake();
        drop(state);
        self.progress.notify_all();
        self.work.notify_all();
    }

    /// Takes no more records; the flusher writes what there is.
    pub fn close(&self) {
        self.state.lock().closing = true;
        self.work.notify_all();
        self.progress.notify_all();
    }

    /// Stops as a killed process does: what was not written is gone.
    pub fn abandon(&self) {
        let mut state = self.state.lock();
        state.abandoned = true;
        state.wake();
        drop(state);
        self.work.notify_all();
        self.progress.notify_all();
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

    /// As [`GroupCommit::wait`], for tasks.
    pub fn poll(
        &self,
        lsn: Lsn,
        level: SyncLevel,
        context: &Context<'_>,
    ) -> Poll<Result<(), Error>> {
        let mut state = self.state.lock();
        if let Some(answer) = state.answer(lsn.0, level) {
            return Poll::Ready(answer);
        }
        self.want(&mut state, lsn, level);
        let same = |waiter: &&mut Waiter| {
            (waiter.lsn, waiter.level) == (lsn.0, level) && waiter.waker.will_wake(context.waker())
        };
        if state.waiters.iter_mut().find(same).is_none() {
            let waker = context.waker().clone();
            state.waiters.push(Waiter { lsn: lsn.0, level, waker });
        }
        Poll::Pending
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

    /// Why nothing is acknowledged any more, if so.
    #[must_use]
    pub fn poisoned(&self) -> Option<std::sync::Arc<str>> {
        self.state.lock().poisoned.clone()
    }
}

/// A promise about one position in the log: wait for it, or await it.
#[derive(Debug, Clone)]
pub struct CommitTicket {
    core: Arc<GroupCommit>,
    lsn: Lsn,
    level: Result<SyncLevel, SyncLevel>,
}

/// How safe a position is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Durable {
    /// The position.
    pub lsn: Lsn,
    /// What it survives.
    pub level: SyncLevel,
}

impl CommitTicket {
    /// A ticket for `lsn`. `level` is `Err` when the log cannot give what was asked.
    pub(crate) fn new(
        core: Arc<GroupCommit>,
        lsn: Lsn,
        level: Result<SyncLevel, SyncLevel>,
    ) -> Self {
        Self { core, lsn, level }
    }

    /// Blocks until the promise holds.
    ///
    /// # Errors
    /// [`Error::Poisoned`], [`Error::Closed`]: it is not known to hold. [`Error::NoLog`]: it never can.
    pub fn wait(&self) -> Result<Durable, Error> {
        let level = self.level.map_err(|_| Error::NoLog)?;
        self.core.wait(self.lsn, level)?;
        Ok(Durable { lsn: self.lsn, level })
    }
}

impl Future for CommitTicket {
    type Output = Result<Durable, Error>;

    fn poll(self: std::pin::Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let Ok(level) = self.level else { return Poll::Ready(Err(Error::NoLog)) };
        let lsn = self.lsn;
        self.core.poll(lsn, level, context).map(|done| done.map(|()| Durable { lsn, level }))
    }
}
