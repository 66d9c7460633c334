//! A sweep through what a table serves from the snapshot: nobody waits for the disk with the table locked.
//!
//! ```text
//! [shared lock]     which entities come next          from memory alone
//! [no lock]         which of them have something to give up    reads and verifies the file
//! [exclusive lock]  those are promoted and swept      their bytes were read a moment ago
//! ```
//!
//! Ripe is an entity with tiles, whose dead ones are folded away only in memory, or with an event that no window sees any more.

use aggregate::EntityView;

use super::{
    snapshot::stored_parts,
    sweep::{COMPACT_COST, RETIRE_COST, SweepStep},
    table::{Moment, WindowTable},
};
use crate::base::BaseSection;

/// Entities that are to be looked at.
#[derive(Debug)]
pub(crate) struct ColdLook {
    section: BaseSection,
    /// Ascending.
    ordinals: Vec<u32>,
    /// The position behind them.
    end: u32,
}

/// Those of them that are to be swept.
#[derive(Debug, Default)]
pub(crate) struct Ripe {
    ordinals: Vec<u32>,
    /// The position behind all that was looked at.
    next: u32,
    /// Entities left alone.
    left: usize,
    /// What all of it costs, in looks at an entity that is left alone.
    cost: usize,
}

impl WindowTable {
    /// The entities of the snapshot among the next `limit` positions from `from` on; `None` when there are no such positions.
    pub(crate) fn look_cold(&self, from: u32, limit: usize) -> Option<ColdLook> {
        let table = &self.base.as_ref()?.table;
        let limit = u32::try_from(limit).unwrap_or(u32::MAX);
        let end = from.saturating_add(limit).min(table.end());
        let (section, ordinals) = (table.section().clone(), table.live_in(from..end).collect());
        (from < end).then_some(ColdLook { section, ordinals, end })
    }

    /// Brings `ripe` entities into memory, and sweeps them there. Positions are those that they were looked at under.
    pub(crate) fn sweep_ripe(&mut self, moment: Moment<'_>, ripe: &Ripe) -> SweepStep {
        let mut step = SweepStep { entities: ripe.left, ..SweepStep::default() };
        for ordinal in ripe.ordinals.iter().copied() {
            if let Some(slot) = self.promote_ordinal(moment, ordinal) {
                self.sweep_slot(moment, slot, &mut step);
            }
        }
        SweepStep { next: Some(ripe.next), cost: ripe.cost, ..step }
    }
}

impl ColdLook {
    /// Reads them, until sweeping what is ripe costs `budget`: what is older than `late_before`, in ms, is seen by no window.
    pub(crate) fn ripe(&self, late_before: i64, budget: usize) -> Ripe {
        let mut ripe = Ripe { next: self.end, ..Ripe::default() };
        if let [first, .., last] = self.ordinals[..] {
            self.section.will_read(first, (last - first) as usize + 1);
        }
        for ordinal in self.ordinals.iter().copied() {
            if ripe.cost >= budget {
                ripe.next = ordinal;
                break;
            }
            // Damage is told to whoever reads it.
            let record = self.section.record(ordinal).ok();
            let state = record.and_then(|record| stored_parts(record.payload));
            let Some((_, _, state)) = state else { continue };
            let first = EntityView::new(state.log(), None).first_time();
            let is_live = first.is_some_and(|first| first >= late_before);
            if is_live && !state.has_tiles() {
                ripe.left += 1;
                ripe.cost += 1;
                continue;
            }
            ripe.ordinals.push(ordinal);
            ripe.cost += RETIRE_COST + if state.has_tiles() { COMPACT_COST } else { RETIRE_COST };
        }
        ripe.cost = ripe.cost.max(1);
        ripe
    }
}

#[cfg(test)]
mod tests {
    use super::super::snapshot::tests::{plan, serving};
    use super::*;
    use stdx::hash::KeyHasher;

    /// A sweep read and verified blocks of the file, from a slow disk, with the shard locked.
    #[test]
    fn what_a_sweep_does_with_the_table_locked_verifies_no_block() {
        let (hasher, plan) = (KeyHasher::new(1), plan());
        // Version, a log without events, no tiles: nothing that a window sees.
        let state = [&u32::MAX.to_le_bytes()[..], &[2, 0, 0, 0, 0, 0]].concat();
        let keys: Vec<_> = (0..3000).map(|key| format!("{key:0100}").into_bytes()).collect();
        let entities = keys.iter().map(|key| (key.as_slice(), state.as_slice()));
        let (mut table, snapshot) = serving(&hasher, entities, 0);
        let moment = Moment::new(&hasher, &plan, 1_000_000);
        let (mut position, mut retired) = (0, 0);
        let start = snapshot.verified();
        while let Some(look) = table.look_cold(position, 100) {
            let before = snapshot.verified();
            let step = table.sweep(moment, position, 100);
            assert_eq!((step.entities, snapshot.verified()), (0, before), "only what is in memory");
            let ripe = look.ripe(moment.late_before, 400);
            let read = snapshot.verified();
            let step = table.sweep_ripe(moment, &ripe);
            assert_eq!(snapshot.verified(), read);
            assert!(step.cost <= 400 + COMPACT_COST && step.next > Some(position), "{step:?}");
            position = step.next.expect("there is more");
            retired += step.retired;
        }
        assert!(snapshot.verified().0 > start.0 + 3, "{start:?} {:?}", snapshot.verified());
        assert_eq!((retired, table.len()), (3000, 0));
    }
}
