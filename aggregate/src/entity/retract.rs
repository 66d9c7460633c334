//! Retraction: an event, known by its time and id, leaves the raw events as if it had never come.
//!
//! ```text
//! log     ─ a b c d ─►  a c d      records are written again: their times are relative to the first one's
//! young   the log of one tile likewise, and the tile's sums are made anew of what is left in it
//! ```
//!
//! What is folded cannot be taken back: a minimum does not say what it would be without one event. Nothing from the floor
//! `now − horizon` on is ever folded, so whoever retracts only events from there on gets an answer that no layout shows in.

use super::{
    EntityView, EntityWindows,
    level::{Events, FoldScratch, LevelState},
    young::Young,
};
use crate::{
    plan::WindowPlan,
    raw::{self, Record, Records},
    tile::TileTable,
};

impl EntityView<'_> {
    /// True when a raw event has this time, in ms, and this id. Where no stream declares `retract`, none has.
    #[must_use]
    pub fn holds(self, plan: &WindowPlan, time: i64, id: &[u8]) -> bool {
        let young = self.grown.and_then(|grown| grown.young.log_at(plan, time));
        [Some(self.log), young].into_iter().flatten().any(|log| count(plan, log, time, id) > 0)
    }
}

impl EntityWindows {
    /// Takes back every raw event of this time, in ms, and this id: bytes as [`WindowPlan::prepare`] was given them. Returns how
    /// many went. The caller sees to it that `time` is not before the floor: there some events are raw and some are folded.
    pub fn retract(&mut self, plan: &WindowPlan, time: i64, id: &[u8]) -> usize {
        let mut gone = remove(plan, &mut self.log, time, id);
        if let Some(grown) = &mut self.grown {
            gone += grown.young.retract(plan, time, id);
            if grown.is_empty() {
                self.grown = None;
            }
        }
        gone
    }
}

impl Young {
    fn log_at(&self, plan: &WindowPlan, time: i64) -> Option<&[u8]> {
        let at =
            self.logs.binary_search_by_key(&time.div_euclid(plan.young_hop_ms()), |tile| tile.0);
        at.ok().and_then(|at| self.logs.get(at)).map(|(_, log)| log.as_slice())
    }

    fn retract(&mut self, plan: &WindowPlan, time: i64, id: &[u8]) -> usize {
        let hop_ms = plan.young_hop_ms();
        let number = time.div_euclid(hop_ms);
        let Ok(at) = self.logs.binary_search_by_key(&number, |tile| tile.0) else { return 0 };
        let Some((_, log)) = self.logs.get_mut(at) else { return 0 };
        let gone = remove(plan, log, time, id);
        if gone == 0 {
            return 0;
        }
        self.sums.remake_tile(plan, (hop_ms, number), log);
        if log.is_empty() {
            self.logs.remove(at);
        }
        self.distrust_tokens();
        gone
    }
}

impl LevelState {
    /// Makes a tile of `hop_ms` of the events of `log` alone, and the blocks of all tiles.
    fn remake_tile(&mut self, plan: &WindowPlan, (hop_ms, number): (i64, i64), log: &[u8]) {
        self.tiles.remove(plan, number);
        // Gone before events are folded, or they would count in a block twice.
        self.blocks = TileTable::default();
        let events = Events::of_log(plan, log);
        self.fold_tiles(plan, hop_ms, &events, i64::MIN, &mut FoldScratch::default());
    }
}

fn is_of(record: &Record<'_>, time: i64, id: &[u8]) -> bool {
    record.time == time && record.id == id
}

/// How many records of `log` have this time and id.
fn count(plan: &WindowPlan, log: &[u8], time: i64, id: &[u8]) -> usize {
    if !plan.has_ids() {
        return 0;
    }
    let (mut records, mut values) = (Records::new(plan, log), Vec::new());
    let mut found = 0;
    while let Some(record) = records.next(&mut values) {
        found += usize::from(is_of(&record, time, id));
    }
    found
}

/// Removes those records; a log without them stays as it is.
fn remove(plan: &WindowPlan, log: &mut Vec<u8>, time: i64, id: &[u8]) -> usize {
    let gone = count(plan, log, time, id);
    if gone == 0 {
        return 0;
    }
    let mut kept = Vec::with_capacity(log.len());
    let (mut records, mut values) = (Records::new(plan, log), Vec::new());
    while let Some(record) = records.next(&mut values) {
        if !is_of(&record, time, id) {
            raw::append(&mut kept, record.time, record.is_full, record.body);
        }
    }
    // An entity without events holds no memory.
    *log = if kept.is_empty() { Vec::new() } else { kept };
    gone
}
