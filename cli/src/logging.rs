//! The server's own log, on standard error: lines for people, or JSON for machines.

use tracing_subscriber::EnvFilter;

/// How lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum LogFormat {
    /// For people.
    Text,
    /// An object each, for machines.
    Json,
}

/// Starts it. `LARDER_LOG` says what is told: `info` when not given.
pub(crate) fn start(format: LogFormat) {
    let filter = EnvFilter::try_from_env("LARDER_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // Only the first of a process takes effect; there is no second here.
    let _ = match format {
        LogFormat::Text => {
            let is_terminal = std::io::IsTerminal::is_terminal(&std::io::stderr());
            lines.with_ansi(is_terminal).try_init()
        }
        LogFormat::Json => lines.json().flatten_event(true).try_init(),
    };
}
