//! Mergeable summaries: what a window group keeps of a tile beyond numbers and edges.
//!
//! ```text
//! quantile   bins of equal relative width          newest   the newest values, in order
//! groups     numbers for each value of `by`        top_k    counts of values, exact while few are distinct
//! decay      weighted sums by half-life            cusum    cumulative sums over the tiles of a window
//! ```
//!
//! **The law.** A summary is a function of the multiset of events alone: its state is integers, `update` and
//! `merge_bytes` are commutative and associative, and `write` has one form for one multiset. So the same events in
//! any order, in any grouping of tiles, give the same bytes and the same answers. (`cusum` is the exception: it folds
//! tiles in ascending order.)
//!
//! Each summary has `update` for one event, `write` to append its bytes, `merge_bytes` to add what another one wrote,
//! `is_empty`, and `clear`, which keeps the memory. `merge_bytes` is `None` for bytes that no summary writes; some of
//! them may have been added by then. Lengths are the caller's to keep. What is borrowed for `'a` are bytes of the raw
//! log and of tiles.

#[cfg(test)]
mod accuracy;
pub(crate) mod cusum;
pub(crate) mod decay;
pub(crate) mod groups;
mod int192;
#[cfg(test)]
mod laws;
pub(crate) mod newest;
pub(crate) mod quantile;
pub(crate) mod top_k;
