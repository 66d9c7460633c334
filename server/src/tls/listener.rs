//! The admin port's listener: plain or TLS, a few connections at once, none that says nothing for ever.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use model::limits::{ADMIN_CONNECTIONS_MAX, ADMIN_CONNECTIONS_PER_ADDRESS_MAX};
use stdx::clock::{Clock, SystemClock};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpStream},
    time::{Instant, Sleep},
};
use tokio_rustls::Accept;

use super::{Tls, Transport};
use crate::{
    admin::Life,
    door::{Full, Handshakes, Place, Places, Refusals},
};

/// How long a connection of the admin port may take between two answers: whoever scrapes once a minute keeps its own.
const SILENCE_MAX: Duration = Duration::from_secs(120);
/// How long its TLS handshake may take.
const HANDSHAKE_MAX: Duration = Duration::from_secs(5);
/// After a failed accept.
const PAUSE: Duration = Duration::from_millis(100);

/// What `axum::serve` takes connections from.
pub(crate) struct AdminListener {
    tcp: TcpListener,
    tls: Option<Arc<Tls>>,
    places: Places,
    /// Of this port alone: whoever floods one keeps nobody from the other.
    handshakes: Handshakes,
    refusals: Refusals,
    clock: SystemClock,
    /// Counts those that found no place.
    life: Arc<Life>,
}

/// A connection; with TLS, its handshake is made when it is first read from.
pub(crate) struct AdminStream {
    io: Io,
    cut: Pin<Box<Sleep>>,
    _place: Place,
}

enum Io {
    Handshake { accept: Box<Accept<TcpStream>>, _place: Place },
    Open(Transport),
}

impl AdminListener {
    /// Takes connections from `tcp`, with a certificate if there is one.
    pub(crate) fn new(tcp: TcpListener, tls: Option<Arc<Tls>>, life: Arc<Life>) -> Self {
        let (max, per_address_max) = (ADMIN_CONNECTIONS_MAX, ADMIN_CONNECTIONS_PER_ADDRESS_MAX);
        let places = Places::new("a connection of the admin port", max, per_address_max);
        let handshakes = Handshakes::new(stdx::prng::seed_from_os());
        let (refusals, clock) = (Refusals::default(), SystemClock::new());
        Self { tcp, tls, places, handshakes, refusals, clock, life }
    }

    /// Counts one that found no place, and tells its peer, if that understands plain words.
    fn refuse(&self, stream: TcpStream, full: Full) {
        self.life.refused();
        if self.tls.is_none() {
            self.refusals.tell(stream, || refusal(full));
        }
    }
}

/// What whoever finds no place is told: HTTP.
fn refusal(full: Full) -> Vec<u8> {
    let why = match full {
        Full::Server(max) => format!("the admin port has {max} connections, and takes no more"),
        Full::Address(max) => {
            format!("this address has {max} connections of the admin port, and may have no more")
        }
    };
    let body = format!("{why}: close some, or ask again on one that is open\n");
    let length = body.len();
    let head = "HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nRetry-After: 1\r\nContent-Type: text/plain";
    format!("{head}\r\nContent-Length: {length}\r\n\r\n{body}").into_bytes()
}

impl axum::serve::Listener for AdminListener {
    type Io = AdminStream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (AdminStream, SocketAddr) {
        loop {
            let (stream, addr) = match self.tcp.accept().await {
                Ok(accepted) => accepted,
                Err(error) => {
                    tracing::debug!(%error, "a connection of the admin port was not accepted");
                    tokio::time::sleep(PAUSE).await;
                    continue;
                }
            };
            let now_ns = self.clock.mono_ns();
            let place = match self.places.enter(addr, now_ns) {
                Ok(place) => place,
                Err(full) => {
                    self.refuse(stream, full);
                    continue;
                }
            };
            let (io, patience) = match &self.tls {
                Some(tls) => {
                    let Some(_place) = self.handshakes.begin(addr, now_ns) else {
                        self.life.refused();
                        continue;
                    };
                    let accept = Box::new(tls.acceptor().accept(stream));
                    (Io::Handshake { accept, _place }, HANDSHAKE_MAX)
                }
                None => (Io::Open(Transport::Plain(stream)), SILENCE_MAX),
            };
            let cut = Box::pin(tokio::time::sleep(patience));
            return (AdminStream { io, cut, _place: place }, addr);
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
        if let Io::Handshake { accept, .. } = &mut self.io {
            let stream = ready!(Pin::new(accept.as_mut()).poll(context))?;
            self.io = Io::Open(Transport::Tls(Box::new(stream)));
            self.cut.as_mut().reset(Instant::now() + SILENCE_MAX);
        }
        Poll::Ready(match &mut self.io {
            Io::Open(transport) => Ok(Pin::new(transport)),
            Io::Handshake { .. } => Err(io::ErrorKind::NotConnected.into()),
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
