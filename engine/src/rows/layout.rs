//! Where each feature of a row group lies in a slot.
//!
//! ```text
//! slot   states 2 bits a feature | fixed cells, widest alignment not needed: bytes are copied, never cast
//! aside  one heap cell for each string or bytes feature
//! ```

use model::{definition::Field, value::DataType};

/// Where one feature lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// At this offset of the slot, with this width.
    Fixed {
        /// Bytes from the start of the slot.
        offset: usize,
        /// Bytes of the cell.
        width: usize,
    },
    /// The heap cell of this index.
    Variable(usize),
}

/// The layout of one version of a row group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RowLayout {
    types: Vec<DataType>,
    places: Vec<Place>,
    slot_bytes: usize,
    variable_count: usize,
    /// Every cell has a fixed width, and all its bytes are values: a packed row without gaps is a slot as it is.
    is_plain: bool,
}

impl RowLayout {
    /// The layout of `features`, in their order.
    pub(crate) fn new(features: &[Field]) -> Self {
        Self::of(features.iter().map(|feature| feature.data_type).collect())
    }

    /// True when `wider` has the same features, and perhaps more behind them.
    pub(super) fn begins(&self, wider: &Self) -> bool {
        wider.types.starts_with(&self.types)
    }

    /// The layout of the first `features` of them; `None` when there are not so many.
    pub(super) fn first(&self, features: usize) -> Option<Self> {
        self.types.get(..features).map(|types| Self::of(types.to_vec()))
    }

    fn of(types: Vec<DataType>) -> Self {
        let mut slot_bytes = types.len().div_ceil(4);
        let mut variable_count = 0;
        let mut places = Vec::with_capacity(types.len());
        for data_type in &types {
            places.push(match data_type.fixed_bytes() {
                Some(width) => {
                    slot_bytes += width;
                    Place::Fixed { offset: slot_bytes - width, width }
                }
                None => {
                    variable_count += 1;
                    Place::Variable(variable_count - 1)
                }
            });
        }
        let is_plain = variable_count == 0 && !types.contains(&DataType::Bool);
        Self { types, places, slot_bytes, variable_count, is_plain }
    }

    /// Types in feature order.
    pub(crate) fn types(&self) -> &[DataType] {
        &self.types
    }

    /// Number of features.
    pub(crate) fn len(&self) -> usize {
        self.types.len()
    }

    /// Where `feature` lies.
    pub(crate) fn place(&self, feature: usize) -> Option<Place> {
        self.places.get(feature).copied()
    }

    /// Where `feature` lies in a slot, if it takes 8 bytes.
    pub(crate) fn word_offset(&self, feature: usize) -> Option<usize> {
        match self.place(feature)? {
            Place::Fixed { offset, width: 8 } => Some(offset),
            Place::Fixed { .. } | Place::Variable(_) => None,
        }
    }

    /// True when `packed`, of the first `features` features, has a value of each of the group's: it need not be decoded to be stored.
    pub(crate) fn is_whole(&self, features: usize, packed: &[u8]) -> bool {
        self.is_plain
            && features == self.len()
            && packed.len() == self.slot_bytes
            && has_all_values(packed, features)
    }

    /// Bytes of the states at the front of a slot.
    pub(super) fn states_bytes(&self) -> usize {
        self.types.len().div_ceil(4)
    }

    /// Bytes of a slot.
    pub(crate) fn slot_bytes(&self) -> usize {
        self.slot_bytes
    }

    /// Heap cells of a slot.
    pub(crate) fn variable_count(&self) -> usize {
        self.variable_count
    }
}

/// True when the states at the front of `cells` say that each of `features` features has a value.
pub(super) fn has_all_values(cells: &[u8], features: usize) -> bool {
    const VALUES: u8 = 0b1010_1010;
    let (whole, part) = (features / 4, features % 4);
    let mask = !(u8::MAX << (part * 2));
    cells.len() >= whole
        && cells.iter().take(whole).all(|states| *states == VALUES)
        // Bits behind the last feature are zero in a slot; a row that has others there is decoded.
        && (part == 0 || cells.get(whole) == Some(&(VALUES & mask)))
}
