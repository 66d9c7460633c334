//! A server that is asked for more than it can do: long reads, peers that do not read, more requests than a thread can answer.

mod busy_threads;
mod long_reads;
mod long_writes;
mod peer;
mod slow_peers;
