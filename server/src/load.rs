//! What was not done, and why: counts for operators.

use std::sync::atomic::{AtomicU64, Ordering};

use protocol::StatValue;

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Load {
    shed: AtomicU64,
    expired: AtomicU64,
    cut: AtomicU64,
    refused: AtomicU64,
    panics: AtomicU64,
    handshakes_failed: AtomicU64,
    unfinished: AtomicU64,
}

impl Load {
    /// A request was turned away: there was too much to do.
    pub(crate) fn shed(&self) {
        self.shed.fetch_add(1, Ordering::Relaxed);
    }

    /// How many were.
    pub(crate) fn has_shed(&self) -> u64 {
        self.shed.load(Ordering::Relaxed)
    }

    /// A request was not begun: its deadline had passed.
    pub(crate) fn expired(&self) {
        self.expired.fetch_add(1, Ordering::Relaxed);
    }

    /// A connection was cut: its peer did not read.
    pub(crate) fn cut(&self) {
        self.cut.fetch_add(1, Ordering::Relaxed);
    }

    /// A connection was not served: there are too many.
    pub(crate) fn refused(&self) {
        self.refused.fetch_add(1, Ordering::Relaxed);
    }

    /// A TLS handshake came to no end.
    pub(crate) fn handshake_failed(&self) {
        self.handshakes_failed.fetch_add(1, Ordering::Relaxed);
    }

    /// So many requests or connections ended by a panic.
    pub(crate) fn panicked(&self, count: u64) {
        self.panics.fetch_add(count, Ordering::Relaxed);
    }

    /// A connection was cut: a request was begun and not finished.
    pub(crate) fn unfinished(&self) {
        self.unfinished.fetch_add(1, Ordering::Relaxed);
    }

    /// For the statistics.
    pub(crate) fn figures(&self) -> impl Iterator<Item = (String, StatValue)> + use<> {
        let figures = [
            ("requests_shed", &self.shed),
            ("requests_expired", &self.expired),
            ("connections_cut", &self.cut),
            ("connections_unfinished", &self.unfinished),
            ("connections_refused", &self.refused),
            ("handler_panics", &self.panics),
            ("tls_handshakes_failed", &self.handshakes_failed),
        ];
        figures
            .map(|(name, count)| (name.to_owned(), StatValue::U64(count.load(Ordering::Relaxed))))
            .into_iter()
    }
}
