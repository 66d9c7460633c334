//! A table while it is written into a snapshot: nothing stands still, and what changes first leaves its image.
//!
//! ```text
//! position   0 ─────────── next ───────────────────────── end
//!            written        to be written, as it was at the fence
//! a write    changes it     leaves an image, once; then changes it. The image is written, the entity passed over
//! a new one                 is passed over: it was not there at the fence
//! ```
//!
//! Extra memory: the images of what changes while one shard is written, no more. Positions are those of a scan.

use std::sync::atomic::{AtomicU32, Ordering};

use stdx::mutant::{Mutant, is_planted};

use super::{Ordinals, Records};

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct TableFence {
    /// Positions below are written. Changed by the one who writes, under the shard's shared lock.
    next: AtomicU32,
    /// Positions that are passed over.
    passed: Ordinals,
    images: Records,
    /// Entities with tiles that were written or left an image, counted.
    numbers: AtomicU32,
}

impl TableFence {
    /// Positions from here on are still to be written.
    pub(crate) fn next(&self) -> u32 {
        self.next.load(Ordering::Relaxed)
    }

    /// Positions below `next` are written now.
    pub(crate) fn advance(&self, next: u32) {
        self.next.store(next, Ordering::Relaxed);
    }

    /// True for a position that is not to be written: its image is kept, or it was not there at the fence.
    pub(crate) fn is_passed(&self, position: u32) -> bool {
        self.passed.contains(position)
    }

    /// What is at `position` was not there at the fence.
    pub(crate) fn pass(&mut self, position: u32) {
        self.passed.insert(position);
    }

    /// What is at `position` is about to change: `image` keeps it as it is, unless it is written already or its image kept.
    pub(crate) fn before_change(
        &mut self,
        position: u32,
        image: impl FnOnce(&mut Records, &AtomicU32),
    ) {
        if position < self.next() || self.is_passed(position) {
            return;
        }
        self.pass(position);
        if !is_planted(Mutant::BeforeImageForgotten) {
            image(&mut self.images, &self.numbers);
        }
    }

    /// Where entities with tiles get their numbers in the section.
    pub(crate) fn numbers(&self) -> &AtomicU32 {
        &self.numbers
    }

    /// Images kept so far.
    pub(crate) fn images(&self) -> &Records {
        &self.images
    }

    /// Bytes of memory.
    pub(crate) fn bytes(&self) -> usize {
        self.passed.bytes() + self.images.bytes()
    }
}
