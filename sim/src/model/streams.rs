//! Clocks and ids of the streams.

use std::collections::BTreeMap;

use crate::{
    operation::Event,
    schema::{DEDUP_MS, Stream},
};

/// What becomes of an event, or of a retraction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    Accepted,
    Rejected,
    Late,
    Duplicate,
}

/// Times of the streams, in ms, and the ids that arrived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Clock {
    /// Latest now that orders were applied under.
    applied: i64,
    /// Latest now that ids may have been let go of under. No record of the log says so, and a crash may take it back: where the
    /// machine's clock was set back, an id that was let go of may be there again.
    looked: i64,
    /// Largest time of a click.
    pub(crate) newest: Option<i64>,
    /// When each id arrived.
    arrived: BTreeMap<i64, i64>,
}

impl Default for Clock {
    fn default() -> Self {
        Self { applied: i64::MIN, looked: i64::MIN, newest: None, arrived: BTreeMap::new() }
    }
}

impl Clock {
    /// Events were applied under `now`.
    pub(super) fn apply(&mut self, stream: Stream, now: i64, events: &[Event]) {
        match stream {
            Stream::Orders => {
                self.applied = self.applied.max(now);
                self.look(now);
                self.arrived.extend(events.iter().map(|event| (event.id, now)));
            }
            Stream::Clicks => {
                self.newest = self.newest.max(events.iter().map(|event| event.time).max());
            }
        }
    }

    pub(super) fn forget(&mut self, id: i64) {
        self.arrived.remove(&id);
    }

    /// The database may have let ids go while the wall clock showed `wall_ms`.
    pub(crate) fn look(&mut self, wall_ms: i64) {
        self.looked = self.looked.max(wall_ms);
    }

    /// What an earlier life of the database looked at may be remembered.
    pub(crate) fn inherit(&mut self, earlier: &Self) {
        self.look(earlier.looked);
    }

    /// "Now" of the orders.
    pub(crate) fn orders_now(&self, wall_ms: i64) -> i64 {
        self.applied.max(wall_ms)
    }

    /// Orders were applied under this wall clock or a later one.
    pub(crate) fn has_applied(&self, wall_ms: i64) -> bool {
        self.applied >= wall_ms
    }

    /// Whether `id` arrived within `dedup` before `now`; `None` where nobody can say: the database's answer counts.
    pub(crate) fn is_duplicate(&self, id: i64, now: i64) -> Option<bool> {
        let Some(at) = self.arrived.get(&id).copied() else { return Some(false) };
        let was_let_go = at <= self.looked.saturating_sub(DEDUP_MS);
        match at > now.saturating_sub(DEDUP_MS) {
            false => Some(false),
            true if was_let_go => None,
            true => Some(true),
        }
    }
}
