//! A promise about one position in the log: wait for it, or await it.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use super::{group_commit::GroupCommit, sync_policy::SyncLevel};
use crate::{Error, Lsn};

/// See the module. A future without a runtime: the flusher wakes it. Dropping it takes nothing back.
#[derive(Debug)]
pub struct CommitTicket {
    core: Arc<GroupCommit>,
    lsn: Lsn,
    /// `None`: the log cannot give what was asked.
    level: Option<SyncLevel>,
    /// Who is woken already, so that polling again does not queue again.
    registered: Option<Waker>,
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
    pub(super) fn new(core: Arc<GroupCommit>, lsn: Lsn, level: Option<SyncLevel>) -> Self {
        Self { core, lsn, level, registered: None }
    }

    /// The answer, when there is one already; queues nobody.
    #[must_use]
    pub fn try_done(&self) -> Option<Result<Durable, Error>> {
        let Some(level) = self.level else { return Some(Err(Error::NoLog)) };
        let answer = self.core.try_answer(self.lsn, level)?;
        Some(answer.map(|()| Durable { lsn: self.lsn, level }))
    }

    /// Blocks until the promise holds.
    ///
    /// # Errors
    /// [`Error::Poisoned`], [`Error::Closed`]: it is not known to hold. [`Error::NoLog`]: it never can.
    pub fn wait(&self) -> Result<Durable, Error> {
        let level = self.level.ok_or(Error::NoLog)?;
        self.core.wait(self.lsn, level)?;
        Ok(Durable { lsn: self.lsn, level })
    }
}

impl CommitTicket {
    /// As [`CommitTicket::wait`], but gives up when the log cannot go on for want of space.
    ///
    /// # Errors
    /// As [`CommitTicket::wait`], and [`Error::Full`].
    pub fn wait_unless_full(&self) -> Result<Durable, Error> {
        let level = self.level.ok_or(Error::NoLog)?;
        self.core.wait_unless_full(self.lsn, level)?;
        Ok(Durable { lsn: self.lsn, level })
    }
}

impl Clone for CommitTicket {
    fn clone(&self) -> Self {
        Self::new(Arc::clone(&self.core), self.lsn, self.level)
    }
}

impl Future for CommitTicket {
    type Output = Result<Durable, Error>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let Some(level) = self.level else { return Poll::Ready(Err(Error::NoLog)) };
        let (core, lsn) = (Arc::clone(&self.core), self.lsn);
        let answer = core.poll(lsn, level, context.waker(), &mut self.registered);
        answer.map(|done| done.map(|()| Durable { lsn, level }))
    }
}
