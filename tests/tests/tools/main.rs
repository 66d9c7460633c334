//! What other people's tools make of our files, one story a file.

mod exports;
mod metrics;
mod replays;
