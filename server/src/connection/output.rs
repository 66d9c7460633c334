//! What a connection sends: answers as they gather, and a last word. A peer that reads nothing of them is cut off.

use std::future::Future;
use std::io::ErrorKind;

use model::limits::BUFFER_BYTES_KEPT;
use protocol::Failure;
use tokio::{io::AsyncWriteExt, time::timeout};

use super::{Connection, Ended, Received};
use crate::{admission::Admission, dispatch, others, shared::Shared, tls::Transport};

impl Connection {
    /// Sends the answers that have gathered. Those to what was just heard wait until others are heard, if that is soon; no more of them than
    /// a buffer that is kept in any case, since nobody counts it.
    pub(super) async fn send_in_turn(
        &mut self,
        stream: &mut Transport,
        (shared, admission): (&Shared, &Admission),
        heard: Option<Received>,
    ) -> Result<(), std::io::Error> {
        let may_wait = (1..=BUFFER_BYTES_KEPT).contains(&self.output.len());
        let heard = heard.filter(|_| may_wait);
        if heard.is_some_and(|heard| admission.waits_for_others(heard.at_ns, self.handled_ns)) {
            others::first().await;
        }
        self.send(stream, shared).await
    }

    /// Says why, and closes.
    pub(super) async fn end(
        &mut self,
        stream: &mut Transport,
        shared: &Shared,
        why: &Failure,
    ) -> Result<Ended, std::io::Error> {
        dispatch::farewell(why, &mut self.output);
        self.send(stream, shared).await?;
        close(stream, shared).await
    }

    /// Tells a peer that has not said who it is why it is cut off.
    pub(super) async fn part(
        &mut self,
        stream: &mut Transport,
        shared: &Shared,
        why: &str,
    ) -> Result<Ended, std::io::Error> {
        shared.load.cut();
        dispatch::refuse_stranger(why, &mut self.output);
        self.send(stream, shared).await?;
        close(stream, shared).await
    }

    /// Sends the answers that have gathered. A peer that reads nothing of them is cut off: they take memory.
    pub(super) async fn send(
        &mut self,
        stream: &mut Transport,
        shared: &Shared,
    ) -> Result<(), std::io::Error> {
        let mut sent = 0;
        while let Some(rest) = self.output.get(sent..).filter(|rest| !rest.is_empty()) {
            // Nearly always all of it goes at once, and no timer is needed.
            sent += match stream.try_write(rest) {
                Ok(count) => count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    // Whoever does not read holds memory: there is only so much for all of them.
                    let Some(_room) = shared.buffers.claim(rest.len()) else {
                        shared.load.cut();
                        return Err(ErrorKind::OutOfMemory.into());
                    };
                    in_time(shared, stream.write(rest)).await?
                }
                Err(error) => return Err(error),
            };
        }
        if sent > 0 {
            match stream.try_flush() {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    in_time(shared, stream.flush()).await?;
                }
                flushed => flushed?,
            }
        }
        self.meter.sent(sent);
        self.output.clear();
        self.output.shrink_to(BUFFER_BYTES_KEPT);
        Ok(())
    }
}

/// Says that nothing more is sent.
pub(super) async fn close(
    stream: &mut Transport,
    shared: &Shared,
) -> Result<Ended, std::io::Error> {
    in_time(shared, stream.shutdown()).await?;
    Ok(Ended::Closed)
}

/// What `sends` gives, unless the peer reads nothing for too long.
async fn in_time<T>(
    shared: &Shared,
    sends: impl Future<Output = Result<T, std::io::Error>>,
) -> Result<T, std::io::Error> {
    let Ok(sent) = timeout(shared.stall, sends).await else {
        shared.load.cut();
        let stall = shared.stall;
        let message = format!("it read nothing of its answers for {stall:?}");
        return Err(std::io::Error::new(ErrorKind::TimedOut, message));
    };
    sent
}
