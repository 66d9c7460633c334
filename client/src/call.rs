//! One call from its body to its reply: attempts, pauses, and one deadline over all of them.

use std::time::Duration;

use bytes::Bytes;
use model::limits::FRAME_BYTES_MAX;
use protocol::{Frame, Opcode, frame::HEADER_BYTES};
use tokio::time::sleep;

use crate::{
    Error,
    client::Inner,
    deadline::Deadline,
    endpoint::Route,
    retry::{self, Doubt},
};

/// A call under way: what all its attempts share.
pub(crate) struct Call<'a> {
    pub(crate) client: &'a Inner,
    pub(crate) operation: Opcode,
    deadline: Deadline,
    /// May go to every address.
    anywhere: bool,
    /// Attempts that failed.
    failed: u32,
    /// Which address the last of them went to.
    avoid: Option<usize>,
    /// What they left open.
    doubt: Doubt,
}

impl<'a> Call<'a> {
    /// A call that begins now.
    pub(crate) fn new(client: &'a Inner, operation: Opcode, timeout: Duration) -> Self {
        client.retries.earn();
        let (deadline, doubt) = (Deadline::after(timeout), Doubt::default());
        Self { client, operation, deadline, anywhere: false, failed: 0, avoid: None, doubt }
    }

    /// May go to every address, if `anywhere`; to the first alone otherwise.
    pub(crate) fn anywhere(mut self, anywhere: bool) -> Self {
        self.anywhere = anywhere;
        self
    }

    /// When it is over.
    pub(crate) fn deadline(&self) -> Deadline {
        self.deadline
    }

    /// The error of a call whose time was over before it was sent.
    pub(crate) fn expired(&self) -> Error {
        Error::Expired { operation: self.operation, after_ms: self.deadline.given_ms() }
    }

    /// Where the next attempt goes, and how long it may take: half of what is left while there is another address to turn to.
    ///
    /// # Errors
    /// [`Error::Expired`] and [`Error::CircuitOpen`].
    pub(crate) fn route(&self) -> Result<(Route<'a>, Deadline), Error> {
        if self.deadline.is_over() {
            return Err(self.expired());
        }
        let route = self.client.endpoints.pick(self.anywhere, self.avoid)?;
        let goes_on = self.failed < self.client.config.retries;
        let in_part = self.anywhere && goes_on && self.client.endpoints.has_other(route.index());
        Ok((route, if in_part { self.deadline.half() } else { self.deadline }))
    }

    /// Sends `body` on `route` and awaits the reply until `deadline`.
    pub(crate) async fn send(
        &self,
        route: &Route<'_>,
        operation: Opcode,
        body: Bytes,
        deadline: Deadline,
    ) -> Result<Frame, Error> {
        let request = (operation, self.client.next_request_id());
        route.send(request, body, deadline, &self.client.retries).await
    }

    /// After an attempt at `index` that ended with `error`: returns when it is time for the next.
    ///
    /// # Errors
    /// The error of the whole call, when there is no next.
    pub(crate) async fn again(&mut self, error: Error, index: Option<usize>) -> Result<(), Error> {
        self.doubt.note(self.operation, &error);
        self.failed += 1;
        let may_repeat = retry::may_repeat(self.operation, &error);
        if !may_repeat || self.failed > self.client.config.retries || self.deadline.is_over() {
            return Err(self.settle(error));
        }
        self.avoid = index;
        // Another server knows nothing of this one's trouble: no pause before each was asked once.
        let endpoints = &self.client.endpoints;
        let is_first_round = (self.failed as usize) < endpoints.count();
        let elsewhere =
            self.anywhere && is_first_round && index.is_some_and(|it| endpoints.has_other(it));
        let asked = error.retry_after().unwrap_or_default();
        let pause = if elsewhere {
            Duration::ZERO
        } else {
            self.client.retries.pause(self.failed).max(asked)
        };
        if pause >= self.deadline.left() || !self.client.retries.spend() {
            return Err(self.settle(error));
        }
        if !pause.is_zero() {
            sleep(pause).await;
        }
        Ok(())
    }

    fn settle(&mut self, mut error: Error) -> Error {
        match &mut error {
            // Attempts have parts of the time; the caller knows of the whole.
            Error::Timeout { after_ms, .. } | Error::Expired { after_ms, .. }
                if self.deadline.is_over() =>
            {
                *after_ms = self.deadline.given_ms();
            }
            _ => {}
        }
        std::mem::take(&mut self.doubt).settle(error)
    }
}

/// The bytes of a body that fits into a frame.
///
/// # Errors
/// [`Error::Invalid`] says how long it is.
pub(crate) fn checked_body(body: Vec<u8>) -> Result<Bytes, Error> {
    let frame_bytes = body.len() + HEADER_BYTES;
    if frame_bytes > FRAME_BYTES_MAX {
        let allowed = format!("at most {FRAME_BYTES_MAX}: send several smaller ones");
        let given = format!("{frame_bytes} bytes");
        return Err(model::Error::invalid("request", given, allowed).into());
    }
    Ok(Bytes::from(body))
}

impl Inner {
    /// Sends `body` to the first address until it is answered, retries are not allowed or used up, or the request timeout passed.
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
        let body = checked_body(body)?;
        let mut call = Call::new(self, operation, timeout);
        loop {
            let error = match attempt(&call, body.clone()).await {
                Ok(reply) => return Ok(reply),
                Err(error) => error,
            };
            call.again(error, Some(0)).await?;
        }
    }
}

async fn attempt(call: &Call<'_>, body: Bytes) -> Result<Frame, Error> {
    let (route, deadline) = call.route()?;
    let outcome = call.send(&route, call.operation, body, deadline).await;
    route.settle(call.operation, &outcome);
    outcome
}
