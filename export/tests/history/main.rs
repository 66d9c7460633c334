//! History is what was accepted: each change exactly once and in order, whatever happens to server, disk and definitions.

mod beside_a_reader;
mod copies;
mod crashes;
mod damage;
mod event_clock;
mod harness;
mod limits;
mod merges;
mod names;
mod never_was;
mod replays;
mod room;
mod what_was_accepted;
