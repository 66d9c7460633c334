//! The window state of one entity: a raw event log and, once that is smaller, tiles.
//!
//! ```text
//!                 late_before          now − horizon           now
//!  dropped             │   may be folded      │   stays raw     │
//! ─────────────────────┼──────────────────────┼─────────────────┼──────► event time
//! ```
//!
//! Where an event is kept never shows in a value. A read at `x ≥ now − horizon` is later than every folded event, so tiles
//! need no cutting at the head; at the tail windows start at tile edges.

mod codec;
mod fold;
mod read;

pub use read::{ReadAt, ReadScratch};

use crate::{
    distinct::Distinct,
    plan::{PreparedEvent, WindowPlan},
    raw,
    tile::TileTable,
};

/// Bytes that the first event's log is given at least.
const LOG_BYTES_MIN: usize = 16;

/// The window state of one entity in one window group. The default is an entity without events.
#[derive(Debug, Clone, Default)]
pub struct EntityWindows {
    /// See [`crate::raw`].
    raw: Vec<u8>,
    /// One for each level of the plan; none until something was folded.
    levels: Option<Box<Levels>>,
}

/// What was folded.
#[derive(Debug, Clone, Default)]
struct Levels(Vec<LevelState>);

/// What one level holds of the folded events that its windows can see.
#[derive(Debug, Clone, Default)]
struct LevelState {
    tiles: TileTable,
    /// One for each cell with distinct tokens.
    distinct: Vec<Distinct>,
}

impl EntityWindows {
    /// Adds one accepted event. `now` is the stream's, in ms, and never goes back. Order does not matter: the same events
    /// give the same values, whatever the order and `now` of their updates.
    pub fn update(&mut self, plan: &WindowPlan, event: &PreparedEvent, now: i64) {
        if !event.is_counted {
            return;
        }
        let needed = raw::record_bytes_max(event);
        if self.raw.capacity() - self.raw.len() < needed {
            self.make_room(plan, needed, now);
        }
        raw::append(&mut self.raw, event.time, &event.body);
    }

    /// Bytes on the heap.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let levels = self.levels.as_ref().map_or(0, |levels| {
            let of_level = |level: &LevelState| {
                size_of::<LevelState>()
                    + level.tiles.bytes()
                    + level.distinct.capacity() * size_of::<Distinct>()
                    + level.distinct.iter().map(Distinct::bytes).sum::<usize>()
            };
            size_of::<Levels>() + levels.0.iter().map(of_level).sum::<usize>()
        });
        self.raw.capacity() + levels
    }

    /// True when nothing is kept.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.raw.is_empty() && self.levels.is_none()
    }

    /// Gives up what no window can see any more; true when nothing is left and the entity can be forgotten.
    pub fn retire(&mut self, plan: &WindowPlan, now: i64) -> bool {
        self.rewrite(plan, now, fold::Fold::Nothing);
        self.is_empty()
    }

    /// Folds everything older than the horizon and gives up what no window can see any more.
    pub fn compact(&mut self, plan: &WindowPlan, now: i64) {
        self.rewrite(plan, now, fold::Fold::Everything);
    }

    /// Adds the events of `other`, of the same plan; the two share none.
    pub fn merge(&mut self, plan: &WindowPlan, other: &Self, now: i64) {
        let mut values = Vec::new();
        let mut records = raw::Records::new(plan, &other.raw);
        while let Some(record) = records.next(&mut values) {
            raw::append(&mut self.raw, record.time, record.body);
        }
        if let Some(levels) = &other.levels {
            self.merge_levels(plan, levels, now);
        }
    }

    /// Called when the log is full, which is when looking at all of it costs little per event: folds where that saves
    /// memory, drops what is dead, and grows by a quarter.
    fn make_room(&mut self, plan: &WindowPlan, needed: usize, now: i64) {
        if let Some(fold) = self.worth_rewriting(plan, now) {
            self.rewrite(plan, now, fold);
            if self.raw.capacity() - self.raw.len() >= needed {
                return;
            }
        }
        let wanted = (self.raw.len() + needed).max(LOG_BYTES_MIN);
        let wanted = (wanted + self.raw.len() / 4).next_multiple_of(8);
        self.raw.reserve_exact(wanted - self.raw.len());
    }
}
