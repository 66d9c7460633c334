//! How a command ends when it does not end well: 1 the operation failed, 2 wrong usage.

use std::fmt;

/// Why a command failed, and its exit code.
#[derive(Debug)]
pub(crate) struct CliError {
    message: String,
    exit_code: u8,
}

impl CliError {
    /// The operation failed: exit code 1.
    pub(crate) fn failed(message: impl Into<String>) -> Self {
        Self { message: message.into(), exit_code: 1 }
    }

    /// The command was used wrongly: exit code 2.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self { message: message.into(), exit_code: 2 }
    }

    /// Nothing failed, but there is nobody left to work for: exit code 0, and no word.
    pub(crate) fn reader_left() -> Self {
        Self { message: String::new(), exit_code: 0 }
    }

    /// Says what it was about.
    pub(crate) fn context(self, what: &str) -> Self {
        Self { message: format!("{what}: {}", self.message), ..self }
    }

    /// The process's exit code.
    pub(crate) fn exit_code(&self) -> u8 {
        self.exit_code
    }
}

impl fmt::Display for CliError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

macro_rules! from_errors {
    ($($kind:ty),*) => {$(
        impl From<$kind> for CliError {
            fn from(error: $kind) -> Self {
                Self::failed(error.to_string())
            }
        }
    )*};
}

from_errors!(model::Error, engine::Error, client::Error, std::io::Error);

impl From<export::Error> for CliError {
    fn from(error: export::Error) -> Self {
        match error {
            export::Error::Usage(what) => Self::usage(what),
            other => Self::failed(other.to_string()),
        }
    }
}
