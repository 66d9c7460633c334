//! Approximate distinct counts over sliding windows.
//!
//! ```text
//! token         32 bits of a value                   state        folded tokens: a list, then registers beside it
//! token_list    tokens with their newest tiles       counter      the counts of all windows of a read
//! group         64 registers of every window         estimate     from registers to a count
//! codec         a state as bytes                     datasketches one window's set, out and in
//! ```
//!
//! **What is answered** is decided by the window alone, so that no layout shows: up to 512 distinct tokens in the window,
//! their exact number; above it, the estimate on the registers of the window. A window that includes an imported sketch of
//! registers, whose tokens nobody knows, is always estimated.

#[cfg(test)]
mod accuracy;
pub(crate) mod codec;
pub(crate) mod counter;
pub(crate) mod datasketches;
#[cfg(test)]
mod equal_brute_force;
pub(crate) mod estimate;
pub(crate) mod group;
pub(crate) mod state;
pub(crate) mod token;
pub(crate) mod token_list;
