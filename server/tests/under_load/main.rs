//! A server that is asked for more than it can do: long reads and writes, definitions, peers that do not read, more requests than a thread can answer.

mod beside;
mod busy_threads;
mod definitions;
mod long_reads;
mod long_writes;
mod peer;
mod slow_peers;
