//! The ends of a connection's time on one thread: it has just been accepted, or comes from another thread, and may leave for one. Between two
//! requests it is little that it takes along.

use std::io;

use tokio::{net::TcpStream, sync::watch};

use crate::{
    access::stranger::Standing,
    door::Place,
    peer::Peer,
    seats::Guest,
    session::Session,
    shared::Shared,
    tls::{self, Transport},
};

/// A connection with nothing in flight, on no thread.
pub(crate) struct Quiet {
    stream: std::net::TcpStream,
    known: Known,
}

/// What is known of a peer, and its place in the census.
pub(super) struct Known {
    pub(super) session: Session,
    /// How it stands with the policy.
    pub(super) standing: Standing,
    pub(super) place: Place,
}

/// Takes a connection up on this thread; `None` when it was lost, or its peer did not do its part.
pub(super) async fn open(
    guest: Guest,
    shared: &Shared,
    stop: watch::Receiver<bool>,
) -> Option<(Transport, Known)> {
    match guest {
        Guest::New { stream, addr, place } => {
            let stream = stream.set_nodelay(true).and_then(|()| TcpStream::from_std(stream));
            let mut peer = Peer::at(addr);
            let stream = tls::open(kept(stream)?, &mut peer, shared, stop).await?;
            let mut session = Session::with(peer).audited(&shared.audit);
            let standing = Standing::new(shared, &mut session);
            Some((stream, Known { session, standing, place }))
        }
        Guest::Moved(quiet) => {
            let Quiet { stream, known } = *quiet;
            Some((Transport::Plain(kept(TcpStream::from_std(stream))?), known))
        }
    }
}

/// Takes it off this thread; `None` when it was lost.
pub(super) fn leave(stream: Transport, known: Known) -> Option<Quiet> {
    let stream = kept(stream.into_plain()?.into_std())?;
    Some(Quiet { stream, known })
}

fn kept<T>(stream: io::Result<T>) -> Option<T> {
    stream
        .inspect_err(|error| tracing::debug!(%error, "a connection was lost between two threads"))
        .ok()
}
