//! The compiled `larder` binary on the real kernel: killed, cut from power, on disks that fill up or fail, on damaged files.
//!
//! The simulated disk of `storage` tries millions of crashes; this crate tries hundreds, and leaves nothing simulated: real
//! processes, sockets, file systems and system calls. Whatever is random comes from one seed, which a failure prints;
//! `LARDER_SEED` replays it as far as a real kernel can be replayed.
//!
//! ```text
//!            ┌─ writers: note what they send, send it, note the acknowledgement ─┐
//!   load ────┤                                                                   ├──► journal (the oracle)
//!            └─ a fault, some ms later: kill, power cut, full disk, failed sync ─┘        │
//!                                                                                         ▼
//!   server, started again ──► state, read in two ways ──────────────────────────► is it the state after a prefix of what
//!                                                                                 each writer sent, and nothing that was
//!                                                                                 promised behind it? then what is left
//!                                                                                 is sent again, and counts once
//! ```
//!
//! ```text
//! journal      what was sent and acknowledged; judges what a restart shows
//! load         writers, stopped by a fault     sender    one writer's connection     state    what a server shows
//! server       the process                     binary    where it is compiled
//! power        a disk that loses its power     small_disk   a disk that fills up     syscall_fault   calls that fail
//! damage       damage done to files            seed      seed, rounds, skipping aloud
//! python       other people's tools, which read what is exported
//! ```
//!
//! What it is not: no test of values (the engine's oracles do that; here other tools read them), no benchmark, and no simulation.

pub mod binary;
pub mod damage;
pub mod journal;
pub mod load;
pub mod power;
pub mod python;
pub mod seed;
pub mod sender;
pub mod server;
pub mod small_disk;
pub mod state;
pub mod syscall_fault;
