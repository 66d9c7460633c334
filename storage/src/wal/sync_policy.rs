//! When a write is acknowledged, and what a crash can then still take.
//!
//! | policy | acknowledged after | a killed process loses | a power cut loses |
//! |---|---|---|---|
//! | always | fdatasync | nothing | nothing |
//! | interval | write, synced at least every 50 ms | nothing | at most the last 50 ms |
//! | os | write | nothing | what the system had not written yet |
//! | memory | nothing: there is no log | everything | everything |

use std::fmt;
use std::str::FromStr;

/// A server's policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SyncPolicy {
    /// See the module.
    Always,
    /// See the module.
    Interval,
    /// See the module.
    Os,
    /// See the module.
    Memory,
}

/// How often the `interval` policy syncs, at least, in ms.
pub(super) const INTERVAL_MS: u64 = 50;

/// How safe a write is. Ordered: later is safer. The discriminants are part of the wire format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum SyncLevel {
    /// In the memory of this process.
    Memory = 0,
    /// Handed to the operating system: survives this process.
    Written = 1,
    /// On the disk: survives a power cut.
    Durable = 2,
}

impl SyncPolicy {
    /// What an acknowledgement under this policy means.
    #[must_use]
    pub fn level(self) -> SyncLevel {
        match self {
            Self::Always => SyncLevel::Durable,
            Self::Interval | Self::Os => SyncLevel::Written,
            Self::Memory => SyncLevel::Memory,
        }
    }

    /// The word on the command line.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Always => "always",
            Self::Interval => "interval",
            Self::Os => "os",
            Self::Memory => "memory",
        }
    }
}

impl fmt::Display for SyncPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for SyncPolicy {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        [Self::Always, Self::Interval, Self::Os, Self::Memory]
            .into_iter()
            .find(|policy| policy.as_str() == text)
            .ok_or_else(|| {
                format!("sync policy {text:?} is not one of always, interval, os, memory")
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn policies_read_as_they_are_written() {
        for word in ["always", "interval", "os", "memory"] {
            assert_eq!(word.parse::<SyncPolicy>().map(SyncPolicy::as_str), Ok(word));
        }
        assert!(
            "often"
                .parse::<SyncPolicy>()
                .expect_err("unknown")
                .contains("always, interval, os, memory")
        );
    }
}
