//! Model-checked interleavings of the places where threads meet.
//!
//! | | what is tried | run with |
//! |---|---|---|
//! | loom | every interleaving of a part, with at most two preemptions | `RUSTFLAGS="--cfg loom" LOOM_MAX_PREEMPTIONS=2 cargo test --release -p larder-loom-tests` |
//! | shuttle | the whole database, in interleavings drawn at random | `RUSTFLAGS="--cfg shuttle" cargo test --release -p larder-loom-tests` |
//!
//! `cargo xtask test loom shuttle` runs both. Without either there is nothing to run.
//!
//! Each property has a twin with a planted bug that must fail: a model that finds nothing proves nothing.

#[cfg(loom)]
mod model;
#[cfg(any(loom, shuttle))]
mod planted;
#[cfg(shuttle)]
mod random;

#[cfg(loom)]
pub use model::check;
#[cfg(any(loom, shuttle))]
pub use planted::must_fail;
#[cfg(shuttle)]
pub use random::check;
