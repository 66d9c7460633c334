//! System calls that fail or kill: the server runs under `strace`, which injects the fault.

use std::path::Path;
use std::process::{Command, Stdio};

/// What becomes of one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// It fails with this errno and is not made: `EIO`, `ENOSPC`.
    Error(&'static str),
    /// The process is killed as the call begins.
    Kill,
}

/// The `nth` call (from 1, counted for each thread) of `call` fails; those after it do not, as after a failed writeback.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SyscallFault {
    /// The system call.
    pub call: &'static str,
    /// What becomes of it.
    pub effect: Effect,
    /// Which one.
    pub nth: u32,
}

impl SyscallFault {
    /// A command that runs `program` with the fault. Its process is `program` itself: strace stands aside (`-D`), so that
    /// signals and exit status are the program's.
    #[must_use]
    pub fn command(&self, program: &Path) -> Command {
        let effect = match self.effect {
            Effect::Error(errno) => format!("error={errno}"),
            Effect::Kill => "signal=KILL".to_owned(),
        };
        let inject = format!("inject={}:{effect}:when={}", self.call, self.nth);
        let mut command = strace();
        if self.effect != Effect::Kill {
            // Only the calls that matter stop the program. The kernel ignores signals that are injected at such a stop.
            command.arg("--seccomp-bpf");
        }
        command.args(["-e", &format!("trace={}", self.call), "-e", &inject]).arg(program);
        command
    }
}

/// Why this machine cannot inject faults.
///
/// # Errors
/// The reason, in a few words.
pub fn available() -> Result<(), String> {
    let mut probe = strace();
    probe.args(["--seccomp-bpf", "-e", "trace=fdatasync", "true"]);
    match probe.stdout(Stdio::null()).stderr(Stdio::null()).status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("strace cannot trace here ({status})")),
        Err(error) => Err(format!("strace does not start: {error}")),
    }
}

fn strace() -> Command {
    let mut command = Command::new("strace");
    command.args(["-D", "-f", "-qq", "-o", "/dev/null"]);
    command
}
