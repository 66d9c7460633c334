//! One stored row, wherever it lies: in a chunk of memory, or in a mapped snapshot.
//!
//! ```text
//! payload   time i64 | own times u8 | own times × i64 for each feature | states and fixed cells, as in memory |
//!           of each string or bytes feature: length u32 | bytes
//! ```

use stdx::{
    cursor::{OutOfBytes, Reader, Writer},
    mutant::{Mutant, is_planted},
};

use super::layout::{Place, RowLayout, has_all_values};

/// Event times of single features.
#[derive(Debug, Clone, Copy)]
pub(super) enum Times<'a> {
    /// All have the row's.
    One,
    /// In memory.
    Own(&'a [i64]),
    /// In a payload, 8 bytes each.
    Packed(&'a [u8]),
}

/// Cells without a fixed width.
#[derive(Debug, Clone, Copy)]
pub(super) enum Variable<'a> {
    /// In memory.
    Boxed(&'a [Box<[u8]>]),
    /// In a payload, each behind its length.
    Packed(&'a [u8]),
}

/// One row, borrowed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Slot<'a> {
    /// Canonical entity key.
    pub(crate) key: &'a [u8],
    /// Event time of every feature without a time of its own, in ms.
    pub(crate) time: i64,
    /// How its cells lie: fewer features than the group's where the row is older than the last of them.
    pub(super) layout: &'a RowLayout,
    pub(super) times: Times<'a>,
    pub(super) cells: &'a [u8],
    pub(super) variable: Variable<'a>,
}

impl<'a> Slot<'a> {
    /// The row of a payload that [`Slot::write`] wrote under `layout`.
    ///
    /// # Errors
    /// [`OutOfBytes`] when it is none.
    pub(super) fn read(
        layout: &'a RowLayout,
        key: &'a [u8],
        payload: &'a [u8],
    ) -> Result<Self, OutOfBytes> {
        let mut input = Reader::new(payload);
        let time = input.i64()?;
        let times = match input.u8()? {
            0 => Times::One,
            _ => Times::Packed(input.bytes(layout.len() * size_of::<i64>())?),
        };
        let cells = input.bytes(layout.slot_bytes())?;
        let variable = Variable::Packed(input.rest());
        Ok(Self { key, time, layout, times, cells, variable })
    }

    /// Appends the row's payload under `layout`, which may have more features than the row was written with.
    pub(super) fn write(&self, layout: &RowLayout, out: &mut Vec<u8>) {
        let mut out = Writer::new(out);
        if layout.len() != self.layout.len() && !is_planted(Mutant::OldRowLayoutKept) {
            return self.write_widened(layout, &mut out);
        }
        out.i64(self.time);
        match self.times {
            Times::One => out.u8(0),
            Times::Packed(times) => out.u8(1).bytes(times),
            // There may be fewer times than features.
            Times::Own(_) => {
                (0..layout.len()).fold(out.u8(1), |out, feature| out.i64(self.time_of(feature)))
            }
        };
        out.bytes(self.cells);
        match self.variable {
            Variable::Packed(bytes) => out.bytes(bytes),
            Variable::Boxed(cells) => cells.iter().fold(&mut out, |out, cell| out.block(cell)),
        };
    }

    fn write_widened(&self, layout: &RowLayout, out: &mut Writer<'_>) {
        out.i64(self.time).u8(self.has_times().into());
        if self.has_times() {
            (0..layout.len()).for_each(|feature| {
                out.i64(self.time_of(feature));
            });
        }
        let mut cells = vec![0; layout.slot_bytes()];
        let mut variable = Vec::with_capacity(layout.variable_count());
        for feature in 0..layout.len() {
            if let Some(byte) = cells.get_mut(feature / 4) {
                *byte |= self.state(feature) << (feature % 4 * 2);
            }
            match layout.place(feature) {
                Some(Place::Fixed { offset, width }) => {
                    let (to, from) = (cells.get_mut(offset..offset + width), self.cell(feature));
                    if let Some(to) = to.filter(|to| to.len() == from.len()) {
                        to.copy_from_slice(from);
                    }
                }
                Some(Place::Variable(_)) => variable.push(self.cell(feature)),
                None => {}
            }
        }
        out.bytes(&cells);
        variable.iter().for_each(|cell| {
            out.block(cell);
        });
    }

    /// 0 never written, 1 null, 2 value: as in a packed row.
    #[inline]
    pub(crate) fn state(&self, feature: usize) -> u8 {
        if feature >= self.layout.len() {
            return 0;
        }
        self.cells.get(feature / 4).map_or(0, |byte| byte >> (feature % 4 * 2) & 3)
    }

    /// True when it has a value of each of the group's `features`, and lies as they do.
    pub(crate) fn is_full(&self, features: usize) -> bool {
        self.layout.len() == features && has_all_values(self.cells, features)
    }

    /// `count` cells of 8 bytes from `offset` on; none when they are not there.
    pub(crate) fn words(&self, offset: usize, count: usize) -> &'a [[u8; 8]] {
        let bytes = self.cells.get(offset..offset + count * size_of::<i64>());
        bytes.unwrap_or_default().as_chunks().0
    }

    /// Event time of `feature`, in ms.
    pub(crate) fn time_of(&self, feature: usize) -> i64 {
        let own = match self.times {
            Times::One => None,
            Times::Own(times) => times.get(feature).copied(),
            Times::Packed(times) => times
                .get(feature * size_of::<i64>()..)
                .and_then(|times| times.first_chunk())
                .map(|time| i64::from_le_bytes(*time)),
        };
        own.unwrap_or(self.time)
    }

    /// The event time of all features, unless some have times of their own, in ms.
    pub(crate) fn one_time(&self) -> Option<i64> {
        (!self.has_times()).then_some(self.time)
    }

    /// True when features have times of their own.
    pub(super) fn has_times(&self) -> bool {
        !matches!(self.times, Times::One)
    }

    /// Bytes of own times and heap cells of a row in memory.
    pub(super) fn heap_bytes(&self) -> usize {
        let Variable::Boxed(cells) = self.variable else { return 0 };
        let cells: usize = cells.iter().map(|cell| cell.len()).sum();
        let times = match self.times {
            Times::Own(times) => size_of_val(times) + size_of::<Box<[i64]>>(),
            _ => 0,
        };
        cells + times
    }

    /// The packed bytes of `feature`, without a length.
    #[inline]
    pub(crate) fn cell(&self, feature: usize) -> &'a [u8] {
        match self.layout.place(feature) {
            Some(Place::Fixed { offset, width }) => {
                self.cells.get(offset..offset + width).unwrap_or_default()
            }
            Some(Place::Variable(index)) => match self.variable {
                Variable::Boxed(cells) => cells.get(index).map_or(&[], |cell| cell),
                Variable::Packed(bytes) => {
                    let mut input = Reader::new(bytes);
                    let mut cells = std::iter::from_fn(|| input.block().ok());
                    cells.nth(index).unwrap_or_default()
                }
            },
            None => &[],
        }
    }
}
