//! What a server tells of itself, and how.

use std::time::Duration;

use clap::Args;

use crate::logging::LogFormat;

/// See the module.
#[derive(Debug, Args)]
pub(crate) struct Telling {
    /// How lines of the log look, which goes to standard error: text, json. LARDER_LOG says what is told: error, warn, info, debug.
    #[arg(long, default_value = "text", value_name = "FORMAT")]
    pub(crate) log_format: LogFormat,
    /// Requests that take so many milliseconds or longer are told in the log, and kept with where their time went: `/debug/slow` on
    /// the admin port.
    #[arg(long, default_value_t = 10, value_name = "MS", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) slow_ms: u32,
}

impl Telling {
    /// What is slow.
    pub(crate) fn slow(&self) -> Duration {
        Duration::from_millis(self.slow_ms.into())
    }
}
