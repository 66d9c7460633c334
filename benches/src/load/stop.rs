//! Whether somebody has had enough: asked several times a second, so that processes and directories are not left behind.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::Error;

/// A wish to stop; clones share it.
#[derive(Debug, Clone, Default)]
pub struct Stop(Arc<AtomicBool>);

impl Stop {
    /// From now on nothing goes on.
    pub fn set(&self) {
        self.0.store(true, Ordering::Release);
    }

    /// Goes on, or not.
    ///
    /// # Errors
    /// [`Error::Interrupted`] once it was set.
    pub fn check(&self) -> Result<(), Error> {
        if self.0.load(Ordering::Acquire) { Err(Error::Interrupted) } else { Ok(()) }
    }
}
