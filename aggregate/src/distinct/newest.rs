//! The distinct tokens with the newest tiles: what decides whether a window's count is exact.
//!
//! The list holds the [`NEWEST_MAX`] greatest of (newest tile, token). A token's tile only ever grows, and so does the number
//! of tokens above a given one; what was cut off therefore never belongs to the final list, and the order of insertion does
//! not show. The tokens of a window are those with the newest tiles, so a list that is not full is complete, and a full one
//! is complete for every window that its oldest tile is outside of.

use model::limits::DISTINCT_EXACT_MAX;

/// One more than is answered exactly: enough to know that there are more.
pub(crate) const NEWEST_MAX: usize = DISTINCT_EXACT_MAX + 1;

/// Merges tokens into a list, both as (tile, token) in any order, forgets tiles before `first_live_tile`, and leaves the
/// list in canonical order: newest first.
pub(crate) fn merge(list: &mut Vec<(i64, u32)>, added: &[(i64, u32)], first_live_tile: i64) {
    list.extend_from_slice(added);
    list.retain(|(tile, _)| *tile >= first_live_tile);
    // By token, its newest tile first: the others are dropped.
    list.sort_unstable_by(|a, b| (a.1, b.0).cmp(&(b.1, a.0)));
    list.dedup_by_key(|(_, token)| *token);
    list.sort_unstable_by(|a, b| b.cmp(a));
    list.truncate(NEWEST_MAX);
}

#[cfg(test)]
mod tests {
    use stdx::prng::Prng;

    use super::*;

    #[test]
    fn order_and_grouping_do_not_show() {
        let mut random = Prng::new(11);
        let mut all: Vec<(i64, u32)> = (0..4000)
            .map(|_| (random.between(0, 40), u32::try_from(random.below(900)).expect("small")))
            .collect();
        let mut whole = Vec::new();
        merge(&mut whole, &all, 5);
        assert_eq!(whole.len(), NEWEST_MAX);
        for _ in 0..50 {
            random.shuffle(&mut all);
            let mut list = Vec::new();
            let mut rest = all.as_slice();
            while !rest.is_empty() {
                let size = usize::try_from(random.below(700)).expect("small").clamp(1, rest.len());
                let (batch, after) = rest.split_at(size);
                // Forgetting early what is forgotten in the end changes nothing.
                merge(&mut list, batch, random.between(0, 5));
                rest = after;
            }
            merge(&mut list, &[], 5);
            assert_eq!(list, whole);
        }
    }
}
