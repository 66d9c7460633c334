//! What is told of every decision: denials are counted here, and told to the audit log by who calls (`audit::acts::decided`).

use std::sync::atomic::{AtomicU64, Ordering};

use protocol::{Opcode, StatValue};

/// A decision: when a handle is first used on a connection, with every request that has no handle, and with each hello.
#[derive(Debug)]
pub(crate) struct Decided<'a> {
    /// Who asks; `None` when that is not known.
    pub(crate) subject: Option<&'a str>,
    /// What for; empty when none was declared.
    pub(crate) purpose: &'a str,
    pub(crate) opcode: Opcode,
    /// What is asked for by name, such as `service:x` or `group:y`; empty where an operation has nothing.
    pub(crate) resources: &'a [String],
    /// What was missing; `None` when it is allowed.
    pub(crate) missing: Option<&'a str>,
}

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Witness {
    denied: AtomicU64,
    unauthenticated: AtomicU64,
}

impl Witness {
    /// After every decision. Not on the hot path.
    pub(crate) fn decided(&self, decided: &Decided<'_>) {
        let Some(missing) = decided.missing else { return };
        let count = if decided.subject.is_some() { &self.denied } else { &self.unauthenticated };
        count.fetch_add(1, Ordering::Relaxed);
        let (opcode, purpose, resources) = (decided.opcode, decided.purpose, decided.resources);
        tracing::debug!(subject = decided.subject, %opcode, purpose, ?resources, missing, "denied");
    }

    /// For the statistics.
    pub(crate) fn figures(&self) -> impl Iterator<Item = (String, StatValue)> + use<> {
        let figures = [
            ("requests_denied", &self.denied),
            ("requests_unauthenticated", &self.unauthenticated),
        ];
        figures
            .map(|(name, count)| (name.to_owned(), StatValue::U64(count.load(Ordering::Relaxed))))
            .into_iter()
    }
}
