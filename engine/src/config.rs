//! How a database is opened.

use model::limits::FRAME_BYTES_MAX;
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
}

impl Default for Config {
    fn default() -> Self {
        Self { sync: SyncPolicy::Always, seed: stdx::prng::seed_from_os(), segment_bytes: 64 << 20 }
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
            ..WalConfig::default()
        }
    }
}

/// A record is at most its request plus 16 bytes for each row: twice the largest frame is always enough.
const RECORD_BYTES_MAX: usize = 2 * FRAME_BYTES_MAX;
