//! On which network thread a connection is served: on few threads while those have little to do or no core is free, on more as they have
//! more to do.
//!
//! ```text
//! little to do   net-0 ◄ a b c d e f g h   net-1 sleeps          one wake-up for what several connections say at the same time
//! more           net-0 ◄ a b c d           net-1 ◄ e f g h       two for as much; and nobody waits for as many others
//! ```
//!
//! Waking a thread up costs as much as some requests do (`docs/decisions/0018-few-threads-while-few-suffice.md`). So [`watch()`] looks ten
//! times a second how much the threads worked, and says by [`Seats::deal`] how many are used ([`plan`] has the rules). A connection
//! hears of it when it is between two requests: then it may be handed to another thread, as it was handed to the first one when it
//! arrived. Nothing waits for it, and what its peer says meanwhile stands in the socket.
//!
//! With TLS connections stay where they are, and all threads are used: what has been agreed on is not taken apart.

mod machine;
mod plan;
mod watch;

use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use tokio::sync::mpsc;

use crate::{connection::Quiet, door::Place};

pub(crate) use watch::watch;

/// Connections that wait for one network thread to take them.
const HANDOVER_MAX: usize = 256;
/// Bits of a deal that say how many threads are used.
const USED_BITS: u32 = 16;

/// A connection on its way to a network thread.
pub(crate) struct Arrival {
    /// The deal by which it got there.
    pub(crate) deal: Deal,
    pub(crate) guest: Guest,
}

/// Who arrives.
pub(crate) enum Guest {
    /// A peer that was just accepted.
    New { stream: TcpStream, addr: SocketAddr, place: Place },
    /// A connection that another thread served until now.
    Moved(Box<Quiet>),
}

/// How many threads are used, and the how-manieth decision about that it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Deal(u64);

impl Deal {
    /// Of a connection that is to be dealt again, whatever was said last.
    pub(crate) const NONE: Self = Self(0);

    fn used(self) -> usize {
        usize::try_from(self.0 & ((1 << USED_BITS) - 1)).unwrap_or(usize::MAX)
    }

    fn next(self, used: usize) -> Self {
        Self(((self.0 >> USED_BITS) + 1) << USED_BITS | used as u64)
    }
}

/// See the module.
pub(crate) struct Seats {
    ways: Vec<mpsc::Sender<Arrival>>,
    deal: AtomicU64,
    turn: AtomicUsize,
}

impl Seats {
    /// For so many threads, of which so many are used at first; and where those get their connections from.
    pub(crate) fn new(threads: usize, used: usize) -> (Self, Vec<mpsc::Receiver<Arrival>>) {
        let (ways, ends): (Vec<_>, Vec<_>) =
            (0..threads.max(1)).map(|_| mpsc::channel(HANDOVER_MAX)).unzip();
        let deal = Deal::NONE.next(used.clamp(1, ways.len()));
        (Self { ways, deal: AtomicU64::new(deal.0), turn: AtomicUsize::new(0) }, ends)
    }

    /// Threads there are.
    pub(crate) fn threads(&self) -> usize {
        self.ways.len()
    }

    /// Threads that are used.
    pub(crate) fn used(&self) -> usize {
        self.now().used()
    }

    fn now(&self) -> Deal {
        Deal(self.deal.load(Ordering::Relaxed))
    }

    /// From now on so many threads are used. Only one task says so.
    pub(crate) fn deal(&self, used: usize) {
        let next = self.now().next(used.clamp(1, self.ways.len()));
        self.deal.store(next.0, Ordering::Relaxed);
    }

    /// The next of the threads that are used.
    fn turn(&self, deal: Deal) -> usize {
        self.turn.fetch_add(1, Ordering::Relaxed) % deal.used().max(1)
    }

    /// Where a peer that was just accepted goes.
    ///
    /// # Errors
    /// The thread serves nobody any more.
    pub(crate) async fn receive(&self, guest: Guest) -> Result<(), Stopped> {
        let deal = self.now();
        let way = self.ways.get(self.turn(deal)).ok_or(Stopped)?;
        way.send(Arrival { deal, guest }).await.map_err(|_| Stopped)
    }

    /// Hands a connection over to thread `to`.
    ///
    /// # Errors
    /// The connection, when that thread takes none at the moment.
    pub(crate) fn hand_over(&self, to: usize, arrival: Arrival) -> Result<(), Arrival> {
        let Some(way) = self.ways.get(to) else { return Err(arrival) };
        way.try_send(arrival).map_err(mpsc::error::TrySendError::into_inner)
    }

    /// True when it has been decided anew since `seen`.
    #[inline]
    pub(crate) fn is_news(&self, seen: Deal) -> bool {
        self.now() != seen
    }

    /// Where a connection of thread `here` goes on, if that is another; what was decided is noted in `seen`.
    ///
    /// Whoever sits on a thread that is not used any more is dealt to one that is. Of the others no more leave than make the load of
    /// threads that have come into use even.
    pub(crate) fn leaves(&self, here: usize, seen: &mut Deal) -> Option<usize> {
        if !self.is_news(*seen) {
            return None;
        }
        let before = std::mem::replace(seen, self.now()).used();
        let turn = self.turn(*seen);
        let has_to = here >= seen.used();
        (turn != here && (has_to || turn >= before)).then_some(turn)
    }
}

/// The server has stopped.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stopped;

#[cfg(test)]
mod tests;
