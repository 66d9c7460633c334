//! What a simulation did, as a hash that two runs of a seed must share, and as text when somebody replays a seed.

use std::fmt::Arguments;
use std::io::Write as _;

use stdx::hash::fnv1a64;

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Trace {
    hash: u64,
    is_shown: bool,
    line: Vec<u8>,
}

impl Trace {
    /// A trace that is printed to standard error when `is_shown`.
    pub(crate) fn new(is_shown: bool) -> Self {
        Self { is_shown, ..Self::default() }
    }

    /// Something happened.
    pub(crate) fn note(&mut self, what: Arguments<'_>) {
        self.line.clear();
        self.line.extend_from_slice(&self.hash.to_le_bytes());
        let noted = self.line.write_fmt(what);
        debug_assert!(noted.is_ok(), "a Vec takes everything");
        self.hash = fnv1a64(&self.line);
        if self.is_shown {
            let text = self.line.get(size_of::<u64>()..).unwrap_or_default();
            let mut out = std::io::stderr().lock();
            // Nobody reads any more: then nobody misses it.
            let _ = out.write_all(text).and_then(|()| out.write_all(b"\n"));
        }
    }

    /// Of everything so far.
    pub(crate) fn hash(&self) -> u64 {
        self.hash
    }
}
