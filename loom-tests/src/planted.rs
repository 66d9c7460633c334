//! Runs a planted bug, which must be found.

use std::process::Command;

/// Runs the ignored test `name` of this file in a process of its own: it must fail and say `why`. A deadlock aborts the whole
/// process, and a mutant is planted in one.
///
/// # Panics
/// When the planted bug is not found.
pub fn must_fail(name: &str, why: &str) {
    let program = std::env::current_exe().expect("this test has a file");
    let run = Command::new(program).args(["--ignored", "--exact", "--nocapture", name]).output();
    let run = run.expect("a test can be run again");
    let said = String::from_utf8_lossy(&run.stderr) + String::from_utf8_lossy(&run.stdout);
    assert!(!run.status.success(), "the planted bug `{name}` was not found");
    assert!(said.contains(why), "`{name}` failed for another reason than \"{why}\":\n{said}");
}
