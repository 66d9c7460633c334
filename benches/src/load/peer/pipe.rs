//! One pipelined connection whose answers come in order: what is queued leaves in one write, as Larder's own client does it.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::{Buf, Bytes, BytesMut};
use stdx::sync::Mutex;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::{mpsc, oneshot},
};

use super::resp;

/// Room asked for before each read.
const READ_BYTES: usize = 64 * 1024;
/// Requests that may be queued for one write.
const QUEUED_MAX: usize = 1024;

/// What an answer consists of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Expected {
    /// So many replies of Redis.
    Replies(usize),
    /// So many bytes.
    Bytes(usize),
}

impl Expected {
    /// The length of the answer that `input` begins with; `None` when it is not whole yet.
    fn length(self, input: &[u8]) -> Result<Option<usize>, String> {
        match self {
            Self::Bytes(bytes) => Ok((input.len() >= bytes).then_some(bytes)),
            Self::Replies(count) => {
                let mut length = 0;
                for _ in 0..count {
                    let rest = input.get(length..).unwrap_or_default();
                    match resp::length(rest)? {
                        Some(reply) => length += reply,
                        None => return Ok(None),
                    }
                }
                Ok(Some(length))
            }
        }
    }
}

struct Outgoing {
    bytes: Bytes,
    expected: Expected,
    answer: oneshot::Sender<Bytes>,
}

type Waiting = Arc<Mutex<VecDeque<(Expected, oneshot::Sender<Bytes>)>>>;

/// A connection; dropping it closes the socket.
pub(crate) struct Pipe {
    queue: mpsc::Sender<Outgoing>,
}

impl Pipe {
    /// Connects to `addr` and starts the connection's task on the current runtime.
    pub(super) async fn connect(addr: &str) -> Result<Self, String> {
        let stream = TcpStream::connect(addr).await.map_err(|error| error.to_string())?;
        stream.set_nodelay(true).map_err(|error| error.to_string())?;
        let (queue, queued) = mpsc::channel(QUEUED_MAX);
        let waiting = Waiting::default();
        let (read_half, write_half) = stream.into_split();
        tokio::spawn(async move {
            // Whichever ends takes the other along; those who wait then learn that there is no answer.
            tokio::select! {
                _ = receive(read_half, &waiting) => {}
                () = send(write_half, queued, &waiting) => {}
            }
            waiting.lock().clear();
        });
        Ok(Self { queue })
    }

    /// Sends `bytes` and awaits the answer; `None` when the connection ended.
    pub(super) async fn call(&self, bytes: Vec<u8>, expected: Expected) -> Option<Bytes> {
        let (answer, answered) = oneshot::channel();
        let outgoing = Outgoing { bytes: bytes.into(), expected, answer };
        self.queue.send(outgoing).await.ok()?;
        answered.await.ok()
    }
}

/// Hands out answers until there are no more, or until what comes is none.
async fn receive(mut socket: OwnedReadHalf, waiting: &Waiting) -> Result<(), String> {
    let mut input = BytesMut::with_capacity(READ_BYTES);
    loop {
        input.reserve(READ_BYTES);
        if socket.read_buf(&mut input).await.map_err(|error| error.to_string())? == 0 {
            return Ok(());
        }
        loop {
            let first = waiting.lock().front().map(|(expected, _)| *expected);
            let Some(expected) = first else { break };
            let Some(length) = expected.length(&input)? else { break };
            let answer = input.copy_to_bytes(length);
            if let Some((_, waiter)) = waiting.lock().pop_front() {
                let _caller_gone = waiter.send(answer);
            }
        }
    }
}

/// Writes whatever is queued, all of it at once, until nobody can queue any more.
async fn send(mut socket: OwnedWriteHalf, mut queued: mpsc::Receiver<Outgoing>, waiting: &Waiting) {
    let (mut gathered, mut output) = (Vec::new(), Vec::with_capacity(READ_BYTES));
    while queued.recv_many(&mut gathered, QUEUED_MAX).await > 0 {
        {
            let mut waiting = waiting.lock();
            for outgoing in gathered.drain(..) {
                output.extend_from_slice(&outgoing.bytes);
                waiting.push_back((outgoing.expected, outgoing.answer));
            }
        }
        if socket.write_all(&output).await.is_err() {
            return;
        }
        output.clear();
    }
}
