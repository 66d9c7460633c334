//! Events taken back out of a table.

use aggregate::{EntityWindows, WindowPlan};
use stdx::hash::KeyHasher;

use super::WindowTable;

impl WindowTable {
    /// True when the raw events of `key` have one of this time, in ms, and id.
    ///
    /// # Errors
    /// [`storage::Error::Damaged`] when its state lies in a damaged part of the snapshot.
    pub(crate) fn holds(
        &self,
        hasher: &KeyHasher,
        key: &[u8],
        plan: &WindowPlan,
        event_time: i64,
        id: &[u8],
    ) -> Result<bool, storage::Error> {
        let found = self.get(plan, hasher.hash(key), key)?;
        Ok(found.is_some_and(|windows| windows.holds(plan, event_time, id)))
    }

    /// Takes back every raw event of `key` that has this time, in ms, and id. An entity that has no events left is forgotten.
    pub(crate) fn retract(
        &mut self,
        hasher: &KeyHasher,
        key: &[u8],
        plan: &WindowPlan,
        event_time: i64,
        id: &[u8],
    ) {
        let retract = |windows: &mut EntityWindows| {
            windows.retract(plan, event_time, id);
            windows.is_empty()
        };
        let hash = hasher.hash(key);
        let slot = self.find(hash, key).or_else(|| self.promote(hasher, plan, hash, key));
        let Some(slot) = slot else { return };
        self.before_change(hash, slot);
        if self.change(slot, 0, retract) {
            self.remove(hasher, slot);
        }
    }
}
