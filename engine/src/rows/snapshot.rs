//! A row table and snapshots: its rows on their way into one, and those that are still served from the last.

use stdx::hash::KeyHasher;
use storage::{Error, snapshot::Section};

use super::{layout::RowLayout, slab::SlotMut, slot::Slot, table::RowTable};
use crate::base::{Base, Ordinals, Records, TableFence};

/// The rows of a snapshot that memory does not have instead.
#[derive(Debug)]
pub(super) struct RowBase {
    pub(super) table: Base,
    /// How its rows lie: the features there were when the snapshot was taken.
    layout: RowLayout,
}

impl RowBase {
    fn new(layout: &RowLayout, table: Base) -> Result<Self, Error> {
        let layout = layout.first(table.extra() as usize);
        let layout = layout.ok_or_else(|| table.damaged("more features than the group has"))?;
        Ok(Self { table, layout })
    }

    pub(super) fn find(&self, hash: u64, key: &[u8]) -> Result<Option<Slot<'_>>, Error> {
        match self.table.find(hash, key)? {
            Some(ordinal) => self.get(ordinal),
            None => Ok(None),
        }
    }

    fn get(&self, ordinal: u32) -> Result<Option<Slot<'_>>, Error> {
        let Some(record) = self.table.get(ordinal)? else { return Ok(None) };
        let row = Slot::read(&self.layout, record.key, record.payload);
        let short = "a row is shorter than its features";
        row.map(Some).map_err(|_| self.table.damaged_at(ordinal, short))
    }
}

impl RowTable {
    /// Serves the rows of `section` from where they lie; the table is empty before.
    ///
    /// # Errors
    /// [`Error::Damaged`] when the section does not fit to the group.
    pub(crate) fn attach(&mut self, section: Section) -> Result<(), Error> {
        self.base = Some(Box::new(RowBase::new(self.layout(), Base::open(section)?)?));
        Ok(())
    }

    /// Serves from `section` of a newer snapshot what it served from the last; `carried` are the rows of that one that come first
    /// in it.
    ///
    /// # Errors
    /// [`Error::Damaged`]: it goes on with the last one.
    pub(crate) fn rebase(&mut self, section: Section, carried: &Ordinals) -> Result<(), Error> {
        let Some(base) = &self.base else { return Ok(()) };
        self.base = match base.table.succeed(section, carried)? {
            Some(table) => Some(Box::new(RowBase::new(self.layout(), table)?)),
            None => None,
        };
        Ok(())
    }

    /// Makes sure that a write of `key` will find what the snapshot holds of it: to be asked before the write is logged.
    ///
    /// # Errors
    /// [`Error::Damaged`].
    pub(crate) fn admit(&self, hash: u64, key: &[u8]) -> Result<(), Error> {
        // Checksums say that bytes are those that were written, not that these were right.
        if self.base.is_some() { self.get(hash, key).map(drop) } else { Ok(()) }
    }

    /// The next `limit` positions are about to be scanned: the disk may begin to bring what the snapshot has of them.
    pub(crate) fn will_scan(&self, position: u32, limit: usize) {
        if let Some(base) = &self.base {
            base.table.will_read(position, limit);
        }
    }

    /// Entities from `position` on, each behind the position after it: first those of the snapshot, then those in memory.
    pub(crate) fn scan(
        &self,
        position: u32,
    ) -> impl Iterator<Item = (u32, Result<Slot<'_>, Error>)> {
        let start = self.memory_start();
        let base = self.base.as_ref().into_iter().flat_map(move |base| {
            (position..start).filter_map(|at| Some((at + 1, base.get(at).transpose()?)))
        });
        let memory = self.scan_memory(position.saturating_sub(start));
        base.chain(memory.map(move |(next, row)| (start + next, Ok(row))))
    }

    /// Positions of rows in memory are from here on.
    fn memory_start(&self) -> u32 {
        self.base.as_ref().map_or(0, |base| base.table.end())
    }

    /// The position of a row in memory.
    pub(super) fn position(&self, slot: u32) -> u32 {
        self.memory_start() + slot
    }

    /// Takes the row of `key` out of the snapshot into memory; its slot.
    pub(super) fn promote(&mut self, hasher: &KeyHasher, hash: u64, key: &[u8]) -> Option<u32> {
        let mut base = self.base.take()?;
        // Damage was found when the write was admitted.
        let found = base.table.find(hash, key).ok().flatten();
        let slot = found.and_then(|ordinal| {
            let row = base.get(ordinal).ok().flatten()?;
            if let Some(fence) = &mut self.fence {
                let layout = self.slab.layout();
                fence.before_change(ordinal, |images, _| {
                    images.add(hash, key, |out| row.write(layout, out))
                });
            }
            let slot = self.insert(hasher, hash, row.key, row.time);
            self.change(slot, |to| copy(&row, to));
            base.table.hide(ordinal);
            Some(slot)
        });
        self.base = Some(base);
        slot.inspect(|slot| self.pass(*slot))
    }

    /// The row of `slot` was not there at the fence, or was written elsewhere.
    pub(super) fn pass(&mut self, slot: u32) {
        let position = self.position(slot);
        if let Some(fence) = &mut self.fence {
            fence.pass(position);
        }
    }

    /// Removes the row of `key` from what the snapshot gives; false when it is not there.
    pub(super) fn delete_from_base(&mut self, hash: u64, key: &[u8]) -> bool {
        let layout = self.slab.layout();
        let Some(base) = &mut self.base else { return false };
        let Some(ordinal) = base.table.find(hash, key).ok().flatten() else { return false };
        if let (Some(fence), Ok(Some(row))) = (&mut self.fence, base.get(ordinal)) {
            fence.before_change(ordinal, |images, _| {
                images.add(hash, key, |out| row.write(layout, out))
            });
        }
        base.table.hide(ordinal);
        true
    }

    /// The row of `slot` is about to change.
    pub(super) fn before_change(&mut self, hash: u64, slot: u32) {
        let position = self.position(slot);
        let Some(fence) = &mut self.fence else { return };
        let (layout, Some(row)) = (self.slab.layout(), self.slab.get(slot)) else { return };
        fence.before_change(position, |images, _| {
            images.add(hash, row.key, |out| row.write(layout, out))
        });
    }

    /// From now on the table is written as it is now.
    pub(crate) fn fence(&mut self) {
        self.fence = Some(Box::default());
    }

    /// The images of rows that changed before they were written. The table is fenced no more.
    pub(crate) fn unfence(&mut self) -> Option<TableFence> {
        self.fence.take().map(|fence| *fence)
    }

    /// Adds the next `limit` rows, as they were at the fence, to `out`; true at the end, nothing when there is no fence.
    ///
    /// # Errors
    /// [`Error::Damaged`].
    pub(crate) fn write_step(
        &self,
        hasher: &KeyHasher,
        limit: usize,
        out: &mut Records,
    ) -> Result<Option<bool>, Error> {
        let Some(fence) = &self.fence else { return Ok(None) };
        self.will_scan(fence.next(), limit);
        let layout = self.layout();
        let mut rows = self.scan(fence.next());
        for _ in 0..limit {
            let Some(row) = rows.next() else {
                fence.advance(u32::MAX);
                return Ok(Some(true));
            };
            let (next, row) = (row.0, row.1?);
            if !fence.is_passed(next - 1) {
                out.add(hasher.hash(row.key), row.key, |out| row.write(layout, out));
                if next <= self.memory_start() {
                    out.carry(next - 1);
                }
            }
            fence.advance(next);
        }
        Ok(Some(false))
    }

    /// Number that stands in a snapshot beside the rows: features there are now.
    pub(crate) fn extra(&self) -> u32 {
        u32::try_from(self.layout().len()).unwrap_or(u32::MAX)
    }
}

/// Makes `to`, of which nothing was written, what `row` is.
fn copy(row: &Slot<'_>, to: &mut SlotMut<'_>) {
    let layout = to.layout;
    *to.time = row.time;
    if row.has_times() {
        *to.times = Some(Box::new((0..layout.len()).map(|feature| row.time_of(feature)).collect()));
    }
    for feature in 0..layout.len() {
        match row.state(feature) {
            0 => {}
            1 => to.store(feature, None),
            _ => to.store(feature, Some(row.cell(feature))),
        }
    }
}
