//! What the standard library could have had, for every layer above.
//!
//! Product-agnostic: nothing here knows what a feature, a window or a log is.
//!
//! ```text
//! sync      std/parking_lot, or loom under `--cfg loom`   every lock and atomic of the product
//! clock     Clock: wall milliseconds, monotonic nanoseconds; the system's, or one set by hand
//! prng      one seed, named streams                       whatever a test asserts can be replayed
//! hash      murmur3 (a format), key hashing (seeded)      two hashes, two purposes
//! checksum  CRC-64/NVME, 64 bits wide                     every batch and section on disk
//! mutant    bugs that tests plant                         a harness that finds nothing has found nothing
//! cursor    bounds-checked little-endian reads and writes every codec
//! histogram counts in fixed buckets, by one thread        how long things take, read while they go on
//! ```
//!
//! What is deliberately absent: file access (`storage::fs`), errors of the product, logging.

pub mod checksum;
pub mod clock;
pub mod cursor;
pub mod hash;
pub mod histogram;
pub mod mutant;
pub mod prng;
pub mod sync;
pub mod touch;
