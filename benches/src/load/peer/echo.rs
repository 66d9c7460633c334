//! The echo: a server that reads so many bytes and answers with so many, on one current-thread runtime as each of Larder's
//! network threads is. What it costs is what sockets cost.
//!
//! ```text
//! request   length u32, of all of it │ reply length u32 │ bytes
//! reply     bytes, as many as were asked for
//! ```

use std::time::Duration;

use bytes::{Buf, BytesMut};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use super::{
    pipe::{Expected, Pipe},
    sizes::Sizes,
};
use crate::load::{Error, operation::Operation, side::Outcome};

/// Length and reply length.
const HEADER_BYTES: usize = 8;
/// Longest request or reply.
const BYTES_MAX: usize = 16 << 20;
/// Room asked for before each read.
const READ_BYTES: usize = 64 * 1024;

/// One connection.
pub(crate) struct Echo {
    pipe: Pipe,
    sizes: Sizes,
    timeout: Duration,
}

impl Echo {
    /// Connects to the echo at `addr`; requests and replies have `sizes`.
    pub(crate) async fn connect(
        addr: &str,
        sizes: &Sizes,
        timeout: Duration,
    ) -> Result<Self, Error> {
        let pipe = Pipe::connect(addr)
            .await
            .map_err(|error| Error::Failed(format!("connect to the echo at {addr}: {error}")))?;
        Ok(Self { pipe, sizes: sizes.clone(), timeout })
    }

    /// Asks, and waits for the answer.
    pub(crate) async fn call(&self, operation: &Operation) -> Outcome {
        let (request, reply) = self.sizes.of(operation.kind);
        let asking = self.pipe.call(written(request, reply), Expected::Bytes(reply));
        match tokio::time::timeout(self.timeout, asking).await {
            Err(_) => Outcome::failed("timeout"),
            Ok(None) => Outcome::failed("connection lost"),
            Ok(Some(_)) => Outcome::whole(operation.entities.len()),
        }
    }
}

/// A request of so many bytes that asks for so many.
fn written(request: usize, reply: usize) -> Vec<u8> {
    let request = request.clamp(HEADER_BYTES, BYTES_MAX);
    let mut bytes = Vec::with_capacity(request);
    for number in [request, reply.min(BYTES_MAX)] {
        bytes.extend_from_slice(&u32::try_from(number).unwrap_or(0).to_le_bytes());
    }
    bytes.resize(request, 0);
    bytes
}

/// Serves until the process ends; `ready` hears HOST:PORT once it listens. Ends the process when standard input ends.
///
/// # Errors
/// When there is no free port, or `ready` says so.
pub fn serve(ready: &mut dyn FnMut(&str) -> Result<(), Error>) -> Result<(), Error> {
    std::thread::Builder::new().name("owner".to_owned()).spawn(|| {
        let _ended = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
        std::process::exit(0);
    })?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        ready(&listener.local_addr()?.to_string())?;
        loop {
            let (stream, _) = listener.accept().await?;
            tokio::spawn(answer(stream));
        }
    })
}

/// Answers one connection: everything that a read brought is answered with one write.
pub(in crate::load) async fn answer(mut stream: TcpStream) {
    if stream.set_nodelay(true).is_err() {
        return;
    }
    let mut input = BytesMut::with_capacity(READ_BYTES);
    let mut output = Vec::with_capacity(READ_BYTES);
    loop {
        input.reserve(READ_BYTES);
        if !stream.read_buf(&mut input).await.is_ok_and(|bytes| bytes > 0) {
            return;
        }
        loop {
            match asked(&input) {
                None => break,
                // Nobody of ours: there is no sense in answering.
                Some((request, reply)) if request < HEADER_BYTES || reply > BYTES_MAX => return,
                Some((request, reply)) => {
                    if input.len() < request {
                        break;
                    }
                    input.advance(request);
                    output.resize(output.len() + reply, 0);
                }
            }
        }
        if stream.write_all(&output).await.is_err() {
            return;
        }
        output.clear();
    }
}

/// The lengths that a request begins with.
fn asked(input: &[u8]) -> Option<(usize, usize)> {
    let (request, rest) = input.split_first_chunk::<4>()?;
    let (reply, _) = rest.split_first_chunk::<4>()?;
    let length = |bytes: &[u8; 4]| usize::try_from(u32::from_le_bytes(*bytes)).ok();
    Some((length(request)?, length(reply)?))
}
