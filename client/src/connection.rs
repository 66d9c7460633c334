//! One socket: calls queue up, everything queued leaves in one write, replies are handed out as they come.
//!
//! ```text
//! callers ──► queue (bounded) ──► one write ──► socket ──► split frames ──► in-flight table ──► callers
//! ```
//!
//! One task moves bytes in both directions, so that a full send buffer never keeps replies from being read. The task ends
//! when the connection is dropped, when the peer leaves, or when what arrives is no frame; every call then learns why.

use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use model::limits::IN_FLIGHT_MAX;
use protocol::{CallStatus, Failure, Frame, Header, frame};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpStream,
    sync::mpsc,
    time::Instant,
};

use crate::{
    TlsOptions,
    deadline::Deadline,
    in_flight::{InFlight, Reason},
    introduction::{Introduction, NotConnected},
    tls::reason,
};

/// Room asked for before each read of the socket.
const READ_BYTES: usize = 64 * 1024;
/// A send buffer above this is given back after use.
const WRITE_BYTES_KEPT: usize = 1024 * 1024;
/// How connections are made.
#[derive(Debug, Clone)]
pub(crate) struct Dial {
    /// How long one may take to come up, handshake included.
    pub(crate) timeout: Duration,
    /// `None`: without TLS.
    pub(crate) tls: Option<TlsOptions>,
    /// What it says first.
    pub(crate) introduction: Introduction,
}

/// A request on its way to the socket.
struct Outgoing {
    header: Header,
    body: Bytes,
    /// What is left of it when the request leaves goes along.
    deadline: Deadline,
}

/// Why a call has no reply.
#[derive(Debug)]
pub(crate) enum NoReply {
    /// Its time was over before it could be queued: it was not sent.
    Expired,
    /// Its time was over, and it may have been sent.
    Late,
    /// The connection ended; it may have been sent.
    Ended(Reason),
}

/// A live connection; dropping it closes the socket.
pub(crate) struct Connection {
    queue: mpsc::Sender<Outgoing>,
    in_flight: Arc<InFlight>,
}

impl Connection {
    /// Connects and starts the connection's task on the current runtime.
    pub(crate) async fn connect(addr: &str, dial: &Dial) -> Result<Self, NotConnected> {
        let dialled = tokio::time::timeout(dial.timeout, Self::dial(addr, dial));
        dialled.await.unwrap_or_else(|_| {
            let reason = format!("no answer within {} ms", dial.timeout.as_millis());
            Err(NotConnected::Unreachable(reason))
        })
    }

    async fn dial(addr: &str, dial: &Dial) -> Result<Self, NotConnected> {
        let stream = TcpStream::connect(addr).await;
        let mut stream = stream.map_err(|error| NotConnected::Unreachable(reason_of(&error)))?;
        // Requests are gathered here, Nagle's algorithm would only delay them.
        stream.set_nodelay(true)?;
        let (queue, queued) = mpsc::channel(IN_FLIGHT_MAX);
        let in_flight = InFlight::new();
        match &dial.tls {
            None => {
                dial.introduction.make(&mut stream).await?;
                let halves = stream.into_split();
                tokio::spawn(run(halves, queued, Arc::clone(&in_flight)));
            }
            Some(tls) => {
                let connected = tls.connect(stream, addr).await;
                let mut stream = connected.map_err(NotConnected::Unreachable)?;
                dial.introduction.make(&mut stream).await?;
                let halves = tokio::io::split(stream);
                tokio::spawn(run(halves, queued, Arc::clone(&in_flight)));
            }
        }
        Ok(Self { queue, in_flight })
    }

    /// True while calls should use it: it has not ended, and its peer does not seem to have vanished.
    pub(crate) fn is_usable(&self) -> bool {
        self.in_flight.is_usable()
    }

    /// Sends a request and awaits its reply until `deadline`. Dropping the future abandons the call.
    pub(crate) async fn call(
        &self,
        header: Header,
        body: Bytes,
        deadline: Deadline,
    ) -> Result<Frame, NoReply> {
        let entered = deadline.hold(self.in_flight.enter(header.request_id)).await;
        let waiter = entered.ok_or(NoReply::Expired)?.map_err(NoReply::Ended)?;
        match deadline.hold(self.queue.reserve()).await {
            // Room may come of others whose time was over as well.
            Some(Ok(_)) if deadline.is_over() => return Err(NoReply::Expired),
            None => return Err(NoReply::Expired),
            Some(Err(_closed)) => return Err(NoReply::Ended(self.in_flight.reason())),
            Some(Ok(room)) => room.send(Outgoing { header, body, deadline }),
        }
        deadline.hold(waiter.reply()).await.ok_or(NoReply::Late)?.map_err(NoReply::Ended)
    }
}

/// The system's words without the error number.
fn reason_of(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::ConnectionRefused => "connection refused".to_owned(),
        _ => error.to_string(),
    }
}

async fn run(
    (read_half, write_half): (impl AsyncRead + Unpin, impl AsyncWrite + Unpin),
    queued: mpsc::Receiver<Outgoing>,
    in_flight: Arc<InFlight>,
) {
    let reason = tokio::select! {
        reason = receive(read_half, &in_flight) => reason,
        reason = send(write_half, queued, &in_flight) => reason,
    };
    in_flight.close(&reason);
}

/// Hands out replies until there are no more; returns why.
async fn receive(mut socket: impl AsyncRead + Unpin, in_flight: &InFlight) -> String {
    let mut input = BytesMut::with_capacity(READ_BYTES);
    loop {
        match socket.read_buf(&mut input).await {
            Ok(0) => return "the server closed it".to_owned(),
            Ok(_) => {}
            Err(error) => return reason(&error),
        }
        in_flight.heard();
        loop {
            match frame::split(&mut input) {
                Ok(None) => break,
                Ok(Some(reply)) if reply.header().request_id == 0 => return farewell(&reply),
                Ok(Some(reply)) => in_flight.complete(reply),
                Err(error) => return error.to_string(),
            }
        }
        input.reserve(READ_BYTES);
    }
}

/// What a server says before it closes a connection: a failure that answers no request.
fn farewell(reply: &Frame) -> String {
    let status = reply.header().status().unwrap_or(CallStatus::Internal);
    let failure = Failure::decode(status, reply.body());
    failure.map_or_else(|error| error.to_string(), |failure| failure.message)
}

/// Writes whatever is queued, all of it at once, until nobody can queue any more; returns why.
async fn send(
    mut socket: impl AsyncWrite + Unpin,
    mut queued: mpsc::Receiver<Outgoing>,
    in_flight: &InFlight,
) -> String {
    let mut gathered = Vec::with_capacity(IN_FLIGHT_MAX);
    let mut output = Vec::with_capacity(READ_BYTES);
    loop {
        if queued.recv_many(&mut gathered, IN_FLIGHT_MAX).await == 0 {
            return "the client was closed".to_owned();
        }
        let now = Instant::now();
        for Outgoing { header, body, deadline } in gathered.drain(..) {
            // What has waited until nobody waits for it any more is not sent.
            let Some(deadline_ms) = deadline.in_frame(now) else { continue };
            in_flight.leaves(header.request_id, now);
            // Bodies above the limit were refused before they were queued.
            let _too_long = frame::write(&mut output, Header { deadline_ms, ..header }, |out| {
                out.bytes(&body);
            });
        }
        let sends = async {
            socket.write_all(&output).await?;
            // TLS keeps what the socket did not take.
            socket.flush().await
        };
        if let Err(error) = sends.await {
            return reason(&error);
        }
        output.clear();
        output.shrink_to(WRITE_BYTES_KEPT);
    }
}
