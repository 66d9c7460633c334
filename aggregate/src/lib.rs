//! Tiles, windows, sketches and expressions: pure, deterministic, without I/O.

pub mod expr;
