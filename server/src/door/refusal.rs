//! What a connection that is not served is told before it is closed.
//!
//! A socket that is closed with bytes unread is reset, and the peer may never see what was written. So it is closed for writing,
//! and what the peer sends is thrown away until it closes too, for a moment and for a few of them; the others are just dropped.

use std::sync::Arc;
use std::time::Duration;

use protocol::{CallStatus, Failure};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::Semaphore,
};

use super::census::Full;
use crate::{admission::RETRY_AFTER_MS, dispatch};

/// Connections that are being told at once.
const TOLD_AT_ONCE: usize = 64;
/// How long a peer may take to hear it.
const HEARS_WITHIN: Duration = Duration::from_secs(1);
/// Bytes that are thrown away meanwhile.
const DROPPED_MAX: usize = 64 * 1024;

/// Tells peers why they are turned away.
#[derive(Debug)]
pub(crate) struct Refusals(Arc<Semaphore>);

impl Default for Refusals {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(TOLD_AT_ONCE)))
    }
}

impl Refusals {
    /// Tells the peer of `stream` these words, on a task of its own, if there are not too many already.
    pub(crate) fn tell(&self, stream: TcpStream, words: impl FnOnce() -> Vec<u8>) {
        let Ok(permit) = Arc::clone(&self.0).try_acquire_owned() else { return };
        let output = words();
        tokio::spawn(async move {
            let _permit = permit;
            // It is gone already, or does not listen: then it is not told.
            let _ = tell(stream, &output).await;
        });
    }
}

/// Says `output` as the last word on `stream`.
///
/// # Errors
/// When the peer did not hear it, as far as one can tell.
pub(crate) async fn tell(mut stream: TcpStream, output: &[u8]) -> std::io::Result<()> {
    let told = async {
        stream.write_all(output).await?;
        stream.shutdown().await?;
        let (mut dropped, mut left) = ([0; 1024], DROPPED_MAX);
        while left > 0 {
            match stream.read(&mut dropped).await? {
                0 => break,
                bytes => left = left.saturating_sub(bytes),
            }
        }
        Ok(())
    };
    tokio::time::timeout(HEARS_WITHIN, told).await?
}

/// What a connection of the native protocol is told.
pub(super) fn refusal(full: Full) -> Vec<u8> {
    let message = match full {
        Full::Server(max) => format!(
            "the server has {max} connections, and takes no more: close some, share them between callers, or raise --max-connections and the limit of open files"
        ),
        Full::Address(max) => format!(
            "this address has {max} connections, and may have no more: close some, share them between callers, or raise --max-connections-per-address"
        ),
    };
    let failure = Failure { status: CallStatus::Overloaded, detail: RETRY_AFTER_MS, message };
    let mut output = Vec::new();
    dispatch::farewell(&failure, &mut output);
    output
}
