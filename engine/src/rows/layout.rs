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
}

impl RowLayout {
    /// The layout of `features`, in their order.
    pub(crate) fn new(features: &[Field]) -> Self {
        Self::of(features.iter().map(|feature| feature.data_type).collect())
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
        Self { types, places, slot_bytes, variable_count }
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

    /// Bytes of a slot.
    pub(crate) fn slot_bytes(&self) -> usize {
        self.slot_bytes
    }

    /// Heap cells of a slot.
    pub(crate) fn variable_count(&self) -> usize {
        self.variable_count
    }
}
