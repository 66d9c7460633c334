//! Memory that is bounded for all connections together: of large requests that are not whole yet and of answers that nobody reads; and,
//! by itself, of requests that wait for a thread of their own.
//!
//! What a connection may hold is bounded by itself; ten thousand of them together are not. Small buffers are not counted: most
//! connections never touch the count.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// See the module.
#[derive(Debug)]
pub(crate) struct Buffers {
    max: usize,
    used: AtomicUsize,
}

/// A part of it; given back when it is dropped.
#[derive(Debug)]
pub(crate) struct Claim {
    buffers: Arc<Buffers>,
    bytes: usize,
}

impl Buffers {
    /// So many bytes altogether.
    pub(crate) fn new(max: usize) -> Arc<Self> {
        Arc::new(Self { max, used: AtomicUsize::new(0) })
    }

    /// Bytes in use.
    pub(crate) fn used(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }

    /// A claim of `bytes`; `None` when there are not so many left.
    pub(crate) fn claim(self: &Arc<Self>, bytes: usize) -> Option<Claim> {
        let mut claim = Claim { buffers: Arc::clone(self), bytes: 0 };
        claim.set(bytes).then_some(claim)
    }
}

impl Claim {
    /// Makes it a claim of `bytes`; false, and as before, when there are not so many left.
    pub(crate) fn set(&mut self, bytes: usize) -> bool {
        let Buffers { max, used } = &*self.buffers;
        if bytes > self.bytes {
            let more = bytes - self.bytes;
            let fits = |used: usize| used.checked_add(more).filter(|used| used <= max);
            if used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, fits).is_err() {
                return false;
            }
        } else if bytes < self.bytes {
            used.fetch_sub(self.bytes - bytes, Ordering::Relaxed);
        }
        self.bytes = bytes;
        true
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.set(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn claims_never_pass_the_limit_and_come_back() {
        let buffers = Buffers::new(100);
        let mut one = buffers.claim(60).expect("empty");
        assert!(buffers.claim(41).is_none() && !one.set(101));
        let other = buffers.claim(40).expect("all that is left");
        assert!(one.set(10) && buffers.used() == 50);
        drop((one, other));
        assert_eq!(buffers.used(), 0);
    }
}
