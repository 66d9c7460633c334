//! Replays over generated histories: against brute force, and against themselves with other partitions, threads and memory.

mod brute_force;
mod generated;
mod layout_is_unobservable;
