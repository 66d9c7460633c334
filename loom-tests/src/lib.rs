//! Model-checked interleavings of the places where threads meet: `tests/*.rs`, run with
//! `RUSTFLAGS="--cfg loom" LOOM_MAX_PREEMPTIONS=2 cargo test --release -p larder-loom-tests`
//! (`cargo xtask test` does). Without `--cfg loom` there is nothing to run.
//!
//! Each property has a twin with a planted bug that must fail: a model that finds nothing proves nothing.

#[cfg(loom)]
mod model;

#[cfg(loom)]
pub use model::{check, must_fail};
