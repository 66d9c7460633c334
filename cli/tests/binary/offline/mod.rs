//! Directories without a server: looked at, found damaged, mended; by the binary as an operator calls it.

mod check;
mod inspect;
mod repair;
pub(crate) mod sample;
