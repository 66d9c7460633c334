//! The window states of one group in one shard: from a key over its slot to the one block that holds nearly everything.

use std::hint::black_box;

use aggregate::{EntityView, EntityWindows, Grown, StoredEvent, WindowPlan};
use hashbrown::HashTable;
use stdx::{hash::KeyHasher, touch};

use super::{
    arena::{Arena, BlockRef, block_bytes},
    block::{self, Block, SPARE_MAX},
    grown::GrownSlab,
    slots::Slots,
    snapshot::WindowBase,
};
use crate::base::TableFence;

/// Most bytes that a log gets room for beyond what it holds, so that no block holds more of nothing than it can say.
const ROOM_MAX: usize = SPARE_MAX / 4;
/// Arrivals looked up together: their loads from memory overlap.
const RUN: usize = 16;

/// One group's window states in one shard.
#[derive(Debug, Default)]
pub(crate) struct WindowTable {
    pub(super) index: HashTable<u32>,
    pub(super) slots: Slots,
    pub(super) arena: Arena,
    pub(super) grown: GrownSlab,
    /// Where blocks are put together.
    scratch: Vec<u8>,
    /// What the snapshot holds that memory does not.
    pub(super) base: Option<Box<WindowBase>>,
    /// While the table is written into a snapshot.
    pub(super) fence: Option<Box<TableFence>>,
}

/// An accepted event at its entity.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Arrival<'a> {
    /// Of the key.
    pub(crate) hash: u64,
    /// Canonical entity key.
    pub(crate) key: &'a [u8],
    /// `None` when nothing counts it.
    pub(crate) event: Option<StoredEvent<'a>>,
}

/// What every update of a group takes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moment<'a> {
    pub(crate) hasher: &'a KeyHasher,
    pub(crate) plan: &'a WindowPlan,
    /// The stream's, in ms.
    pub(crate) now: i64,
    /// See [`WindowPlan::late_before`].
    pub(crate) late_before: i64,
}

impl<'a> Moment<'a> {
    /// The moment `now` of a stream, in ms, for a group of it.
    pub(crate) fn new(hasher: &'a KeyHasher, plan: &'a WindowPlan, now: i64) -> Self {
        Self { hasher, plan, now, late_before: plan.late_before(now) }
    }
}

impl WindowTable {
    /// Number of entities.
    pub(crate) fn len(&self) -> usize {
        self.index.len() + self.base.as_ref().map_or(0, |base| base.table.live())
    }

    /// Bytes allocated, the index included; what lies in a mapped file is not.
    pub(crate) fn bytes(&self) -> usize {
        size_of::<Self>()
            + self.index.allocation_size()
            + self.slots.bytes()
            + self.arena.bytes()
            + self.grown.bytes()
            + self.scratch.capacity()
            + self.base.as_ref().map_or(0, |base| base.bytes())
            + self.fence.as_ref().map_or(0, |fence| fence.bytes())
    }

    /// The state of `key`, whose hash is `hash`.
    ///
    /// # Errors
    /// [`storage::Error::Damaged`] when it lies in a damaged part of the snapshot.
    pub(crate) fn get(
        &self,
        plan: &WindowPlan,
        hash: u64,
        key: &[u8],
    ) -> Result<Option<EntityView<'_>>, storage::Error> {
        match (self.find(hash, key), &self.base) {
            (Some(slot), _) => Ok(Some(self.view(self.slots.get(slot)).1)),
            (None, Some(base)) => base.find(plan, hash, key),
            (None, None) => Ok(None),
        }
    }

    /// Adds accepted events to the states of their entities. Events of one entity that lie side by side find it once.
    pub(crate) fn update(&mut self, moment: Moment<'_>, arrivals: &[Arrival<'_>]) {
        for run in arrivals.chunks(RUN) {
            let mut found = [None; RUN];
            if run.len() > 1 {
                self.find_run(run, &mut found);
            }
            let mut previous: Option<(&[u8], u32)> = None;
            for (arrival, found) in run.iter().zip(found) {
                let known = previous.filter(|(key, _)| *key == arrival.key).map(|(_, slot)| slot);
                let slot = found.or(known).or_else(|| self.find(arrival.hash, arrival.key));
                let slot = slot.or_else(|| {
                    self.promote(moment.hasher, moment.plan, arrival.hash, arrival.key)
                });
                let slot = match slot {
                    Some(slot) => {
                        self.before_change(arrival.hash, slot);
                        if let Some(event) = arrival.event {
                            self.append(moment, slot, event);
                        }
                        slot
                    }
                    None => {
                        let Some(event) = arrival.event else { continue };
                        let slot = self.insert(moment.hasher, (arrival.hash, arrival.key), event);
                        self.pass(slot);
                        slot
                    }
                };
                previous = Some((arrival.key, slot));
            }
        }
    }

    /// Removes the state of `key`; false when there is none.
    pub(crate) fn delete(&mut self, hasher: &KeyHasher, key: &[u8]) -> bool {
        let hash = hasher.hash(key);
        let Some(slot) = self.find(hash, key) else { return self.delete_from_base(hash, key) };
        self.before_change(hash, slot);
        self.remove(hasher, slot);
        true
    }

    /// Entities in memory from slot `from` on, with the number of the slot after each.
    pub(super) fn scan_memory(
        &self,
        from: u32,
    ) -> impl Iterator<Item = (u32, &[u8], EntityView<'_>)> {
        (from..self.slots.end()).filter_map(|slot| {
            let block = Some(self.slots.get(slot)).filter(|block| block.is_block())?;
            let (key, view) = self.view(block);
            Some((slot + 1, key, view))
        })
    }

    /// About `count` entities from all over the table, each with the bytes of its block that are not of its log.
    pub(crate) fn sample(&self, count: usize) -> impl Iterator<Item = (EntityView<'_>, usize)> {
        let step = (self.slots.end() as usize / count.max(1)).max(1);
        let blocks = (0..self.slots.end()).step_by(step).map(|slot| self.slots.get(slot));
        blocks.filter(|block| block.is_block()).map(|block| {
            let bytes = self.arena.get(block);
            (self.view(block).1, bytes.len() - Block::read(bytes).log.len())
        })
    }

    /// The entity of a block.
    pub(super) fn view(&self, block: BlockRef) -> (&[u8], EntityView<'_>) {
        let block = Block::read(self.arena.get(block));
        let grown = block.grown.and_then(|place| self.grown.get(place));
        (block.key, EntityView::new(block.log, grown))
    }

    pub(super) fn find(&self, hash: u64, key: &[u8]) -> Option<u32> {
        self.index.find(hash, |slot| self.has_key(self.slots.get(*slot), key)).copied()
    }

    /// The slot that probably has the key with `hash`: the first that may.
    pub(crate) fn guess(&self, hash: u64) -> Option<u32> {
        self.index.iter_hash(hash).next().copied()
    }

    /// Where the entity of a slot lies.
    pub(crate) fn block_of(&self, slot: u32) -> BlockRef {
        self.slots.get(slot)
    }

    /// Looks at the block of `slot`; the sum of what was seen.
    pub(crate) fn touch(&self, slot: u32) -> u8 {
        touch::lines(self.arena.get(self.slots.get(slot)))
    }

    /// Looks at both ends of a block, which are seldom on one line: its head, and the end of the log, where the next record goes.
    pub(crate) fn touch_ends(&self, block: BlockRef) -> u8 {
        let block = self.arena.get(block);
        block.first().copied().unwrap_or(0) ^ block.last().copied().unwrap_or(0)
    }

    #[inline]
    fn has_key(&self, block: BlockRef, key: &[u8]) -> bool {
        block::key(self.arena.get(block)) == key
    }

    /// Finds the slots of a run. Each step asks memory for all of them before the next one needs the answers.
    fn find_run(&self, run: &[Arrival<'_>], found: &mut [Option<u32>; RUN]) {
        for (found, arrival) in found.iter_mut().zip(run) {
            *found = self.guess(arrival.hash);
        }
        let mut blocks = [None; RUN];
        for (block, found) in blocks.iter_mut().zip(&*found) {
            *block = found.map(|slot| self.slots.get(slot));
        }
        let seen = blocks.iter().flatten().map(|block| self.touch_ends(*block));
        black_box(seen.fold(0, u8::wrapping_add));
        for ((found, block), arrival) in found.iter_mut().zip(blocks).zip(run) {
            // The first with the same tag may be of another key: a search from the start decides then.
            if !block.is_some_and(|block| self.has_key(block, arrival.key)) {
                *found = None;
            }
        }
    }

    fn append(&mut self, moment: Moment<'_>, slot: u32, event: StoredEvent<'_>) {
        let block = self.slots.get(slot);
        if !block::append(self.arena.get_mut(block), event) {
            self.append_to_full(moment, slot, event);
        }
    }

    /// A cold entity moves to a block that is one record longer; with many events it is first seen what becomes of them.
    fn append_to_full(&mut self, moment: Moment<'_>, slot: u32, event: StoredEvent<'_>) {
        let old = self.slots.get(slot);
        let Block { grown, log, head, .. } = Block::read(self.arena.get(old));
        if grown.is_some() || !EntityView::new(log, None).only_grows(moment.late_before) {
            let change =
                |state: &mut EntityWindows| state.update_stored(moment.plan, event, moment.now);
            self.change(slot, event.bytes_max(), change);
            return;
        }
        let mut content = std::mem::take(&mut self.scratch);
        content.clear();
        content.extend_from_slice(head);
        content.extend_from_slice(log);
        add_record(&mut content, head.len(), event);
        self.store(slot, Some(old), &content, 0);
        self.scratch = content;
    }

    /// A new entity with its first event.
    fn insert(
        &mut self,
        hasher: &KeyHasher,
        (hash, key): (u64, &[u8]),
        event: StoredEvent<'_>,
    ) -> u32 {
        let slot = self.slots.take();
        let mut content = std::mem::take(&mut self.scratch);
        content.clear();
        block::write_head(&mut content, slot, key, None);
        let start = content.len();
        add_record(&mut content, start, event);
        self.store(slot, None, &content, 0);
        self.scratch = content;
        self.enter(hasher, hash, slot);
        slot
    }

    /// An entity with the state of `log` and `tiles`.
    pub(super) fn insert_state(
        &mut self,
        hasher: &KeyHasher,
        (hash, key): (u64, &[u8]),
        log: &[u8],
        tiles: Option<Box<Grown>>,
    ) -> u32 {
        let slot = self.slots.take();
        let mut content = std::mem::take(&mut self.scratch);
        content.clear();
        block::write_head(&mut content, slot, key, tiles.map(|tiles| self.grown.put(tiles)));
        content.extend_from_slice(log);
        self.store(slot, None, &content, 0);
        self.scratch = content;
        self.enter(hasher, hash, slot);
        slot
    }

    /// The entity of `slot` is found from here on.
    fn enter(&mut self, hasher: &KeyHasher, hash: u64, slot: u32) {
        let (slots, arena) = (&self.slots, &self.arena);
        let hash_of = |slot: &u32| hasher.hash(block::key(arena.get(slots.get(*slot))));
        self.index.insert_unique(hash, slot, hash_of);
    }

    /// Takes the state of `slot` out of its block, changes it, and puts back what is left, be it nothing, with room for events of
    /// `event_bytes`.
    pub(super) fn change<T>(
        &mut self,
        slot: u32,
        event_bytes: usize,
        change: impl FnOnce(&mut EntityWindows) -> T,
    ) -> T {
        let old = self.slots.get(slot);
        let Block { key, grown, log, .. } = Block::read(self.arena.get(old));
        let mut content = std::mem::take(&mut self.scratch);
        content.clear();
        let tiles = grown.and_then(|place| self.grown.take(place));
        // As long as it is, so that it counts as full.
        let mut state = EntityWindows::from_parts(log.to_vec(), tiles);
        let result = change(&mut state);
        let (log, tiles) = state.into_parts();
        // A full log of many events is looked at as a whole: not for each of them.
        let room = EntityView::new(&log, tiles.as_deref()).room(event_bytes).min(ROOM_MAX);
        block::write_head(&mut content, slot, key, tiles.map(|tiles| self.grown.put(tiles)));
        content.extend_from_slice(&log);
        self.store(slot, Some(old), &content, room);
        self.scratch = content;
        result
    }

    /// Puts `content` into the block of `slot`, with about `room` bytes behind it: into the one it has when that is neither too
    /// short nor far too long.
    fn store(&mut self, slot: u32, old: Option<BlockRef>, content: &[u8], room: usize) {
        let wanted = content.len() + room;
        if let Some(old) = old {
            let block = self.arena.get_mut(old);
            let fits = wanted - room / 4..=2 * block_bytes(wanted);
            if fits.contains(&block.len()) && block.len() - content.len() <= SPARE_MAX {
                block[..content.len()].copy_from_slice(content);
                block::set_used(block, content.len());
                return;
            }
        }
        let fresh = self.arena.alloc(content, wanted);
        block::set_used(self.arena.get_mut(fresh), content.len());
        self.slots.set(slot, fresh);
        if let Some(old) = old {
            self.release(old);
        }
    }

    /// Frees a block and tells the entity that moved into its place.
    fn release(&mut self, block: BlockRef) {
        if self.arena.free(block) {
            self.slots.set(block::slot(self.arena.get(block)), block);
        }
    }

    /// Forgets the entity of `slot`.
    pub(super) fn remove(&mut self, hasher: &KeyHasher, slot: u32) {
        let old = self.slots.get(slot);
        let Block { key, grown, .. } = Block::read(self.arena.get(old));
        let found = self.index.find_entry(hasher.hash(key), |known| *known == slot);
        if let Ok(found) = found {
            found.remove();
        }
        if let Some(place) = grown {
            self.grown.take(place);
        }
        self.slots.give_back(slot);
        self.release(old);
        if self.index.is_empty() {
            let (base, fence) = (self.base.take(), self.fence.take());
            *self = Self { base, fence, ..Self::default() };
        }
    }
}

/// Adds the record of `event` to a block put together in `content`, whose log starts at `start`.
fn add_record(content: &mut Vec<u8>, start: usize, event: StoredEvent<'_>) {
    let used = content.len() - start;
    content.resize(content.len() + event.bytes_max(), 0);
    let log = content.get_mut(start..).and_then(|log| event.append(log, used));
    content.truncate(start + log.unwrap_or(used));
}
