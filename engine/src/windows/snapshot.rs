//! A window table and snapshots: its states on their way into one, and those that are still served from the last.
//!
//! ```text
//! payload   number u32: of an entity with tiles, counted from 0; 2^32 - 1 without | state, as `aggregate` encodes it
//! ```
//!
//! A state without tiles is its log, and that is read where it lies. Tiles are made of their bytes when they are asked for first.

use std::sync::{
    OnceLock,
    atomic::{AtomicU32, Ordering},
};

use aggregate::{EncodedState, EntityView, EntityWindows, Grown, WindowPlan};
use stdx::{cursor::Writer, hash::KeyHasher};
use storage::{Error, snapshot::Section};

use super::{Moment, WindowTable};
use crate::base::{Base, Ordinals, Record, Records, TableFence};

/// The number of an entity without tiles.
const NO_TILES: u32 = u32::MAX;

/// The states of a snapshot that memory does not have instead.
#[derive(Debug)]
pub(super) struct WindowBase {
    pub(super) table: Base,
    /// Tiles by number, once somebody has asked for them; nothing when their bytes are no tiles.
    tiles: Box<[OnceLock<Option<Box<Grown>>>]>,
    /// Bytes of the states that have tiles and are served from here. They count as if they were in memory: asked for, they are.
    tile_bytes: usize,
}

/// A state where it lies.
#[derive(Clone, Copy)]
struct Stored<'a> {
    ordinal: u32,
    key: &'a [u8],
    number: u32,
    /// Its whole encoding.
    bytes: &'a [u8],
    log: &'a [u8],
}

impl WindowBase {
    fn new(table: Base) -> Result<Self, Error> {
        if table.extra() > table.end() {
            return Err(table.damaged("more entities with tiles than entities"));
        }
        let tiles = (0..table.extra()).map(|_| OnceLock::new()).collect();
        let tile_bytes = table.tile_bytes();
        Ok(Self { table, tiles, tile_bytes })
    }

    pub(super) fn bytes(&self) -> usize {
        self.table.bytes() + size_of_val(&*self.tiles) + self.tile_bytes
    }

    pub(super) fn find(
        &self,
        plan: &WindowPlan,
        hash: u64,
        key: &[u8],
    ) -> Result<Option<EntityView<'_>>, Error> {
        let Some(ordinal) = self.table.find(hash, key)? else { return Ok(None) };
        let Some(stored) = self.get(ordinal)? else { return Ok(None) };
        self.view(plan, stored).map(Some)
    }

    fn get(&self, ordinal: u32) -> Result<Option<Stored<'_>>, Error> {
        let Some(Record { key, payload }) = self.table.get(ordinal)? else { return Ok(None) };
        let stored = || {
            let (number, bytes, state) = stored_parts(payload)?;
            let is_known = (number as usize) < self.tiles.len();
            let fits = state.has_tiles() == is_known && (is_known || number == NO_TILES);
            fits.then_some(Stored { ordinal, key, number, bytes, log: state.log() })
        };
        let malformed = || self.table.damaged_at(ordinal, "a window state is malformed");
        stored().map(Some).ok_or_else(malformed)
    }

    /// An entity is not served from here any more.
    fn hide(&mut self, ordinal: u32) {
        let stored = self.get(ordinal).ok().flatten();
        let tiles = stored.filter(|stored| stored.number != NO_TILES);
        let bytes = tiles.map_or(0, |stored| stored.bytes.len());
        self.tile_bytes = self.tile_bytes.saturating_sub(bytes);
        self.table.hide(ordinal);
    }

    /// The tiles of an entity that is there, if it has some, for good.
    fn take_tiles(
        &mut self,
        plan: &WindowPlan,
        ordinal: u32,
    ) -> Result<Option<Option<Box<Grown>>>, Error> {
        let Some(stored) = self.get(ordinal)? else { return Ok(None) };
        let number = stored.number as usize;
        self.view(plan, stored)?;
        let tiles = self.tiles.get_mut(number).and_then(OnceLock::take);
        Ok(Some(tiles.flatten()))
    }

    fn view<'a>(&'a self, plan: &WindowPlan, stored: Stored<'a>) -> Result<EntityView<'a>, Error> {
        let Some(tiles) = self.tiles.get(stored.number as usize) else {
            return Ok(EntityView::new(stored.log, None));
        };
        let tiles = tiles.get_or_init(|| {
            let state = EntityWindows::decode(plan, stored.bytes).ok()?;
            state.into_parts().1
        });
        let malformed = || self.table.damaged_at(stored.ordinal, "tiles are malformed");
        let tiles = tiles.as_deref().ok_or_else(malformed)?;
        Ok(EntityView::new(stored.log, Some(tiles)))
    }
}

impl WindowTable {
    /// Serves the states of `section` from where they lie; the table is empty before.
    ///
    /// # Errors
    /// [`Error::Damaged`] when the section is no table.
    pub(crate) fn attach(&mut self, section: Section) -> Result<(), Error> {
        self.base = Some(Box::new(WindowBase::new(Base::open(section)?)?));
        Ok(())
    }

    /// Serves from `section` of a newer snapshot what it served from the last; `carried` are the entities of that one that come
    /// first in it.
    ///
    /// # Errors
    /// [`Error::Damaged`]: it goes on with the last one.
    pub(crate) fn rebase(&mut self, section: Section, carried: &Ordinals) -> Result<(), Error> {
        let Some(base) = &self.base else { return Ok(()) };
        self.base = match base.table.succeed(section, carried)? {
            Some(table) => {
                // It serves just what the last one did.
                let tile_bytes = base.tile_bytes;
                Some(Box::new(WindowBase { tile_bytes, ..WindowBase::new(table)? }))
            }
            None => None,
        };
        Ok(())
    }

    /// Makes sure that events of `key` will find what the snapshot holds of it, tiles and all: to be asked before they are logged.
    ///
    /// # Errors
    /// [`Error::Damaged`].
    pub(crate) fn admit(&self, plan: &WindowPlan, hash: u64, key: &[u8]) -> Result<(), Error> {
        // Checksums say that bytes are those that were written, not that these were right.
        if self.base.is_some() { self.get(plan, hash, key).map(drop) } else { Ok(()) }
    }

    /// True when `key`, whose hash is `hash`, has a state. Its tiles are not looked at: whoever deletes it does not need them.
    ///
    /// # Errors
    /// [`Error::Damaged`].
    pub(crate) fn contains(&self, hash: u64, key: &[u8]) -> Result<bool, Error> {
        match (self.find(hash, key), &self.base) {
            (None, Some(base)) => Ok(base.table.find(hash, key)?.is_some()),
            (slot, _) => Ok(slot.is_some()),
        }
    }

    /// The next `limit` positions are about to be scanned: the disk may begin to bring what the snapshot has of them.
    pub(crate) fn will_scan(&self, position: u32, limit: usize) {
        if let Some(base) = &self.base {
            base.table.will_read(position, limit);
        }
    }

    /// Keys from `position` on, each behind the position after it: first those of the snapshot, then those in memory.
    pub(crate) fn scan(&self, position: u32) -> impl Iterator<Item = (u32, Result<&[u8], Error>)> {
        let start = self.memory_start();
        let base = self.base.as_ref().into_iter().flat_map(move |base| {
            let key = |at| Some((at + 1, base.table.get(at).transpose()?.map(|record| record.key)));
            (position..start).filter_map(key)
        });
        let memory = self.scan_memory(position.saturating_sub(start));
        base.chain(memory.map(move |(next, key, _)| (start + next, Ok(key))))
    }

    /// Positions of entities in memory are from here on.
    pub(super) fn memory_start(&self) -> u32 {
        self.base.as_ref().map_or(0, |base| base.table.end())
    }

    /// Takes the state of `key` out of the snapshot into memory; its slot.
    pub(super) fn promote(
        &mut self,
        hasher: &KeyHasher,
        plan: &WindowPlan,
        hash: u64,
        key: &[u8],
    ) -> Option<u32> {
        // Damage was found when the write was admitted.
        let ordinal = self.base.as_ref()?.table.find(hash, key).ok().flatten()?;
        self.promote_at(hasher, plan, hash, ordinal)
    }

    /// Takes the entity at `ordinal` of the snapshot into memory, if it is served from there and makes sense; its slot.
    pub(super) fn promote_ordinal(&mut self, moment: Moment<'_>, ordinal: u32) -> Option<u32> {
        let stored = self.base.as_ref()?.get(ordinal).ok().flatten()?;
        let hash = moment.hasher.hash(stored.key);
        self.promote_at(moment.hasher, moment.plan, hash, ordinal)
    }

    fn promote_at(
        &mut self,
        hasher: &KeyHasher,
        plan: &WindowPlan,
        hash: u64,
        ordinal: u32,
    ) -> Option<u32> {
        let mut base = self.base.take()?;
        let tiles = base.take_tiles(plan, ordinal);
        let slot = tiles.ok().flatten().and_then(|tiles| {
            let stored = base.get(ordinal).ok().flatten()?;
            self.keep_stored(hash, ordinal, stored);
            Some(self.insert_state(hasher, (hash, stored.key), stored.log, tiles))
        });
        if slot.is_some() {
            base.hide(ordinal);
        }
        self.base = Some(base);
        slot.inspect(|slot| self.pass(*slot))
    }

    /// Removes the state of `key` from what the snapshot gives; false when it is not there.
    pub(super) fn delete_from_base(&mut self, hash: u64, key: &[u8]) -> bool {
        let Some(mut base) = self.base.take() else { return false };
        let found = base.table.find(hash, key).ok().flatten();
        if let Some(ordinal) = found {
            if let Ok(Some(stored)) = base.get(ordinal) {
                self.keep_stored(hash, ordinal, stored);
            }
            base.hide(ordinal);
        }
        self.base = Some(base);
        found.is_some()
    }

    /// The entity of the snapshot at `ordinal` is about to change.
    fn keep_stored(&mut self, hash: u64, ordinal: u32, stored: Stored<'_>) {
        let Some(fence) = &mut self.fence else { return };
        fence.before_change(ordinal, |images, numbers| {
            write_stored(images, numbers, hash, stored);
        });
    }

    /// The entity of `slot` is about to change.
    #[inline]
    pub(super) fn before_change(&mut self, hash: u64, slot: u32) {
        if self.fence.is_some() {
            self.keep_memory(hash, slot);
        }
    }

    fn keep_memory(&mut self, hash: u64, slot: u32) {
        let position = self.memory_start() + slot;
        let Some(mut fence) = self.fence.take() else { return };
        fence.before_change(position, |images, numbers| {
            let (key, state) = self.view(self.slots.get(slot));
            write_state(images, numbers, hash, key, state);
        });
        self.fence = Some(fence);
    }

    /// The entity of `slot` was not there at the fence, or was written elsewhere.
    pub(super) fn pass(&mut self, slot: u32) {
        let position = self.memory_start() + slot;
        if let Some(fence) = &mut self.fence {
            fence.pass(position);
        }
    }

    /// From now on the table is written as it is now.
    pub(crate) fn fence(&mut self) {
        self.fence = Some(Box::default());
    }

    /// The images of entities that changed before they were written. The table is fenced no more.
    pub(crate) fn unfence(&mut self) -> Option<TableFence> {
        self.fence.take().map(|fence| *fence)
    }

    /// Adds the next `limit` states, as they were at the fence, to `out`; true at the end, nothing when there is no fence.
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
        let (from, start) = (fence.next(), self.memory_start());
        let numbers = fence.numbers();
        self.will_scan(from, limit);
        let mut left = limit;
        for ordinal in from..start {
            if left == 0 {
                return Ok(Some(false));
            }
            if let Some(base) = &self.base
                && !fence.is_passed(ordinal)
                && let Some(stored) = base.get(ordinal)?
            {
                write_stored(out, numbers, hasher.hash(stored.key), stored);
                out.carry(ordinal);
                left -= 1;
            }
            fence.advance(ordinal + 1);
        }
        for (next, key, state) in self.scan_memory(from.saturating_sub(start)) {
            if left == 0 {
                return Ok(Some(false));
            }
            if !fence.is_passed(start + next - 1) {
                write_state(out, numbers, hasher.hash(key), key, state);
                left -= 1;
            }
            fence.advance(start + next);
        }
        fence.advance(u32::MAX);
        Ok(Some(true))
    }
}

/// Number, bytes and state of a payload; `None` when it is none.
pub(super) fn stored_parts(payload: &[u8]) -> Option<(u32, &[u8], EncodedState<'_>)> {
    let (number, bytes) = payload.split_first_chunk()?;
    Some((u32::from_le_bytes(*number), bytes, EncodedState::new(bytes).ok()?))
}

fn write_state(
    out: &mut Records,
    numbers: &AtomicU32,
    hash: u64,
    key: &[u8],
    state: EntityView<'_>,
) {
    let number = number(numbers, state.has_tiles());
    let mut bytes = 0;
    out.add(hash, key, |out| {
        Writer::new(out).u32(number);
        let start = out.len();
        state.encode(out);
        bytes = out.len() - start;
    });
    if state.has_tiles() {
        out.count_tiles(bytes);
    }
}

fn write_stored(out: &mut Records, numbers: &AtomicU32, hash: u64, stored: Stored<'_>) {
    let number = number(numbers, stored.number != NO_TILES);
    out.add(hash, stored.key, |out| {
        Writer::new(out).u32(number).bytes(stored.bytes);
    });
    if stored.number != NO_TILES {
        out.count_tiles(stored.bytes.len());
    }
}

/// The next number for an entity with tiles.
fn number(numbers: &AtomicU32, has_tiles: bool) -> u32 {
    if has_tiles { numbers.fetch_add(1, Ordering::Relaxed) } else { NO_TILES }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::base::BaseWriter;
    use model::definition::{Definitions, GroupKind};
    use storage::{
        fs::SimFs,
        snapshot::{SectionTag, Snapshot, SnapshotWriter},
    };

    const DEFINITIONS: &str = r#"
[entity.user]
key = "string"
[stream.orders]
event_time = "at"
[stream.orders.fields]
user = "string"
at = "timestamp"
[group.buying]
entity = "user"
stream = "orders"
key = "user"
windows = ["5m"]
[group.buying.features]
orders = "count(*)"
"#;

    pub(in super::super) fn plan() -> WindowPlan {
        let definitions = Definitions::parse("test.toml", DEFINITIONS, &Definitions::default());
        let definitions = definitions.expect("valid");
        let GroupKind::Windows(windows) = &definitions.groups[0].kind else { panic!("windows") };
        WindowPlan::new(&definitions.streams[0], windows)
    }

    /// A table that serves entities, each a key with its payload, from a snapshot; `with_tiles` of them have some.
    pub(in super::super) fn serving<'a>(
        hasher: &KeyHasher,
        entities: impl Iterator<Item = (&'a [u8], &'a [u8])>,
        with_tiles: u32,
    ) -> (WindowTable, std::sync::Arc<Snapshot>) {
        let (fs, mut records, mut writer) =
            (SimFs::new(), Records::default(), BaseWriter::default());
        for (key, payload) in entities {
            records.add(hasher.hash(key), key, |out| out.extend_from_slice(payload));
        }
        let mut out = SnapshotWriter::create(&fs, 1, 7, 3).expect("created");
        let tag = SectionTag { kind: 6, shard: 0, group: 0 };
        out.begin(tag);
        writer.add(&mut out, &records, &mut |_| Ok(())).expect("written");
        writer.finish(&mut out, with_tiles, &mut |_| Ok(())).expect("written");
        out.end();
        let reference = out.finish().expect("written");
        let snapshot = Snapshot::open(&fs, &reference, 7).expect("opens");
        let mut table = WindowTable::default();
        table.attach(snapshot.section(tag).expect("written")).expect("a table");
        (table, snapshot)
    }

    /// Tiles that cannot be decoded, under a good checksum, were found out only when the event was logged: the entity was there
    /// twice then, and what the snapshot has of it was out of reach.
    #[test]
    fn a_state_that_makes_no_sense_refuses_its_events_and_can_be_deleted() {
        let (hasher, plan) = (KeyHasher::new(1), plan());
        let hash = hasher.hash(b"ann");
        let numbered = |state: &[u8]| [&0_u32.to_le_bytes(), state].concat();
        // Version, an empty log, tiles: of which there are many, and no bytes.
        let tiles = numbered(&[2, 0, 0, 0, 0, 1, 255, 255, 255, 0]);
        let version = numbered(&[77, 0, 0, 0, 0, 1]);
        for payload in [tiles, version] {
            let (mut table, snapshot) = serving(&hasher, [(&b"ann"[..], &*payload)].into_iter(), 1);
            for is_verified in [false, true] {
                if is_verified {
                    snapshot.verify(1000).expect("the checksums fit");
                }
                let error = table.admit(&plan, hash, b"ann").expect_err("refused").to_string();
                assert!(error.contains("snapshot-") && error.contains("at byte 64"), "{error}");
                table.admit(&plan, hasher.hash(b"bob"), b"bob").expect("nobody is there yet");
            }
            assert!(table.contains(hash, b"ann").expect("its key makes sense"));
            assert!(table.delete(&hasher, b"ann") && table.len() == 0);
            table.admit(&plan, hash, b"ann").expect("gone, and may come again");
        }
    }
}
