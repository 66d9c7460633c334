//! How a database is opened.

use std::num::NonZero;
use std::thread::available_parallelism;

use model::limits::{FRAME_BYTES_MAX, HISTORY_LOG_BYTES_MAX};
use storage::{SyncPolicy, WalConfig};

/// Options of [`crate::Database::open`].
#[derive(Debug, Clone)]
pub struct Config {
    /// When a write counts as done.
    pub sync: SyncPolicy,
    /// Seed of everything random: placement of keys, ids of anonymous writes, salts of log segments. Production draws it
    /// from the operating system, a test fixes it.
    pub seed: u64,
    /// Size of a log segment, in bytes.
    pub segment_bytes: u64,
    /// A checkpoint is due so long after the last, if anything was written; `None`: never for that reason.
    pub checkpoint_every_ms: Option<u64>,
    /// A checkpoint is due when so many bytes of log lie behind the last; `None`: never for that reason.
    pub checkpoint_wal_bytes: Option<u64>,
    /// Bytes of log that may be kept for history alone; what is beyond is given up, and history has a gap.
    pub history_log_bytes_max: u64,
    /// Bytes that rows, window states, ids and buffers may take; writes that need more are refused. `None`: as much as there is.
    pub memory_bytes_max: Option<u64>,
    /// Threads that do what the log says at a start, beside the one that reads it. 1: all is done by that one.
    pub replay_threads: usize,
    /// Bytes of the log that these threads do together. Memory for three times as many is needed, and several times that for what
    /// they are decoded to.
    pub replay_chunk_bytes: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            sync: SyncPolicy::Always,
            seed: stdx::prng::seed_from_os(),
            segment_bytes: 64 << 20,
            checkpoint_every_ms: Some(300_000),
            checkpoint_wal_bytes: Some(256 << 20),
            history_log_bytes_max: HISTORY_LOG_BYTES_MAX,
            memory_bytes_max: None,
            replay_threads: available_parallelism().map_or(1, NonZero::get).min(REPLAY_THREADS_MAX),
            replay_chunk_bytes: 4 << 20,
        }
    }
}

impl Config {
    /// The log's part of it.
    pub(crate) fn wal(&self) -> WalConfig {
        WalConfig {
            sync: self.sync,
            seed: self.seed,
            segment_bytes: self.segment_bytes,
            record_bytes_max: RECORD_BYTES_MAX,
            buffer_bytes_max: self.log_buffer_bytes_max(),
            ..WalConfig::default()
        }
    }

    /// Bytes that may wait to be written: a small part of a small memory.
    fn log_buffer_bytes_max(&self) -> usize {
        let usual = WalConfig::default().buffer_bytes_max;
        let part = self.memory_bytes_max.map_or(u64::MAX, |bytes| bytes / LOG_BUFFER_PARTS);
        usize::try_from(part).unwrap_or(usize::MAX).clamp(LOG_BUFFER_BYTES_MIN, usual)
    }

    /// Bytes of all the log's buffers: records that wait, those being written, and the batch they are written as.
    pub(crate) fn log_buffers_bytes_max(&self) -> usize {
        if self.sync == SyncPolicy::Memory { 0 } else { 3 * self.log_buffer_bytes_max() }
    }
}

/// More threads than this wait for memory and for the one that reads.
const REPLAY_THREADS_MAX: usize = 8;
/// The log's buffer takes at most this part of the memory: one in …
const LOG_BUFFER_PARTS: u64 = 128;
/// But so many bytes at least.
const LOG_BUFFER_BYTES_MIN: usize = 256 << 10;

/// A record is at most its request plus 16 bytes for each row: twice the largest frame is always enough.
const RECORD_BYTES_MAX: usize = 2 * FRAME_BYTES_MAX;
