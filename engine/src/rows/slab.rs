//! Rows in chunks of 32 slots: growing never copies and never doubles, so that memory stays close to the payload.
//!
//! ```text
//! chunk 0   laid out as the group was when it was made      } its rows have nothing of features that came later
//! chunk 1   laid out as the group is now
//! ```
//!
//! When a group gets more features no row is moved: a chunk is laid out anew when one of its rows is written next. So applying
//! definitions takes no longer for a large group than for a small one, and readers wait for no more than 32 rows.

use std::sync::Arc;

use super::{
    head::{Head, OwnTimes},
    layout::{Place, RowLayout},
    slot::{Slot, Variable},
};

/// Slots of a chunk. Small, because every shard of every group has at most one that is partly empty.
const CHUNK_SLOTS: usize = 32;

/// One row, to change.
pub(crate) struct SlotMut<'a> {
    /// How its cells lie: as the group's do now.
    pub(super) layout: &'a RowLayout,
    pub(crate) time: &'a mut i64,
    /// Fewer than the features, when the last of them came after these times.
    pub(crate) times: &'a mut OwnTimes,
    cells: &'a mut [u8],
    variable: &'a mut [Box<[u8]>],
}

impl SlotMut<'_> {
    /// See [`Slot::state`].
    pub(crate) fn state(&self, feature: usize) -> u8 {
        self.cells.get(feature / 4).map_or(0, |byte| byte >> (feature % 4 * 2) & 3)
    }

    /// Becomes a row without gaps, if nothing of what is stored is newer.
    pub(crate) fn replace(&mut self, time: i64, cells: &[u8]) -> bool {
        if self.times.is_some() || time < *self.time || cells.len() != self.cells.len() {
            return false;
        }
        *self.time = time;
        self.cells.copy_from_slice(cells);
        true
    }

    /// Makes room for the times of features that came later.
    pub(crate) fn complete_times(&mut self) {
        let Some(times) = self.times.as_deref_mut() else { return };
        let missing = self.layout.len().saturating_sub(times.len());
        if missing > 0 {
            let later = std::iter::repeat_n(*self.time, missing);
            *times = times.iter().copied().chain(later).collect();
        }
    }

    /// Stores a null, or the packed bytes of a value.
    pub(crate) fn store(&mut self, feature: usize, cell: Option<&[u8]>) {
        if let Some(byte) = self.cells.get_mut(feature / 4) {
            let shift = feature % 4 * 2;
            *byte = *byte & !(3 << shift) | (if cell.is_some() { 2 } else { 1 }) << shift;
        }
        match self.layout.place(feature) {
            Some(Place::Fixed { offset, width }) => {
                if let Some(target) = self.cells.get_mut(offset..offset + width) {
                    match cell {
                        Some(bytes) if bytes.len() == width => target.copy_from_slice(bytes),
                        _ => target.fill(0),
                    }
                }
            }
            Some(Place::Variable(index)) => {
                if let Some(target) = self.variable.get_mut(index) {
                    *target = cell.unwrap_or_default().into();
                }
            }
            None => {}
        }
    }
}

#[derive(Debug)]
struct Chunk {
    /// How its rows lie.
    layout: Arc<RowLayout>,
    heads: Box<[Head]>,
    cells: Box<[u8]>,
    variable: Box<[Box<[u8]>]>,
    /// Slots that hold a row.
    rows: usize,
}

/// All rows of a table.
#[derive(Debug)]
pub(crate) struct Slab {
    /// `None` while none of its slots holds a row: rows that were deleted give their memory back.
    chunks: Vec<Option<Chunk>>,
    /// Chunks that are there.
    chunk_count: usize,
    /// Slots handed out so far, freed ones included.
    used: usize,
    free: Vec<u32>,
    /// How rows lie that are written now.
    layout: Arc<RowLayout>,
}

impl Slab {
    pub(crate) fn new(layout: RowLayout) -> Self {
        let (chunks, free, layout) = (Vec::new(), Vec::new(), Arc::new(layout));
        Self { chunks, chunk_count: 0, used: 0, free, layout }
    }

    /// How rows lie that are written now.
    pub(crate) fn layout(&self) -> &RowLayout {
        &self.layout
    }

    /// Takes a layout with more features at the end. Rows get it when they are written.
    pub(crate) fn widen(&mut self, layout: RowLayout) {
        self.layout = Arc::new(layout);
    }

    /// A fresh slot for `key`, every feature never written.
    pub(crate) fn insert(&mut self, key: &[u8], time: i64) -> u32 {
        let slot = self.free.pop().unwrap_or_else(|| {
            if self.used.is_multiple_of(CHUNK_SLOTS) {
                self.chunks.push(None);
            }
            self.used += 1;
            u32::try_from(self.used - 1).expect("a shard's table holds fewer than 2^32 rows")
        });
        let (chunk, at) = split(slot);
        if matches!(self.chunks.get(chunk), Some(None)) {
            self.chunks[chunk] = Some(self.new_chunk());
            self.chunk_count += 1;
        }
        if let Some(Some(chunk)) = self.chunks.get_mut(chunk) {
            chunk.rows += 1;
            if let Some(head) = chunk.heads.get_mut(at) {
                *head = Head::new(key, time);
            }
        }
        slot
    }

    /// Forgets the row of `slot`, which was handed out and not removed since.
    pub(crate) fn remove(&mut self, slot: u32) {
        let (chunk, at) = split(slot);
        let Some(place) = self.chunks.get_mut(chunk) else { return };
        self.free.push(slot);
        let Some(chunk) = place else { return };
        chunk.rows -= 1;
        if chunk.rows == 0 {
            *place = None;
            self.chunk_count -= 1;
            return;
        }
        let (slot_bytes, variable_count) =
            (chunk.layout.slot_bytes(), chunk.layout.variable_count());
        if let Some(head) = chunk.heads.get_mut(at) {
            *head = Head::default();
        }
        if let Some(cells) = chunk.cells.get_mut(at * slot_bytes..(at + 1) * slot_bytes) {
            cells.fill(0);
        }
        for cell in chunk.variable.iter_mut().skip(at * variable_count).take(variable_count) {
            *cell = Box::default();
        }
    }

    /// The key of `slot`; empty for a slot that holds no row.
    pub(crate) fn key(&self, slot: u32) -> &[u8] {
        let (chunk, at) = split(slot);
        let chunk = self.chunks.get(chunk).and_then(Option::as_ref);
        chunk.and_then(|chunk| chunk.heads.get(at)).map_or(&[], Head::key)
    }

    /// The row of `slot`.
    pub(crate) fn get(&self, slot: u32) -> Option<Slot<'_>> {
        let (chunk, at) = split(slot);
        let chunk = self.chunks.get(chunk)?.as_ref()?;
        let layout = &*chunk.layout;
        let (slot_bytes, variable_count) = (layout.slot_bytes(), layout.variable_count());
        let variable = at * variable_count..(at + 1) * variable_count;
        let head = chunk.heads.get(at)?;
        Some(Slot {
            key: head.key(),
            time: head.time,
            layout,
            times: head.own_times(),
            cells: chunk.cells.get(at * slot_bytes..(at + 1) * slot_bytes)?,
            variable: Variable::Boxed(chunk.variable.get(variable)?),
        })
    }

    /// The row of `slot`, to change.
    pub(crate) fn get_mut(&mut self, slot: u32) -> Option<SlotMut<'_>> {
        let (chunk, at) = split(slot);
        let chunk = self.chunks.get_mut(chunk)?.as_mut()?;
        if !Arc::ptr_eq(&chunk.layout, &self.layout) {
            chunk.widen(&self.layout);
        }
        let (slot_bytes, variable_count) = (self.layout.slot_bytes(), self.layout.variable_count());
        let Head { time, times, .. } = chunk.heads.get_mut(at)?;
        Some(SlotMut {
            layout: &self.layout,
            time,
            times,
            cells: chunk.cells.get_mut(at * slot_bytes..(at + 1) * slot_bytes)?,
            variable: chunk.variable.get_mut(at * variable_count..(at + 1) * variable_count)?,
        })
    }

    /// Slots ever handed out: rows live below this number.
    pub(crate) fn end(&self) -> u32 {
        u32::try_from(self.used).unwrap_or(u32::MAX)
    }

    /// Bytes of the chunks themselves, as if all were laid out as the group is now: what a write may add is counted before. Long keys, own
    /// times and heap cells are counted by the table.
    pub(crate) fn chunk_bytes(&self) -> usize {
        let slot = slot_bytes(&self.layout);
        let lists = self.chunks.capacity() * size_of::<Option<Chunk>>()
            + self.free.capacity() * size_of::<u32>();
        self.chunk_count * slot * CHUNK_SLOTS + lists
    }

    fn new_chunk(&self) -> Chunk {
        Chunk {
            layout: Arc::clone(&self.layout),
            heads: std::iter::repeat_with(Head::default).take(CHUNK_SLOTS).collect(),
            cells: vec![0; CHUNK_SLOTS * self.layout.slot_bytes()].into(),
            variable: vec![Box::default(); CHUNK_SLOTS * self.layout.variable_count()].into(),
            rows: 0,
        }
    }
}

impl Chunk {
    /// Lays its rows out as `layout` says, which has more features at the end: nothing is known of those.
    fn widen(&mut self, layout: &Arc<RowLayout>) {
        let narrow = std::mem::replace(&mut self.layout, Arc::clone(layout));
        let (states, wide_states) = (narrow.states_bytes(), layout.states_bytes());
        let mut cells = vec![0; CHUNK_SLOTS * layout.slot_bytes()];
        let rows = self.cells.chunks_exact(narrow.slot_bytes().max(1));
        for (from, to) in rows.zip(cells.chunks_exact_mut(layout.slot_bytes().max(1))) {
            // Fixed cells follow the states in the order of their features.
            let (from_states, from_cells) = from.split_at(states);
            to[..states].copy_from_slice(from_states);
            to[wide_states..wide_states + from_cells.len()].copy_from_slice(from_cells);
        }
        self.cells = cells.into();
        let more = layout.variable_count() - narrow.variable_count();
        let mut boxes = std::mem::take(&mut self.variable).into_iter();
        let mut variable = Vec::with_capacity(CHUNK_SLOTS * layout.variable_count());
        for _ in 0..CHUNK_SLOTS {
            variable.extend(boxes.by_ref().take(narrow.variable_count()));
            variable.resize_with(variable.len() + more, Box::default);
        }
        self.variable = variable.into();
    }
}

/// Bytes of a slot: its head, its fixed cells, and the places of the others.
pub(crate) fn slot_bytes(layout: &RowLayout) -> usize {
    size_of::<Head>() + layout.slot_bytes() + size_of::<Box<[u8]>>() * layout.variable_count()
}

/// Chunk and position in it.
fn split(slot: u32) -> (usize, usize) {
    (slot as usize / CHUNK_SLOTS, slot as usize % CHUNK_SLOTS)
}
