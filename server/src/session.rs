//! One peer's bytes as requests: no socket, no clock, no engine.

use std::sync::Arc;

use protocol::frame::{self, FrameRef};

use crate::{
    access::caller::Caller,
    audit::{Audit, AuditedPeer},
    handles::Made,
    peer::Peer,
    prepared::Prepared,
};

/// What is known of a peer.
#[derive(Default)]
pub(crate) struct Session {
    /// Requests taken, for the log line at the end.
    pub(crate) requests: u64,
    /// Who it is, as far as the connection proves it; nobody in particular in bulk.
    pub(crate) peer: Peer,
    /// The handle that it used last, and what that stands for: most peers use one over and over.
    recent: Option<(u64, Arc<Prepared>)>,
    is_bulk: bool,
    /// Where its thread counts what is served.
    lane: usize,
    /// Who it is, and what was decided for it.
    pub(crate) caller: Caller,
    /// What the audit log hears of it.
    pub(crate) audit: AuditedPeer,
    /// Handles that it was the first to prepare.
    pub(crate) made: Made,
}

impl Session {
    /// Of a connection with `peer`.
    pub(crate) fn with(peer: Peer) -> Self {
        let certificate = peer.certificate_subject.as_deref();
        let caller = certificate.map(Caller::certified).unwrap_or_default();
        Self { peer, caller, ..Self::default() }
    }

    /// Its connection's thread counts in this lane.
    pub(crate) fn counts_in(mut self, lane: usize) -> Self {
        self.lane = lane;
        self
    }

    /// Its connection is told of in `audit`.
    pub(crate) fn audited(mut self, audit: &Audit) -> Self {
        self.audit = audit.connected(&self.peer);
        self.caller.audit = self.audit.tally();
        self
    }

    /// Of a thread for requests that take long, for one of `caller`'s.
    pub(crate) fn in_bulk(lane: usize, (audit, caller): (AuditedPeer, Caller)) -> Self {
        Self { is_bulk: true, lane, audit, caller, ..Self::default() }
    }

    /// Where its thread counts what is served.
    pub(crate) fn lane(&self) -> usize {
        self.lane
    }

    /// True where nobody waits for requests that take long.
    pub(crate) fn is_bulk(&self) -> bool {
        self.is_bulk
    }

    /// The next whole request at the front of `input`, or `None` when bytes are missing.
    ///
    /// # Errors
    /// When what stands there is no frame: the connection cannot go on.
    pub(crate) fn next<'a>(
        &mut self,
        input: &'a [u8],
    ) -> Result<Option<FrameRef<'a>>, protocol::Error> {
        let frame = frame::first(input)?;
        self.requests += u64::from(frame.is_some());
        Ok(frame)
    }

    /// Forgets what it remembers between requests: one of them came to no end.
    pub(crate) fn forget(&mut self) {
        self.recent = None;
    }

    /// The handle that was used last, and who uses it.
    pub(crate) fn recent(&mut self) -> (Option<&(u64, Arc<Prepared>)>, &mut Caller) {
        (self.recent.as_ref(), &mut self.caller)
    }

    /// What `handle` stands for: as it was last time, or as `find` says. A handle never stands for something else.
    pub(crate) fn prepared(
        &mut self,
        handle: u64,
        find: impl FnOnce(u64) -> Option<Arc<Prepared>>,
    ) -> Option<&Arc<Prepared>> {
        if self.recent.as_ref().is_none_or(|(recent, _)| *recent != handle) {
            self.recent = Some((handle, find(handle)?));
        }
        self.recent.as_ref().map(|(_, prepared)| prepared)
    }
}
