//! The addresses a client knows: which of them the next attempt goes to, one request to it and its reply, and what the outcome
//! says of it.
//!
//! The first is the client's server: writes and whatever else is no read of vectors go there alone, because nobody else knows
//! which sequences it has applied. Reads take the first that is not left alone by its breaker, in the order given.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use protocol::{CallStatus, Failure, Frame, Header, Opcode};
use stdx::{prng::seed_from_os, sync::Mutex};
use tokio::time::Instant;

use crate::{
    Error,
    breaker::{Admitted, Breaker},
    client::Config,
    connection::NoReply,
    deadline::Deadline,
    pool::Pool,
    retry::Retries,
};

/// Failures in a row after which reads leave an address alone, when there are several.
const BREAKER_AFTER: u32 = 5;

/// All addresses of a client; never none.
pub(crate) struct Endpoints(Vec<Endpoint>);

/// One address.
pub(crate) struct Endpoint {
    index: usize,
    pool: Pool,
    /// Of what may go to every address.
    breaker: Mutex<Breaker>,
    /// Of what has no other address to go to: a read in a hurry must not close the road of a write that has time.
    home_breaker: Mutex<Breaker>,
}

/// Leave for one attempt: where it goes. Dropped without [`Route::settle`], the attempt was given up and says nothing.
pub(crate) struct Route<'a> {
    endpoint: &'a Endpoint,
    breaker: &'a Mutex<Breaker>,
    turn: usize,
    admitted: Admitted,
    settled: AtomicBool,
}

impl Endpoints {
    pub(crate) fn new(config: &Config) -> Self {
        let addrs = std::iter::once(&config.addr).chain(&config.read_addrs);
        let threshold = config.breaker_after.unwrap_or(match config.read_addrs.as_slice() {
            [] => 0,
            _ => BREAKER_AFTER,
        });
        let home_threshold = config.breaker_after.unwrap_or(0);
        let endpoint = |(index, addr): (usize, &String)| Endpoint {
            index,
            pool: Pool::new(addr, config),
            breaker: Mutex::new(Breaker::new(threshold, seed_from_os())),
            home_breaker: Mutex::new(Breaker::new(home_threshold, seed_from_os())),
        };
        Self(addrs.enumerate().map(endpoint).collect())
    }

    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        self.0.len()
    }

    /// The address at `index`, as given.
    pub(crate) fn addr(&self, index: usize) -> &str {
        self.0.get(index).map_or("", |endpoint| endpoint.pool.addr())
    }

    /// Where the next attempt goes: of all addresses or of the first alone; to `avoid` only when there is no other.
    ///
    /// # Errors
    /// [`Error::CircuitOpen`] of the one that is worth a try first.
    pub(crate) fn pick(&self, anywhere: bool, avoid: Option<usize>) -> Result<Route<'_>, Error> {
        let candidates = if anywhere { self.0.as_slice() } else { self.0.get(..1).unwrap_or(&[]) };
        let avoided = |endpoint: &&Endpoint| Some(endpoint.index) == avoid;
        let first = candidates.iter().filter(|endpoint| !avoided(endpoint));
        let mut soonest: Option<(Duration, Error)> = None;
        for endpoint in first.chain(candidates.iter().filter(avoided)) {
            match endpoint.admit(anywhere) {
                Ok(route) => return Ok(route),
                Err((wait, error)) => {
                    if soonest.as_ref().is_none_or(|(least, _)| wait < *least) {
                        soonest = Some((wait, error));
                    }
                }
            }
        }
        Err(soonest.map_or(Error::Closed, |(_, error)| error))
    }

    /// Where a second request goes beside the one on `first`: another address that works, else another connection.
    pub(crate) fn pick_beside<'a>(&'a self, first: &Route<'a>) -> Option<Route<'a>> {
        let mut others = self.0.iter().filter(|other| other.index != first.index());
        let other = others.find(|other| other.breaker.lock().is_closed());
        match other {
            Some(other) => other.admit(true).ok(),
            None => {
                let pool = &first.endpoint.pool;
                let turn = first.turn.wrapping_add(1);
                let (endpoint, breaker) = (first.endpoint, first.breaker);
                (pool.size() > 1).then(|| Route::new(endpoint, breaker, turn, Admitted::Usual))
            }
        }
    }

    /// True when a read could go to another address than `index`.
    pub(crate) fn has_other(&self, index: usize) -> bool {
        self.0.iter().any(|other| other.index != index && other.breaker.lock().is_closed())
    }
}

impl Endpoint {
    fn admit(&self, anywhere: bool) -> Result<Route<'_>, (Duration, Error)> {
        let breaker = if anywhere { &self.breaker } else { &self.home_breaker };
        let asked = breaker.lock().admit(Instant::now());
        match asked {
            Ok(admitted) => Ok(Route::new(self, breaker, self.pool.turn(), admitted)),
            Err(refused) => {
                // Rounded up: after that time it is worth a try.
                let retry_after_ms =
                    u64::try_from(refused.wait.as_millis()).unwrap_or(u64::MAX) + 1;
                let (addr, reason) = (self.pool.addr().to_owned(), refused.reason);
                Err((refused.wait, Error::CircuitOpen { addr, reason, retry_after_ms }))
            }
        }
    }
}

impl<'a> Route<'a> {
    fn new(
        endpoint: &'a Endpoint,
        breaker: &'a Mutex<Breaker>,
        turn: usize,
        admitted: Admitted,
    ) -> Self {
        Self { endpoint, breaker, turn, admitted, settled: AtomicBool::new(false) }
    }

    /// Which address it leads to.
    pub(crate) fn index(&self) -> usize {
        self.endpoint.index
    }

    /// Sends one request there and awaits its reply until `deadline`.
    ///
    /// # Errors
    /// Those of a reply that is not OK, or of its lack.
    pub(crate) async fn send(
        &self,
        (operation, request_id): (Opcode, u64),
        body: Bytes,
        deadline: Deadline,
        retries: &Retries,
    ) -> Result<Frame, Error> {
        let after_ms = deadline.given_ms();
        let pool = &self.endpoint.pool;
        // Without a connection nothing was sent, however the time ran out.
        let connected = deadline.hold(pool.get(self.turn, retries)).await;
        let connection =
            connected.unwrap_or_else(|| Err(pool.refused("no connection in time".to_owned())))?;
        // What is left when it leaves takes the place of the 0.
        let header = Header::request(operation, request_id, 0);
        let addr = || pool.addr().to_owned();
        match connection.call(header, body, deadline).await {
            Ok(reply) => check(&reply, operation, pool.addr()).map(|()| reply),
            Err(NoReply::Ended(reason)) => {
                Err(Error::Lost { addr: addr(), operation, reason: reason.to_string() })
            }
            Err(NoReply::Expired) => Err(Error::Expired { operation, after_ms }),
            Err(NoReply::Late) => Err(Error::Timeout { addr: addr(), operation, after_ms }),
        }
    }

    /// Tells the breaker how the attempt ended.
    pub(crate) fn settle<T>(&self, operation: Opcode, outcome: &Result<T, Error>) {
        match outcome {
            Err(error) if blames_endpoint(error, operation) => self.blame(error),
            // An answer, even if it is a refusal: the endpoint works.
            Ok(_)
            | Err(Error::Fix(_) | Error::Operator(_) | Error::MemoryFull(_) | Error::Retry(_)) => {
                self.end(Breaker::succeeded);
            }
            // Nothing that it could know of.
            Err(_) => {}
        }
    }

    /// The attempt was given up because another address answered the same sooner.
    pub(crate) fn overtaken(&self, operation: Opcode) {
        let (addr, after_ms) = (self.endpoint.pool.addr().to_owned(), 0);
        self.blame(&Error::Timeout { addr, operation, after_ms });
    }

    fn blame(&self, error: &Error) {
        let reason = || match error {
            Error::Connect { reason, .. } | Error::Lost { reason, .. } => reason.clone(),
            Error::Timeout { .. } | Error::Expired { .. } => "no answer in time".to_owned(),
            other => other.to_string(),
        };
        let retry_after = error.retry_after();
        self.end(|breaker| breaker.failed(self.admitted, Instant::now(), reason, retry_after));
    }

    fn end(&self, tell: impl FnOnce(&mut Breaker)) {
        self.settled.store(true, Ordering::Relaxed);
        tell(&mut self.breaker.lock());
    }
}

impl Drop for Route<'_> {
    fn drop(&mut self) {
        if self.admitted == Admitted::Probe && !*self.settled.get_mut() {
            self.breaker.lock().given_up(Instant::now());
        }
    }
}

/// True when `error` says that the endpoint is in trouble. A server that cannot write says so of writes alone, and reads well.
fn blames_endpoint(error: &Error, operation: Opcode) -> bool {
    match error {
        Error::Connect { .. }
        | Error::Lost { .. }
        | Error::Timeout { .. }
        | Error::Expired { .. }
        | Error::Protocol { .. } => true,
        other => match other.status() {
            Some(CallStatus::Overloaded | CallStatus::DeadlineExceeded) => true,
            Some(CallStatus::Unavailable) => !operation.writes(),
            _ => false,
        },
    }
}

/// The error of a reply that is not OK, or not one to `operation`.
fn check(reply: &Frame, operation: Opcode, addr: &str) -> Result<(), Error> {
    let protocol_error = |source| Error::Protocol { addr: addr.to_owned(), source };
    let header = reply.header();
    if !header.is_reply || header.opcode() != Some(operation) {
        let what = if header.is_reply { "a reply to operation" } else { "a request of operation" };
        let reason = format!("{what} {} instead of a reply to {operation}", header.opcode_code);
        return Err(protocol_error(protocol::Error::Malformed(reason)));
    }
    let status = header.status().unwrap_or(CallStatus::Internal);
    if status == CallStatus::Ok {
        return Ok(());
    }
    let failure = Failure::decode(status, reply.body());
    Err(failure.map_or_else(protocol_error, Error::from_failure))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoints(addrs: usize, breaker_after: u32) -> Endpoints {
        let mut builder = crate::Client::builder("a:1").breaker_after(breaker_after);
        for number in 1..addrs {
            builder = builder.also_read_from(format!("b:{number}"));
        }
        Endpoints::new(builder.config())
    }

    fn lost(operation: Opcode) -> Result<(), Error> {
        Err(Error::Lost { addr: "a:1".into(), operation, reason: "reset".into() })
    }

    fn refused(status: CallStatus) -> Result<(), Error> {
        Err(Error::from_failure(Failure { status, detail: 0, message: "as told".into() }))
    }

    fn index(endpoints: &Endpoints, anywhere: bool, avoid: Option<usize>) -> Option<usize> {
        endpoints.pick(anywhere, avoid).ok().map(|route| route.index())
    }

    #[test]
    fn reads_move_on_and_writes_do_not() {
        let endpoints = endpoints(3, 2);
        assert_eq!(index(&endpoints, true, None), Some(0));
        assert_eq!(index(&endpoints, true, Some(0)), Some(1));
        assert_eq!(index(&endpoints, false, Some(0)), Some(0), "writes have one home");
        for _ in 0..2 {
            let route = endpoints.pick(true, None).expect("closed");
            route.settle(Opcode::Read, &lost(Opcode::Read));
        }
        assert_eq!(index(&endpoints, true, None), Some(1));
        for _ in 0..2 {
            let route = endpoints.pick(false, None).expect("reads do not close the road of writes");
            route.settle(Opcode::Push, &lost(Opcode::Push));
        }
        let error = endpoints.pick(false, None).err().expect("the first is left alone");
        let said = error.to_string();
        assert!(said.contains("a:1") && said.contains("reset") && error.is_retryable(), "{said}");
        assert!(!error.may_be_applied() && error.retry_after().is_some());
    }

    #[test]
    fn refusals_are_answers_and_a_full_disk_is_no_trouble_for_reads() {
        let endpoints = endpoints(1, 1);
        let settle = |operation: Opcode, outcome: Result<(), Error>| {
            endpoints.pick(false, None).expect("closed").settle(operation, &outcome);
        };
        settle(Opcode::Push, refused(CallStatus::Unavailable));
        settle(Opcode::Read, refused(CallStatus::NotFound));
        settle(Opcode::Put, refused(CallStatus::MemoryFull));
        settle(Opcode::Read, Err(model::Error::Malformed("ours".into()).into()));
        settle(Opcode::Read, Ok(()));
        settle(Opcode::Read, refused(CallStatus::Unavailable));
        assert!(endpoints.pick(false, None).is_err(), "one failure opens it");
    }

    #[test]
    fn hedges_go_to_another_address_else_to_another_connection() {
        let several = endpoints(2, 1);
        let first = several.pick(true, None).expect("closed");
        let second = several.pick_beside(&first).expect("there is another");
        assert_eq!((second.index(), several.has_other(0)), (1, true));
        second.settle(Opcode::Read, &lost(Opcode::Read));
        let second = several.pick_beside(&first).expect("two connections");
        assert_eq!((second.index(), several.has_other(0)), (0, false));
        assert_ne!(second.turn % 2, first.turn % 2);
        let config = crate::Client::builder("a:1").connections(1);
        let one = Endpoints::new(config.config());
        let first = one.pick(true, None).expect("closed");
        assert!(one.pick_beside(&first).is_none(), "there is nowhere else");
    }

    #[test]
    fn a_probe_that_its_caller_gives_up_leaves_the_next_one_to_try() {
        let endpoints = endpoints(1, 1);
        endpoints.pick(false, None).expect("closed").settle(Opcode::Read, &lost(Opcode::Read));
        let endpoint = &endpoints.0[0];
        let later = Instant::now() + Duration::from_secs(1);
        let probe = |now| {
            let admitted = endpoint.home_breaker.lock().admit(now).ok()?;
            Some(Route::new(endpoint, &endpoint.home_breaker, 0, admitted))
        };
        let first = probe(later).expect("the pause is over");
        assert!(probe(later).is_none(), "one at a time");
        drop(first);
        let second = probe(later).expect("the first said nothing");
        second.settle(Opcode::Read, &Ok(()));
        drop(second);
        assert!(endpoint.home_breaker.lock().is_closed(), "what was settled is not given up");
    }

    #[test]
    fn an_address_that_others_overtake_again_and_again_is_left_alone() {
        let endpoints = endpoints(2, 3);
        for _ in 0..3 {
            endpoints.pick(true, None).expect("closed").overtaken(Opcode::Read);
        }
        assert_eq!(index(&endpoints, true, None), Some(1));
    }
}
