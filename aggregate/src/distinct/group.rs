//! Sixty-four registers of a sliding HyperLogLog, in two bytes for each rank that some window can see.
//!
//! Y. Chabchoub and G. Hébrail, "Sliding HyperLogLog" (2010), with tiles for times: a register keeps the Pareto frontier of
//! (tile, rank). An older tile stays only with a greater rank; the register of a window is the greatest rank whose tile is
//! inside. Here the marks of 64 registers lie together **by tile**, newest last, so that
//! * a window is the end of the list, and a read of a short window touches nothing else;
//! * what comes in order is appended, and what no window sees is cut off in front;
//! * a tile can be told by its distance to the one before, in four bits.
//!
//! ```text
//! mark   rank 6 bits, 1 to 63 | register 6 | distance, low 4 bits     tiles from the mark before it (the next older one)
//! gap    0 in 6 bits | 10 bits of distance, times 16                  in front of its mark when 15 tiles are not enough
//! ```
//!
//! A mark is appended without looking for those that it makes useless; they go when the list is full.

/// Registers of a group.
pub(crate) const REGISTERS: usize = 64;

const FIELD_BITS: u32 = 6;
const FIELD: u16 = (1 << FIELD_BITS) - 1;
const DISTANCE_SHIFT: u32 = 2 * FIELD_BITS;
/// Distances of marks are below 16; gaps count in sixteens.
const NEAR_BITS: u32 = u16::BITS - DISTANCE_SHIFT;
const GAP_MAX: u64 = (1 << (u16::BITS - FIELD_BITS)) - 1;
/// Room that a list is left with when it was full, at least.
const ROOM_MIN: usize = 8;

/// A rank that a register reached in a tile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Mark {
    pub(crate) tile: i64,
    /// Within the group.
    pub(crate) register: u8,
    pub(crate) rank: u8,
}

/// Marks of 64 registers.
#[derive(Debug, Clone, Default)]
pub(crate) struct Group {
    /// Tile of the last mark; of no meaning when there is none.
    newest: i64,
    words: Vec<u16>,
}

impl Group {
    /// A group of words as [`Group::words`] gives them.
    ///
    /// `None` when they do not begin and end with a mark, or reach back before `floor`.
    pub(crate) fn from_words(newest: i64, words: Vec<u16>, floor: i64) -> Option<Self> {
        let is_mark = |word: Option<&u16>| word.is_some_and(|word| word & FIELD != 0);
        let is_whole = is_mark(words.first()) && is_mark(words.last());
        let group = Self { newest, words };
        let is_live = group.marks().all(|mark| mark.tile >= floor);
        (is_whole && is_live).then_some(group)
    }

    /// The tile of the newest mark, and the words from the oldest mark on that is not before `floor`.
    pub(crate) fn words(&self, floor: i64) -> (i64, &[u16]) {
        let mut marks = self.marks();
        let mut start = self.words.len();
        while marks.next().is_some_and(|mark| mark.tile >= floor) {
            start = marks.words.len();
        }
        (self.newest, self.words.get(start..).unwrap_or(&[]))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.words.is_empty()
    }

    /// Bytes on the heap.
    pub(crate) fn bytes(&self) -> usize {
        self.words.capacity() * size_of::<u16>()
    }

    /// Marks, newest first. Among those of one register may be some that a newer one outranks.
    fn marks(&self) -> Marks<'_> {
        Marks { tile: self.newest, words: &self.words }
    }

    /// Adds a mark; forgets what is before `floor` when that makes room.
    #[inline]
    pub(crate) fn insert(&mut self, mark: Mark, floor: i64) {
        if self.words.is_empty() || self.newest < floor {
            self.words.clear();
            self.newest = mark.tile;
        }
        if mark.tile < self.newest {
            self.insert_late(mark, floor);
            return;
        }
        // One word for the mark and one for its gap; a second gap is found out by append.
        if self.words.len() + 2 > self.words.capacity() {
            self.compact(floor);
        }
        self.append(mark);
    }

    /// Appends a mark that is not older than the last.
    #[inline]
    fn append(&mut self, mark: Mark) {
        let distance = mark.tile.abs_diff(self.newest);
        push_gaps(&mut self.words, distance);
        self.words.push(low_word(distance) << DISTANCE_SHIFT | word(mark.register, mark.rank));
        self.newest = mark.tile;
    }

    #[cold]
    fn insert_late(&mut self, mark: Mark, floor: i64) {
        let is_newer = |known: &Mark| known.tile >= mark.tile;
        let outranks = |known: Mark| known.register == mark.register && known.rank >= mark.rank;
        if self.marks().take_while(is_newer).any(outranks) {
            return;
        }
        let (newer, older) = (self.marks().take_while(is_newer), self.marks().skip_while(is_newer));
        let marks: Vec<_> = newer.chain([mark]).chain(older).collect();
        self.rebuild(&marks, floor);
    }

    /// Adds the marks of another group.
    pub(crate) fn merge(&mut self, other: &Self, floor: i64) {
        let (mut a, mut b) = (self.marks().peekable(), other.marks().peekable());
        let both = std::iter::from_fn(|| match (a.peek(), b.peek()) {
            (Some(x), Some(y)) if x.tile < y.tile => b.next(),
            (Some(_), _) => a.next(),
            (None, _) => b.next(),
        });
        let marks: Vec<_> = both.collect();
        self.rebuild(&marks, floor);
    }

    /// Forgets what is before `floor`.
    pub(crate) fn forget_before(&mut self, floor: i64) {
        if self.words(floor).1.len() < self.words.len() {
            self.compact(floor);
        }
    }

    /// Holds what of `marks`, newest first, is of use.
    fn rebuild(&mut self, marks: &[Mark], floor: i64) {
        self.words.clear();
        self.newest = marks.last().map_or(floor, |oldest| oldest.tile);
        marks.iter().rev().for_each(|mark| self.append(*mark));
        self.compact(floor);
    }

    /// Keeps the frontier, back to `floor`, and leaves room for a quarter more.
    #[cold]
    fn compact(&mut self, floor: i64) {
        let mut ranks = [0_u8; REGISTERS];
        // Where each register was raised last.
        let mut places = [0_usize; REGISTERS];
        // From the newest on: a mark, then the gap to the next older one.
        let mut kept: Vec<u16> = Vec::with_capacity(self.words.len());
        let (mut newest, mut tile, mut tile_start) = (floor, floor, 0);
        for mark in self.marks().take_while(|mark| mark.tile >= floor) {
            let register = usize::from(mark.register) % REGISTERS;
            if mark.rank <= ranks[register] {
                continue;
            }
            let is_first_of_tile =
                ranks[register] == 0 || places[register] < tile_start || mark.tile != tile;
            ranks[register] = mark.rank;
            if !is_first_of_tile {
                // What stands there was of this tile, and outranked.
                if let Some(known) = kept.get_mut(places[register]) {
                    *known = *known & !FIELD | u16::from(mark.rank);
                }
                continue;
            }
            match kept.last_mut() {
                Some(last) => {
                    let distance = tile.abs_diff(mark.tile);
                    *last |= low_word(distance) << DISTANCE_SHIFT;
                    push_gaps(&mut kept, distance);
                }
                None => newest = mark.tile,
            }
            tile_start = if mark.tile == tile { tile_start } else { kept.len() };
            tile = mark.tile;
            places[register] = kept.len();
            kept.push(word(mark.register, mark.rank));
        }
        self.newest = newest;
        self.words.clear();
        self.words.extend(kept.iter().rev());
        self.make_room();
    }

    fn make_room(&mut self) {
        let used = self.words.len();
        let room = if used == 0 { 0 } else { (used / 4).max(ROOM_MIN) };
        if self.words.capacity() < used + room {
            self.words.reserve_exact(room);
        } else if self.words.capacity() > 2 * (used + room) {
            self.words.shrink_to(used + room);
        }
    }

    /// The registers of several windows in one pass: of each, by descending start in `starts`, what `seeds` holds for it
    /// and for those before it is raised by the marks inside, and handed to `take`.
    #[inline]
    pub(crate) fn sweep(
        &self,
        starts: &[i64],
        seeds: &[[u8; REGISTERS]],
        mut take: impl FnMut(usize, &[u8; REGISTERS]),
    ) {
        let mut registers = [0_u8; REGISTERS];
        let mut tile = self.newest;
        let mut words = self.words.iter().rev();
        for (window, (start, seed)) in starts.iter().zip(seeds).enumerate() {
            for (register, seed) in registers.iter_mut().zip(seed) {
                *register = (*register).max(*seed);
            }
            while tile >= *start {
                let Some(word) = words.next() else { break };
                // No branch tells gaps from marks: where they alternate, it would be mispredicted half of the time. A
                // gap's rank of 0 raises nothing.
                let rank = low_byte(word & FIELD);
                let register = &mut registers[usize::from(register(*word))];
                *register = rank.max(*register);
                tile -= if rank == 0 { gap(*word) } else { near(*word) };
            }
            take(window, &registers);
        }
    }
}

/// Reads the marks of a group from its end.
struct Marks<'a> {
    /// Of the next mark, but for the gaps in front of it.
    tile: i64,
    words: &'a [u16],
}

impl Iterator for Marks<'_> {
    type Item = Mark;

    #[inline]
    fn next(&mut self) -> Option<Mark> {
        while let Some((word, rest)) = self.words.split_last() {
            self.words = rest;
            let rank = low_byte(word & FIELD);
            if rank == 0 {
                self.tile -= gap(*word);
                continue;
            }
            let mark = Mark { tile: self.tile, register: register(*word), rank };
            self.tile -= near(*word);
            return Some(mark);
        }
        None
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (0, Some(self.words.len()))
    }
}

/// Appends the gaps that a distance takes beyond what a mark holds of it.
#[inline]
fn push_gaps(words: &mut Vec<u16>, distance: u64) {
    let mut gap = distance >> NEAR_BITS;
    while gap > 0 {
        let part = gap.min(GAP_MAX);
        words.push(low_word(part << FIELD_BITS));
        gap -= part;
    }
}

/// A mark of a distance of 0.
#[inline]
fn word(register: u8, rank: u8) -> u16 {
    u16::from(register) << FIELD_BITS | u16::from(rank)
}

/// The register of a mark.
#[inline]
fn register(word: u16) -> u8 {
    low_byte(word >> FIELD_BITS & FIELD)
}

/// The low bits of a mark's distance in tiles.
#[inline]
fn near(word: u16) -> i64 {
    i64::from(word >> DISTANCE_SHIFT)
}

/// The tiles of a gap.
#[inline]
fn gap(word: u16) -> i64 {
    i64::from(word >> FIELD_BITS) << NEAR_BITS
}

#[inline]
fn low_byte(word: u16) -> u8 {
    word.to_le_bytes()[0]
}

#[inline]
fn low_word(wide: u64) -> u16 {
    let [low, high, ..] = wide.to_le_bytes();
    u16::from_le_bytes([low, high])
}
