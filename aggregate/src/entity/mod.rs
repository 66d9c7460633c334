//! The window state of one entity: a raw event log and, once that is better, tiles.
//!
//! ```text
//!                 late_before          now − horizon           now
//!  dropped             │   may be folded      │   stays raw     │
//! ─────────────────────┼──────────────────────┼─────────────────┼──────► event time
//! ```
//!
//! Where an event is kept never shows in a value. A read at `x ≥ now − horizon` is later than every folded event, so tiles
//! need no cutting at the head; at the tail windows start at tile edges.
//!
//! | | |
//! |---|---|
//! | [`EntityWindows`], [`EntityView`] | the state, owned or in somebody's memory |
//! | `census`, `fold` | when the log is full: what is in it, and what becomes of its events |
//! | `level`, `young` | tiles of folded events; of events that must stay raw, but are many |
//! | `read`, `tokens`, `cusum` | values; of distinct counts; of cumulative sums |
//! | `retract` | events that are taken back |
//! | `codec` | bytes |

mod account;
mod census;
mod codec;
mod cusum;
mod fold;
mod level;
mod read;
mod retract;
mod sketches;
mod tokens;
mod young;

pub use codec::EncodedState;

pub use account::ColumnAccount;
pub(crate) use cusum::is_cusum;
pub(crate) use fold::{
    INBOX_BYTES, INBOX_EVENTS, LOG_BYTES_MIN, TIME_BYTES, folded_bytes, is_better_folded,
};
pub(crate) use level::{BLOCK_TILES, BLOCKS_FROM};
pub use read::{ReadAt, ReadScratch, Word};

use crate::{
    plan::{PreparedEvent, StoredEvent, WindowPlan},
    raw,
};
use level::LevelState;
use young::Young;

#[cfg(test)]
thread_local! {
    /// Tiles and blocks of tiles that reads of this thread came across.
    pub(crate) static MERGED: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}

/// The window state of one entity in one window group. The default is an entity without events.
#[derive(Debug, Clone, Default)]
pub struct EntityWindows {
    /// See [`crate::raw`].
    log: Vec<u8>,
    grown: Option<Box<Grown>>,
}

/// What an entity has beside its log once it has many events.
#[derive(Debug, Clone, Default)]
pub struct Grown {
    /// Folded events, one for each level of the plan.
    levels: Vec<LevelState>,
    young: Young,
}

/// The state of one entity wherever its bytes are: the log as a slice, the rest by reference.
#[derive(Debug, Clone, Copy, Default)]
pub struct EntityView<'a> {
    log: &'a [u8],
    grown: Option<&'a Grown>,
}

impl<'a> EntityView<'a> {
    /// The state that has this log and this rest, as [`EntityWindows::into_parts`] gave them.
    #[must_use]
    pub fn new(log: &'a [u8], grown: Option<&'a Grown>) -> Self {
        Self { log, grown }
    }
}

impl EntityWindows {
    /// Adds one accepted event. `now` is the stream's, in ms; under one that lies before the last, as of requests side by side, less
    /// is folded. Order does not matter: the same events give the same values, whatever the order and `now` of their updates.
    pub fn update(&mut self, plan: &WindowPlan, event: &PreparedEvent, now: i64) {
        if let Some(event) = event.stored() {
            self.update_stored(plan, event, now);
        }
    }

    /// As [`EntityWindows::update`], with an event of the same plan that was kept meanwhile.
    pub fn update_stored(&mut self, plan: &WindowPlan, event: StoredEvent<'_>, now: i64) {
        let needed = raw::record_bytes_max(event.body.len());
        if self.log.capacity() - self.log.len() < needed {
            self.make_room(plan, needed, now);
        }
        raw::append(&mut self.log, event.time, event.is_full, event.body);
    }

    /// The state, borrowed.
    #[must_use]
    pub fn view(&self) -> EntityView<'_> {
        EntityView { log: &self.log, grown: self.grown.as_deref() }
    }

    /// The log and the rest, for a holder that keeps logs in memory of its own.
    #[must_use]
    pub fn into_parts(self) -> (Vec<u8>, Option<Box<Grown>>) {
        (self.log, self.grown)
    }

    /// The state of [`EntityWindows::into_parts`].
    #[must_use]
    pub fn from_parts(log: Vec<u8>, grown: Option<Box<Grown>>) -> Self {
        Self { log, grown }
    }

    /// Bytes on the heap.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.log.capacity() + self.grown.as_ref().map_or(0, |grown| grown.bytes())
    }

    /// True when nothing is kept.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.log.is_empty() && self.grown.is_none()
    }

    /// Gives up what no window can see any more; true when nothing is left and the entity can be forgotten.
    pub fn retire(&mut self, plan: &WindowPlan, now: i64) -> bool {
        self.settle(plan, now, fold::Fold::Nothing);
        self.is_empty()
    }

    /// Folds everything older than the horizon and gives up what no window can see any more; true when nothing is left.
    pub fn compact(&mut self, plan: &WindowPlan, now: i64) -> bool {
        self.settle(plan, now, fold::Fold::Everything);
        self.is_empty()
    }
}

impl Grown {
    /// Bytes on the heap, its own included.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let levels = self.levels.capacity() * size_of::<LevelState>();
        let levels = levels + self.levels.iter().map(LevelState::bytes).sum::<usize>();
        size_of::<Self>() + levels + self.young.bytes()
    }

    /// Bytes of the one with this number of levels and nothing in them; vectors begin with room for four.
    pub(crate) fn empty_bytes(levels: usize) -> usize {
        size_of::<Self>() + levels.max(4) * size_of::<LevelState>()
    }

    fn is_empty(&self) -> bool {
        self.young.logs.is_empty() && self.levels.iter().all(LevelState::is_empty)
    }
}

impl StoredEvent<'_> {
    /// The most bytes that [`StoredEvent::append`] needs.
    #[must_use]
    pub fn bytes_max(&self) -> usize {
        raw::record_bytes_max(self.body.len())
    }

    /// Writes the event behind the first `used` bytes of `log`, which are the log of its entity, where there is room: the
    /// quick half of [`EntityWindows::update`]. The log's new length, or `None` when there is not room for it.
    #[must_use]
    pub fn append(self, log: &mut [u8], used: usize) -> Option<usize> {
        raw::append_within(log, used, self)
    }
}
