//! What a run draws from and how much it does: seed, rounds, and skipping aloud what the machine does not allow.

use std::io::Write;

use stdx::prng::{Prng, seed_from_os};

/// The seed of one test; printed when the test fails.
#[derive(Debug)]
pub struct Seed {
    value: u64,
}

impl Seed {
    /// `LARDER_SEED`, to replay a failure, else a new one.
    #[must_use]
    pub fn take() -> Self {
        Self { value: number("LARDER_SEED").unwrap_or_else(seed_from_os) }
    }

    /// The seed itself.
    #[must_use]
    pub fn value(&self) -> u64 {
        self.value
    }

    /// The stream called `name`.
    #[must_use]
    pub fn stream(&self, name: &str) -> Prng {
        Prng::stream(self.value, name)
    }
}

impl Drop for Seed {
    fn drop(&mut self) {
        if std::thread::panicking() {
            say(&format!("replay with LARDER_SEED={}", self.value));
        }
    }
}

/// Rounds of a test that repeats itself: `LARDER_ROUNDS`, else `default`.
#[must_use]
pub fn rounds(default: u64) -> u64 {
    number("LARDER_ROUNDS").unwrap_or(default)
}

fn number(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|error| panic!("{name}={text}: {error}")))
}

/// Says that `what` is not tested on this machine, past the capture of passing tests' output.
///
/// # Panics
/// With `LARDER_NO_SKIPS` set: where the machine is known to allow everything, a skip is a failure.
pub fn skip(what: &str, reason: &str) {
    say(&format!("SKIPPED, so NOT TESTED: {what}: {reason}"));
    assert!(std::env::var_os("LARDER_NO_SKIPS").is_none(), "{what} was skipped: {reason}");
}

/// A line on standard error that nothing swallows.
pub fn say(line: &str) {
    // A test goes on without its commentary.
    let _ = writeln!(std::io::stderr(), "{line}");
}
