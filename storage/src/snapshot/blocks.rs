//! Which blocks of a snapshot were found good: one bit each, set at the first use or by the verifier in the background.
//!
//! The bytes do not change unless the disk fails, so a bit orders nothing and every access is relaxed: a thread that does not see
//! it yet computes the same checksum again.

use std::{
    collections::BTreeSet,
    ops::Range,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
};

use stdx::{
    mutant::{Mutant, is_planted},
    sync::Mutex,
};

use super::{
    Progress,
    format::{BLOCK_BYTES, CHECKSUM_BYTES, block_checksum},
};

/// Blocks that whoever goes through many of them has the disk bring at once. More made nothing faster, and a read that needs one
/// block of a cold file waits behind them: the slowest of a hundred 4 ms with 16, 1.5 ms with 2.
const AHEAD_BLOCKS: usize = 2;
/// Bits of a word.
const WORD_BITS: usize = 64;

/// Where blocks are.
pub(super) trait Source {
    /// All of them.
    fn body(&self) -> &[u8];
    /// Their checksums.
    fn checksums(&self) -> &[u8];
    /// They are about to be read.
    fn bring(&self, blocks: Range<usize>);
}

/// See the module.
#[derive(Debug)]
pub(super) struct Blocks {
    salt: u64,
    total: usize,
    good: Box<[AtomicU64]>,
    /// Blocks that are not known to be good; at 0 nothing has to be looked up any more.
    left: AtomicUsize,
    /// The next block for the verifier in the background.
    next: AtomicUsize,
    /// What was found damaged once is not tried again.
    damaged: Mutex<BTreeSet<usize>>,
    first_damage: OnceLock<Arc<str>>,
}

impl Blocks {
    /// The blocks of a body of `body` bytes, none of them verified.
    pub(super) fn new(salt: u64, body: usize) -> Self {
        let total = body.div_ceil(BLOCK_BYTES);
        Self {
            salt,
            total,
            good: (0..total.div_ceil(WORD_BITS)).map(|_| AtomicU64::new(0)).collect(),
            left: AtomicUsize::new(total),
            next: AtomicUsize::new(0),
            damaged: Mutex::new(BTreeSet::new()),
            first_damage: OnceLock::new(),
        }
    }

    /// Every block is good.
    #[inline]
    pub(super) fn all_good(&self) -> bool {
        self.left.load(Relaxed) == 0
    }

    /// Blocks found good, and all there are.
    pub(super) fn verified(&self) -> (usize, usize) {
        (self.total - self.left.load(Relaxed), self.total)
    }

    /// Blocks looked at, good or not.
    pub(super) fn progress(&self) -> Progress {
        let done = self.verified().0 + self.damaged.lock().len();
        Progress { done: done.min(self.total), total: self.total }
    }

    /// Text of the first damage.
    pub(super) fn first_damage(&self) -> Option<Arc<str>> {
        self.first_damage.get().cloned()
    }

    /// Remembers a damage, if it is the first.
    pub(super) fn note_damage(&self, what: impl FnOnce() -> String) {
        self.first_damage.get_or_init(|| what().into());
    }

    /// Verifies the blocks of `range`, which is in the body, as far as they are not. `Err`: the first damaged one.
    #[inline]
    pub(super) fn verify_range(
        &self,
        source: &impl Source,
        range: Range<usize>,
    ) -> Result<(), usize> {
        if range.is_empty() {
            return Ok(());
        }
        let end = range.end.div_ceil(BLOCK_BYTES);
        let mut touched = range.start / BLOCK_BYTES..end;
        touched.try_for_each(|block| {
            if self.is_good(block) { Ok(()) } else { self.verify(source, block, end) }
        })
    }

    /// Verifies up to `count` of the blocks that nobody has used yet. `Err`: a damaged one; the next call goes on behind it.
    pub(super) fn verify_next(&self, source: &impl Source, count: usize) -> Result<(), usize> {
        let mut budget = count;
        while budget > 0 && self.next.load(Relaxed) < self.total {
            let block = self.next.fetch_add(1, Relaxed);
            if block < self.total && !self.is_good(block) {
                // What the next call will want comes while nobody waits for it.
                self.verify(source, block, self.total)?;
                budget -= 1;
            }
        }
        Ok(())
    }

    fn is_good(&self, block: usize) -> bool {
        let word = self.good.get(block / WORD_BITS).map_or(0, |word| word.load(Relaxed));
        word >> (block % WORD_BITS) & 1 == 1
    }

    #[cold]
    fn verify(&self, source: &impl Source, block: usize, end: usize) -> Result<(), usize> {
        if self.damaged.lock().contains(&block) {
            return Err(block);
        }
        // While these are verified, the disk brings those behind them.
        let ahead = if block.is_multiple_of(AHEAD_BLOCKS) { 2 * AHEAD_BLOCKS } else { 1 };
        source.bring(block..end.min(block + ahead));
        let fits = is_planted(Mutant::NoBlockChecksum) || self.fits(source, block);
        // Under the lock, so that a block that is revoked meanwhile stays revoked.
        let mut damaged = self.damaged.lock();
        if !fits {
            damaged.insert(block);
        }
        if damaged.contains(&block) {
            return Err(block);
        }
        let bit = 1 << (block % WORD_BITS);
        let word = self.good.get(block / WORD_BITS);
        let before = word.map_or(bit, |word| word.fetch_or(bit, Relaxed));
        // Of two threads at one block, one counts it.
        if before & bit == 0 {
            self.left.fetch_sub(1, Relaxed);
        }
        Ok(())
    }

    /// Takes back that `block` was found good: it counts as damaged from here on. False when there is no such block.
    pub(super) fn revoke(&self, block: usize) -> bool {
        if block >= self.total {
            return false;
        }
        let mut damaged = self.damaged.lock();
        damaged.insert(block);
        let bit = 1 << (block % WORD_BITS);
        let word = self.good.get(block / WORD_BITS);
        let before = word.map_or(0, |word| word.fetch_and(!bit, Relaxed));
        if before & bit != 0 {
            self.left.fetch_add(1, Relaxed);
        }
        true
    }

    fn fits(&self, source: &impl Source, block: usize) -> bool {
        let (body, checksums) = (source.body(), source.checksums());
        let start = block.saturating_mul(BLOCK_BYTES);
        let bytes = body.get(start..body.len().min(start.saturating_add(BLOCK_BYTES)));
        let (expected, _) = checksums.as_chunks::<CHECKSUM_BYTES>();
        let (Some(bytes), Some(expected)) = (bytes, expected.get(block)) else { return false };
        block_checksum(self.salt, block, bytes) == u64::from_le_bytes(*expected)
    }
}
