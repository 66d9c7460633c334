//! The admin port's listener: plain or TLS, a few connections at once, none that says nothing for ever.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use model::limits::ADMIN_CONNECTIONS_MAX;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Instant, Sleep},
};
use tokio_rustls::Accept;

use super::{Tls, Transport};

/// How long a connection of the admin port may take between two answers: whoever scrapes once a minute keeps its own.
const SILENCE_MAX: Duration = Duration::from_secs(120);
/// After a failed accept.
const PAUSE: Duration = Duration::from_millis(100);

/// What `axum::serve` takes connections from.
pub(crate) struct AdminListener {
    tcp: TcpListener,
    tls: Option<Arc<Tls>>,
    places: Arc<Semaphore>,
}

/// A connection; with TLS, its handshake is made when it is first read from.
pub(crate) struct AdminStream {
    io: Io,
    cut: Pin<Box<Sleep>>,
    _place: OwnedSemaphorePermit,
}

enum Io {
    Handshake(Box<Accept<TcpStream>>),
    Open(Transport),
}

impl AdminListener {
    /// Takes connections from `tcp`, with a certificate if there is one.
    pub(crate) fn new(tcp: TcpListener, tls: Option<Arc<Tls>>) -> Self {
        Self { tcp, tls, places: Arc::new(Semaphore::new(ADMIN_CONNECTIONS_MAX)) }
    }
}

impl axum::serve::Listener for AdminListener {
    type Io = AdminStream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (AdminStream, SocketAddr) {
        loop {
            let place = Arc::clone(&self.places).acquire_owned().await;
            match (place, self.tcp.accept().await) {
                (Ok(place), Ok((stream, addr))) => {
                    let io = match &self.tls {
                        Some(tls) => Io::Handshake(Box::new(tls.acceptor().accept(stream))),
                        None => Io::Open(Transport::Plain(stream)),
                    };
                    let cut = Box::pin(tokio::time::sleep(SILENCE_MAX));
                    return (AdminStream { io, cut, _place: place }, addr);
                }
                (_, Err(error)) => {
                    tracing::debug!(%error, "a connection of the admin port was not accepted")
                }
                (Err(_), _) => {}
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.tcp.local_addr()
    }
}

impl AdminStream {
    /// The connection once its handshake is done. Whoever is silent for too long is cut, also one that reads nothing of its answer.
    fn poll_open(&mut self, context: &mut Context<'_>) -> Poll<io::Result<Pin<&mut Transport>>> {
        if self.cut.as_mut().poll(context).is_ready() {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        if let Io::Handshake(accept) = &mut self.io {
            let stream = ready!(Pin::new(accept.as_mut()).poll(context))?;
            self.io = Io::Open(Transport::Tls(Box::new(stream)));
        }
        Poll::Ready(match &mut self.io {
            Io::Open(transport) => Ok(Pin::new(transport)),
            Io::Handshake(_) => Err(io::ErrorKind::NotConnected.into()),
        })
    }
}

impl AsyncRead for AdminStream {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        ready!(self.get_mut().poll_open(context))?.poll_read(context, into)
    }
}

impl AsyncWrite for AdminStream {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = ready!(this.poll_open(context))?.poll_write(context, bytes);
        if written.is_ready() {
            this.cut.as_mut().reset(Instant::now() + SILENCE_MAX);
        }
        written
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.get_mut().poll_open(context))?.poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.get_mut().poll_open(context))?.poll_shutdown(context)
    }
}
