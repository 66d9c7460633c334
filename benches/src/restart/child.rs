//! A process that is measured from outside, and ends with its owner.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

/// See the module.
#[derive(Debug)]
pub(super) struct Child(std::process::Child);

impl Child {
    /// Starts `command`, with nothing to read and nobody who listens to what it logs.
    pub(super) fn start(command: &mut Command) -> Self {
        let quiet = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        Self(quiet.spawn().expect("the program can be started"))
    }

    /// Its number.
    pub(super) fn id(&self) -> u32 {
        self.0.id()
    }

    /// The next line it prints; nothing when it ends first. Called once.
    pub(super) fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        let read = BufReader::new(self.0.stdout.as_mut()?).read_line(&mut line);
        read.is_ok_and(|bytes| bytes > 0).then_some(line)
    }

    /// True while it runs.
    pub(super) fn is_running(&mut self) -> bool {
        self.0.try_wait().is_ok_and(|ended| ended.is_none())
    }

    /// Waits until it has ended by itself.
    pub(super) fn wait(&mut self) {
        self.0.wait().expect("it is our child");
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        // A process that ended already is as gone as one that is killed.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
