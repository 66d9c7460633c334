//! History is what was accepted: each change exactly once and in order, whatever happens to server, disk and definitions.

mod crashes;
mod damage;
mod harness;
mod limits;
mod replays;
mod what_was_accepted;
