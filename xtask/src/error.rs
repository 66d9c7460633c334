//! Why a command of `cargo xtask` ended without success.

use std::path::PathBuf;
use std::process::ExitCode;

/// Cut by what the caller does next: correct the command line, install something, or fix the repository.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The command line asks for something that does not exist.
    #[error("{0}; `cargo xtask help` lists what there is")]
    Usage(String),

    /// Started in another way than through cargo, so the repository cannot be found.
    #[error("{0} is not set: run this as `cargo xtask …` inside the repository")]
    NotUnderCargo(&'static str),

    /// A component of the Rust toolchain is not installed.
    #[error("{component} is not installed; add it with `rustup component add {component}`")]
    ComponentMissing {
        /// Its name, as rustup spells it.
        component: &'static str,
    },

    /// A file of the repository could not be read.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },

    /// A command could not be started.
    #[error("{command} could not be started: {source}")]
    Start {
        /// The command line.
        command: String,
        /// What the operating system said.
        source: std::io::Error,
    },

    /// A command ran and failed; it has said why itself.
    #[error("{command} failed ({status})")]
    Command {
        /// The command line.
        command: String,
        /// Its exit status.
        status: std::process::ExitStatus,
    },

    /// A command took longer than it may, and was ended.
    #[error(
        "{command} was ended after {minutes} minutes; a test that hangs is told of above as running for over 60 seconds; these ran then:\n  {processes}"
    )]
    Hung {
        /// The command line.
        command: String,
        /// How long it was waited for.
        minutes: u64,
        /// The processes that ran, one a line.
        processes: String,
    },

    /// The bill of materials cannot be made.
    #[error("no bill of materials: {0}")]
    Sbom(String),

    /// Some checks found problems; they are printed already.
    #[error("check failed: {0}")]
    Check(String),
}

impl Error {
    /// 2 for a wrong command line, 1 for everything else.
    pub(crate) fn exit_code(&self) -> ExitCode {
        match self {
            Self::Usage(_) => ExitCode::from(2),
            _ => ExitCode::FAILURE,
        }
    }
}
