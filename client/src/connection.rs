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
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::mpsc,
};

use crate::in_flight::{InFlight, Reason};

/// Room asked for before each read of the socket.
const READ_BYTES: usize = 64 * 1024;
/// A send buffer above this is given back after use.
const WRITE_BYTES_KEPT: usize = 1024 * 1024;

/// A request on its way to the socket.
struct Outgoing {
    header: Header,
    body: Bytes,
}

/// A live connection; dropping it closes the socket.
pub(crate) struct Connection {
    queue: mpsc::Sender<Outgoing>,
    in_flight: Arc<InFlight>,
}

impl Connection {
    /// Connects and starts the connection's task on the current runtime.
    pub(crate) async fn connect(addr: &str, timeout: Duration) -> Result<Self, String> {
        let stream = match tokio::time::timeout(timeout, TcpStream::connect(addr)).await {
            Err(_) => return Err(format!("no answer within {} ms", timeout.as_millis())),
            Ok(Err(error)) => return Err(reason_of(&error)),
            Ok(Ok(stream)) => stream,
        };
        // Requests are gathered here, Nagle's algorithm would only delay them.
        stream.set_nodelay(true).map_err(|error| error.to_string())?;
        let (queue, queued) = mpsc::channel(IN_FLIGHT_MAX);
        let in_flight = InFlight::new();
        tokio::spawn(run(stream, queued, Arc::clone(&in_flight)));
        Ok(Self { queue, in_flight })
    }

    /// True until the connection ended.
    pub(crate) fn is_open(&self) -> bool {
        self.in_flight.is_open()
    }

    /// Sends a request and awaits its reply. Dropping the future abandons the call.
    pub(crate) async fn call(&self, header: Header, body: Bytes) -> Result<Frame, Reason> {
        let waiter = self.in_flight.enter(header.request_id).await?;
        if self.queue.send(Outgoing { header, body }).await.is_err() {
            return Err(self.in_flight.reason());
        }
        waiter.reply().await
    }
}

/// The system's words without the error number.
fn reason_of(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::ConnectionRefused => "connection refused".to_owned(),
        _ => error.to_string(),
    }
}

async fn run(stream: TcpStream, queued: mpsc::Receiver<Outgoing>, in_flight: Arc<InFlight>) {
    let (read_half, write_half) = stream.into_split();
    let reason = tokio::select! {
        reason = receive(read_half, &in_flight) => reason,
        reason = send(write_half, queued) => reason,
    };
    in_flight.close(&reason);
}

/// Hands out replies until there are no more; returns why.
async fn receive(mut socket: OwnedReadHalf, in_flight: &InFlight) -> String {
    let mut input = BytesMut::with_capacity(READ_BYTES);
    loop {
        match socket.read_buf(&mut input).await {
            Ok(0) => return "the server closed it".to_owned(),
            Ok(_) => {}
            Err(error) => return error.to_string(),
        }
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
async fn send(mut socket: OwnedWriteHalf, mut queued: mpsc::Receiver<Outgoing>) -> String {
    let mut gathered = Vec::with_capacity(IN_FLIGHT_MAX);
    let mut output = Vec::with_capacity(READ_BYTES);
    loop {
        if queued.recv_many(&mut gathered, IN_FLIGHT_MAX).await == 0 {
            return "the client was closed".to_owned();
        }
        for outgoing in gathered.drain(..) {
            // Bodies above the limit were refused before they were queued.
            let _too_long = frame::write(&mut output, outgoing.header, |out| {
                out.bytes(&outgoing.body);
            });
        }
        if let Err(error) = socket.write_all(&output).await {
            return error.to_string();
        }
        output.clear();
        output.shrink_to(WRITE_BYTES_KEPT);
    }
}
