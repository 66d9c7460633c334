//! One call from its body to its reply: attempts, pauses, the deadline over all of them.

use std::time::Duration;

use bytes::Bytes;
use model::limits::FRAME_BYTES_MAX;
use protocol::{CallStatus, Failure, Frame, Header, Opcode, frame::HEADER_BYTES};
use tokio::time::{Instant, sleep, timeout_at};

use crate::{
    Error,
    client::Inner,
    retry::{self, Doubt},
};

impl Inner {
    /// Sends `body` until it is answered, retries are not allowed or used up, or the request timeout passed.
    pub(crate) async fn call(&self, operation: Opcode, body: Vec<u8>) -> Result<Frame, Error> {
        self.call_within(self.config.request_timeout, operation, body).await
    }

    /// As [`Inner::call`], with a timeout of its own.
    pub(crate) async fn call_within(
        &self,
        timeout: Duration,
        operation: Opcode,
        body: Vec<u8>,
    ) -> Result<Frame, Error> {
        let mut doubt = Doubt::default();
        let reply = self.attempts(timeout, operation, body, &mut doubt).await;
        reply.map_err(|error| doubt.settle(error))
    }

    /// As [`Inner::call`], for calls that may be followed by another one for the same write: `doubt` goes along.
    pub(crate) async fn call_in_doubt(
        &self,
        operation: Opcode,
        body: Vec<u8>,
        doubt: &mut Doubt,
    ) -> Result<Frame, Error> {
        self.attempts(self.config.request_timeout, operation, body, doubt).await
    }

    async fn attempts(
        &self,
        timeout: Duration,
        operation: Opcode,
        body: Vec<u8>,
        doubt: &mut Doubt,
    ) -> Result<Frame, Error> {
        let frame_bytes = body.len() + HEADER_BYTES;
        if frame_bytes > FRAME_BYTES_MAX {
            let allowed = format!("at most {FRAME_BYTES_MAX}: send several smaller ones");
            let given = format!("{frame_bytes} bytes");
            return Err(model::Error::invalid("request", given, allowed).into());
        }
        let deadline = Instant::now() + timeout;
        self.retries.earn();
        let body = Bytes::from(body);
        let mut attempt = 0;
        loop {
            let answer = timeout_at(deadline, self.attempt(operation, &body, deadline)).await;
            let (error, may_repeat) = match answer {
                Err(_) => return Err(self.timed_out(operation, timeout)),
                Ok(Ok(reply)) => match self.check(&reply) {
                    Ok(()) => return Ok(reply),
                    Err(error) => {
                        let status = error.status();
                        let again = status.is_some_and(|it| retry::may_repeat(operation, it));
                        (error, again)
                    }
                },
                Ok(Err(error)) => {
                    let unsent = matches!(error, Error::Connect { .. });
                    (error, unsent || operation.is_repeatable())
                }
            };
            doubt.note(operation, &error);
            attempt += 1;
            if !may_repeat || attempt > self.config.retries || !self.retries.spend() {
                return Err(error);
            }
            if timeout_at(deadline, sleep(self.retries.pause(attempt))).await.is_err() {
                return Err(error);
            }
        }
    }

    async fn attempt(
        &self,
        operation: Opcode,
        body: &Bytes,
        deadline: Instant,
    ) -> Result<Frame, Error> {
        // Without a connection nothing was sent, however the time ran out.
        let connected = timeout_at(deadline, self.pool.get(&self.retries)).await;
        let connection = connected
            .unwrap_or_else(|_| Err(self.pool.refused("no connection in time".to_owned())))?;
        let left = deadline.saturating_duration_since(Instant::now()).as_millis();
        let deadline_ms = u32::try_from(left).unwrap_or(u32::MAX).max(1);
        let header = Header::request(operation, self.next_request_id(), deadline_ms);
        connection.call(header, body.clone()).await.map_err(|reason| Error::Lost {
            addr: self.pool.addr().to_owned(),
            operation,
            reason: reason.to_string(),
        })
    }

    /// The error of a reply that is not OK.
    fn check(&self, reply: &Frame) -> Result<(), Error> {
        let status = reply.header().status().unwrap_or(CallStatus::Internal);
        if status == CallStatus::Ok {
            return Ok(());
        }
        let failure = Failure::decode(status, reply.body());
        Err(failure.map_or_else(|error| self.protocol_error(error), Error::from_failure))
    }

    pub(crate) fn protocol_error(&self, source: protocol::Error) -> Error {
        Error::Protocol { addr: self.pool.addr().to_owned(), source }
    }

    fn timed_out(&self, operation: Opcode, timeout: Duration) -> Error {
        let after_ms = u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX);
        Error::Timeout { addr: self.pool.addr().to_owned(), operation, after_ms }
    }
}
