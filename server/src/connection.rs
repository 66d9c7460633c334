//! One peer: reads requests, answers them, many in flight.
//!
//! Reads are answered at once; a write is answered when its ticket says that it is as safe as asked for. Answers gathered
//! in one poll leave in one write. A checkpoint is answered by the thread that makes it, whenever that may be. While a peer does
//! not read, nothing more is read from it: a connection holds at most [`IN_FLIGHT_MAX`] requests, [`OUTPUT_BYTES`] of answers
//! and one answer more.

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
    dispatch::{self, Answer, Elsewhere, Waiting},
    session::Session,
    shared::Shared,
};

/// Room asked for before each read of the socket.
const READ_BYTES: usize = 16 * 1024;

/// Replies gathered before they are written; one reply may be larger.
const OUTPUT_BYTES: usize = 1 << 20;

/// How far the requests in the buffer were answered.
enum Progress {
    /// No whole request is left.
    Drained,
    /// Some may be left: too many are in flight, or enough output has gathered.
    Paused,
    /// What follows is no frame.
    Broken,
}

/// Serves one connection until the peer leaves, sends what is no frame, or the server stops.
pub(crate) async fn serve(stream: TcpStream, shared: Arc<Shared>, stop: watch::Receiver<bool>) {
    shared.connections.fetch_add(1, Ordering::Relaxed);
    let mut connection = Connection {
        session: Session::default(),
        waiting: VecDeque::new(),
        elsewhere: Vec::new(),
        output: Vec::new(),
    };
    if let Err(error) = connection.run(stream, &shared, stop).await {
        tracing::debug!(%error, requests = connection.session.requests, "a connection ended");
    }
    shared.connections.fetch_sub(1, Ordering::Relaxed);
}

struct Connection {
    session: Session,
    /// Writes that wait for the disk, in the order of their log positions.
    waiting: VecDeque<Waiting>,
    /// Requests that other threads work on.
    elsewhere: Vec<Elsewhere>,
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
            let progress = self.answer(&mut input, shared, received_ns);
            self.finish_ready();
            if !self.output.is_empty() {
                stream.write_all(&self.output).await?;
                self.output.clear();
                self.output.shrink_to(OUTPUT_BYTES);
            }
            match progress {
                Progress::Broken => return stream.shutdown().await,
                // Requests are left in the buffer, and there is room again.
                Progress::Paused if self.in_flight() < IN_FLIGHT_MAX => continue,
                Progress::Paused => {}
                Progress::Drained if !open && self.in_flight() == 0 => {
                    return stream.shutdown().await;
                }
                Progress::Drained => {}
            }
            let may_read = open && self.in_flight() < IN_FLIGHT_MAX;
            tokio::select! {
                read = stream.read_buf(&mut input), if may_read => {
                    open = read? > 0;
                    input.reserve(READ_BYTES);
                    received_ns = shared.clock.mono_ns();
                }
                () = poll_fn(|context| self.poll_waiting(context)), if self.in_flight() > 0 => {}
                _ = stop.wait_for(|stop| *stop), if open => {
                    open = false;
                }
            }
        }
    }

    /// Answers the whole requests in `input`, as many as may be in flight and until enough output has gathered.
    fn answer(&mut self, input: &mut BytesMut, shared: &Shared, received_ns: u64) -> Progress {
        while self.in_flight() < IN_FLIGHT_MAX && self.output.len() < OUTPUT_BYTES {
            match self.session.next(input) {
                Ok(None) => return Progress::Drained,
                Ok(Some(frame)) => {
                    let waited_ms = shared.clock.mono_ns().saturating_sub(received_ns) / 1_000_000;
                    match dispatch::dispatch(shared, &frame, waited_ms, &mut self.output) {
                        Answer::Written => {}
                        Answer::Waits(waiting) => self.waiting.push_back(*waiting),
                        Answer::Elsewhere(elsewhere) => self.elsewhere.push(elsewhere),
                    }
                }
                Err(error) => {
                    dispatch::refuse_stream(&error, &mut self.output);
                    return Progress::Broken;
                }
            }
        }
        Progress::Paused
    }

    /// Requests that are not answered yet.
    fn in_flight(&self) -> usize {
        self.waiting.len() + self.elsewhere.len()
    }

    /// Ready when at least one waiting request was answered.
    fn poll_waiting(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let before = self.elsewhere.len();
        let output = &mut self.output;
        self.elsewhere.retain_mut(|elsewhere| !elsewhere.poll(context, output));
        let mut answered = self.elsewhere.len() < before;
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
    fn finish_ready(&mut self) {
        while let Some(outcome) = self.waiting.front().and_then(|first| first.ticket.try_done()) {
            if let Some(first) = self.waiting.pop_front() {
                first.finish(outcome, &mut self.output);
            }
        }
    }
}
