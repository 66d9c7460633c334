//! Replays over generated histories: against brute force, and against themselves with other partitions, threads and memory; and of
//! files that are not as they should be; in parts.

mod brute_force;
mod from_files;
mod generated;
mod layout_is_unobservable;
mod partitions;
