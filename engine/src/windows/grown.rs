//! Tiles of the few entities that have some: a side slab, so that all others pay nothing for them.

use aggregate::Grown;

/// Boxed tiles by place.
#[derive(Debug, Default)]
pub(super) struct GrownSlab {
    places: Vec<Option<Box<Grown>>>,
    free: Vec<u32>,
    heap_bytes: usize,
}

impl GrownSlab {
    /// The tiles at a place that was handed out.
    pub(super) fn get(&self, place: u32) -> Option<&Grown> {
        self.places.get(place as usize)?.as_deref()
    }

    /// Keeps `grown`; its place.
    pub(super) fn put(&mut self, grown: Box<Grown>) -> u32 {
        self.heap_bytes += grown.bytes();
        let place = self.free.pop().unwrap_or_else(|| {
            self.places.push(None);
            u32::try_from(self.places.len() - 1).expect("fewer places than slots")
        });
        if let Some(to) = self.places.get_mut(place as usize) {
            *to = Some(grown);
        }
        place
    }

    /// Takes the tiles of a place, which is free then.
    pub(super) fn take(&mut self, place: u32) -> Option<Box<Grown>> {
        let grown = self.places.get_mut(place as usize)?.take()?;
        self.heap_bytes -= grown.bytes();
        self.free.push(place);
        if self.free.len() == self.places.len() {
            *self = Self::default();
        }
        Some(grown)
    }

    /// Bytes allocated.
    pub(super) fn bytes(&self) -> usize {
        self.heap_bytes
            + self.places.capacity() * size_of::<Option<Box<Grown>>>()
            + self.free.capacity() * size_of::<u32>()
    }
}
