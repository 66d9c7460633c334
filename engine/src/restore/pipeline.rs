//! From the thread that reads the log to those that do what it says.
//!
//! ```text
//! this thread: checksums, batches ──► chunk ──► (one waits) ──► coordinator: chunk by chunk, each with all workers
//!                                     definitions end a chunk and are done alone
//! ```
//!
//! Threads are started when the first chunk is full: a start with little to replay does all of it on this one.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{Builder, Scope, ScopedJoinHandle};

use storage::Lsn;

use super::{Memory, chunk::Chunk};
use crate::{Error, mutation::kind};

/// Chunks that wait while one is done and one is filled.
const WAITING_MAX: usize = 1;

/// See the module.
pub(super) struct Pipeline<'scope, 'env> {
    scope: &'scope Scope<'scope, 'env>,
    workers: usize,
    chunk_bytes: usize,
    /// The first record that is not in the snapshot as a whole.
    first: u64,
    chunk: Chunk,
    side: Side<'scope, 'env>,
    failed: Option<Error>,
}

/// Where chunks are done.
enum Side<'scope, 'env> {
    /// Here.
    Here(&'env mut Memory),
    /// By another thread.
    There(SyncSender<Work>, ScopedJoinHandle<'scope, Result<(), Error>>),
    /// Nowhere any more.
    Over,
}

enum Work {
    Chunk(Chunk),
    Definitions(Lsn, Vec<u8>),
}

impl<'scope, 'env> Pipeline<'scope, 'env> {
    /// Into `memory`, with `workers` threads once there are `chunk_bytes` to do.
    pub(super) fn new(
        scope: &'scope Scope<'scope, 'env>,
        memory: &'env mut Memory,
        workers: usize,
        chunk_bytes: usize,
    ) -> Self {
        let first = memory.fences.replay_from();
        let (chunk, side) = (Chunk::default(), Side::Here(memory));
        Self { scope, workers, chunk_bytes, first, chunk, side, failed: None }
    }

    /// Takes a record. True when a chunk became full by it.
    ///
    /// # Errors
    /// When this record or one before it cannot be done: [`Pipeline::finish`] says why.
    pub(super) fn record(&mut self, lsn: Lsn, kind: u8, payload: &[u8]) -> Result<bool, Stopped> {
        if lsn.0 < self.first {
            return Ok(false);
        }
        if kind == kind::DEFINITIONS {
            self.hand_over()?;
            return self.give(Work::Definitions(lsn, payload.to_vec())).map(|()| false);
        }
        self.chunk.push(lsn, kind, payload);
        let is_full = self.chunk.is_full(self.chunk_bytes);
        if is_full {
            self.start()?;
            self.hand_over()?;
        }
        Ok(is_full)
    }

    /// Returns when all records that were taken are done.
    ///
    /// # Errors
    /// Why the first of those that could not be done could not.
    pub(super) fn finish(&mut self) -> Result<(), Error> {
        let _stopped = self.hand_over();
        if let Side::There(work, thread) = std::mem::replace(&mut self.side, Side::Over) {
            drop(work);
            let done = thread.join();
            let died = |_| Err(Error::Internal("a thread of the replay panicked".to_owned()));
            self.failed = done.unwrap_or_else(died).err();
        }
        self.failed.take().map_or(Ok(()), Err)
    }

    /// Threads from here on, if there are to be any.
    fn start(&mut self) -> Result<(), Stopped> {
        if self.workers <= 1 || !matches!(self.side, Side::Here(_)) {
            return Ok(());
        }
        if let Side::Here(memory) = std::mem::replace(&mut self.side, Side::Over) {
            let (work, gets) = sync_channel(WAITING_MAX);
            let (workers, builder) = (self.workers, Builder::new().name("larder-replay".into()));
            match builder.spawn_scoped(self.scope, move || coordinate(memory, &gets, workers)) {
                Ok(thread) => self.side = Side::There(work, thread),
                Err(error) => {
                    let error = storage::Error::io("start", "the thread of the replay", error);
                    self.failed = Some(error.into());
                    return Err(Stopped);
                }
            }
        }
        Ok(())
    }

    fn hand_over(&mut self) -> Result<(), Stopped> {
        let chunk = std::mem::take(&mut self.chunk);
        if chunk.is_empty() { Ok(()) } else { self.give(Work::Chunk(chunk)) }
    }

    fn give(&mut self, work: Work) -> Result<(), Stopped> {
        match &mut self.side {
            Side::Here(memory) => {
                let done = work.done(memory, 1);
                done.map_err(|error| {
                    self.failed = Some(error);
                    self.side = Side::Over;
                    Stopped
                })
            }
            // Whoever gets the work is gone when some of it could not be done.
            Side::There(to, _) => to.send(work).map_err(|_| Stopped),
            Side::Over => Err(Stopped),
        }
    }
}

/// A record could not be done; [`Pipeline::finish`] says why.
#[derive(Debug)]
pub(super) struct Stopped;

impl Work {
    fn done(self, memory: &mut Memory, workers: usize) -> Result<(), Error> {
        match self {
            Self::Chunk(chunk) => memory.replay(&chunk, workers),
            Self::Definitions(lsn, payload) => memory.replay_definitions(lsn, &payload),
        }
    }
}

fn coordinate(memory: &mut Memory, gets: &Receiver<Work>, workers: usize) -> Result<(), Error> {
    gets.iter().try_for_each(|work| work.done(memory, workers))
}
