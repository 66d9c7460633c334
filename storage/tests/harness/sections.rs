//! Made-up sections of snapshots: what is in them is known from the seed.

use stdx::prng::Prng;
use storage::snapshot::SectionTag;

use crate::snapshots::Sections;

/// Sections of random names and bytes, of `lengths` bytes.
pub(crate) fn sections(prng: &mut Prng, lengths: &[usize]) -> Sections {
    let number = |prng: &mut Prng| u32::try_from(prng.below(1 << 32)).expect("32 bits");
    let mut section = |length: &usize| {
        let (kind, shard, group) = (number(prng), number(prng), number(prng));
        let words = (0..length.div_ceil(8)).flat_map(|_| prng.next_u64().to_le_bytes());
        (SectionTag { kind, shard, group }, words.take(*length).collect())
    };
    lengths.iter().map(&mut section).collect()
}
