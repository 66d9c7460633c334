//! What was served is computed again from history, to the bit; and what was not served so is found.

mod beside_a_server;
mod coverage;
mod log_of_reads;
mod parity;
mod traffic;
mod world;
