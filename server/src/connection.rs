//! One peer: reads requests, answers them, many in flight.
//!
//! Reads are answered at once; a write is answered when its ticket says that it is as safe as asked for. Answers gathered
//! in one poll leave in one write. While a peer does not read, nothing more is read from it: memory per connection is
//! bounded by [`IN_FLIGHT_MAX`] requests and the answers to one read of its socket.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};

use bytes::BytesMut;
use model::limits::IN_FLIGHT_MAX;
use stdx::clock::Clock;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::watch,
};

use crate::{
    dispatch::{self, Answer, Waiting},
    session::Session,
    shared::Shared,
};

/// Room asked for before each read of the socket.
const READ_BYTES: usize = 16 * 1024;

/// Serves one connection until the peer leaves, sends what is no frame, or the server stops.
pub(crate) async fn serve(stream: TcpStream, shared: Arc<Shared>, stop: watch::Receiver<bool>) {
    shared.connections.fetch_add(1, Ordering::Relaxed);
    let mut connection =
        Connection { session: Session::default(), waiting: VecDeque::new(), output: Vec::new() };
    if let Err(error) = connection.run(stream, &shared, stop).await {
        tracing::debug!(%error, requests = connection.session.requests, "a connection ended");
    }
    shared.connections.fetch_sub(1, Ordering::Relaxed);
}

struct Connection {
    session: Session,
    /// Writes that wait for the disk, in the order of their log positions.
    waiting: VecDeque<Waiting>,
    output: Vec<u8>,
}

impl Connection {
    async fn run(
        &mut self,
        mut stream: TcpStream,
        shared: &Shared,
        mut stop: watch::Receiver<bool>,
    ) -> Result<(), std::io::Error> {
        let mut input = BytesMut::with_capacity(READ_BYTES);
        let mut open = true;
        let mut received_ns = shared.clock.mono_ns();
        loop {
            let sane = self.answer(&mut input, shared, received_ns);
            self.poll_now();
            if !self.output.is_empty() {
                stream.write_all(&self.output).await?;
                self.output.clear();
            }
            if !sane || (!open && self.waiting.is_empty()) {
                return stream.shutdown().await;
            }
            let may_read = open && self.waiting.len() < IN_FLIGHT_MAX;
            tokio::select! {
                read = stream.read_buf(&mut input), if may_read => {
                    open = read? > 0;
                    input.reserve(READ_BYTES);
                    received_ns = shared.clock.mono_ns();
                }
                () = poll_fn(|context| self.poll_waiting(context)), if !self.waiting.is_empty() => {}
                _ = stop.wait_for(|stop| *stop), if open => {
                    open = false;
                }
            }
        }
    }

    /// Answers every whole request in `input`; false when what follows is no frame.
    fn answer(&mut self, input: &mut BytesMut, shared: &Shared, received_ns: u64) -> bool {
        while self.waiting.len() < IN_FLIGHT_MAX {
            match self.session.next(input) {
                Ok(None) => return true,
                Ok(Some(frame)) => {
                    let waited_ms = shared.clock.mono_ns().saturating_sub(received_ns) / 1_000_000;
                    match dispatch::dispatch(shared, &frame, waited_ms, &mut self.output) {
                        Answer::Written => {}
                        Answer::Waits(waiting) => self.waiting.push_back(*waiting),
                    }
                }
                Err(error) => {
                    dispatch::refuse_stream(&error, &mut self.output);
                    return false;
                }
            }
        }
        true
    }

    /// Ready when at least one waiting write was answered.
    fn poll_waiting(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let mut answered = false;
        while let Some(first) = self.waiting.front_mut() {
            match Pin::new(&mut first.ticket).poll(context) {
                Poll::Pending => break,
                Poll::Ready(outcome) => {
                    if let Some(first) = self.waiting.pop_front() {
                        first.finish(outcome, &mut self.output);
                    }
                    answered = true;
                }
            }
        }
        if answered { Poll::Ready(()) } else { Poll::Pending }
    }

    /// Answers writes that are already as safe as asked for, without waiting.
    fn poll_now(&mut self) {
        let mut context = Context::from_waker(std::task::Waker::noop());
        let _ = self.poll_waiting(&mut context);
    }
}
