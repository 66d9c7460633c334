//! A process that ends with the one that started it, however that ends: by itself, by a signal, or killed.
//!
//! ```text
//! larder bench ── starts ──► larder bench-owned PID PROGRAM … ── asks the kernel for its end with PID's ──► becomes PROGRAM
//! ```
//!
//! What a process asked of the kernel (PR_SET_PDEATHSIG) outlives its change into another program; so that program needs to know
//! nothing of it, and Redis does not.

use std::ffi::{OsStr, OsString};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use rustix::process::{Signal, getppid, set_parent_process_death_signal};

use super::Error;

/// What a program that starts others calls itself with; see [`become_program`].
pub const SUBCOMMAND: &str = "bench-owned";

/// A command that runs `program` until this process ends. `binary` is a program that hands [`SUBCOMMAND`] to [`become_program`]. To be
/// started by a thread that lasts: the kernel looks at the thread that did it.
pub(super) fn command(binary: &Path, program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(binary);
    command.args([SUBCOMMAND, &std::process::id().to_string()]).arg(program);
    command
}

/// Turns this process into `program`, which is killed when process `owner`, who started this one, ends. Comes back only with an error.
#[must_use]
pub fn become_program(owner: u32, program: &OsStr, arguments: &[OsString]) -> Error {
    if let Err(error) = set_parent_process_death_signal(Some(Signal::KILL)) {
        return Error::Failed(format!("the kernel does not watch over a process: {error}"));
    }
    // It may have ended before the kernel was asked: then somebody else has this process.
    let parent = getppid().map(|parent| parent.as_raw_nonzero().get());
    if parent.and_then(|parent| u32::try_from(parent).ok()) != Some(owner) {
        return Error::Interrupted;
    }
    let error = Command::new(program).args(arguments).exec();
    Error::Failed(format!("cannot start {}: {error}", program.display()))
}
