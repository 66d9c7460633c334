//! What a verification found.

use std::collections::BTreeMap;
use std::path::PathBuf;

use engine::Lsn;

use super::Unverifiable;

/// A value that is not what was served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// The service.
    pub service: String,
    /// The value's column.
    pub column: String,
    /// Keys of the vector's entities: `card=c1`.
    pub key: String,
    /// When it was read, in ms.
    pub read_at: i64,
    /// Up to which record of the log each entity's changes were seen.
    pub seen: Vec<Lsn>,
    /// Status and value as served.
    pub logged: String,
    /// Status and value as computed from history.
    pub computed: String,
    /// The file with the logged read.
    pub file: PathBuf,
    /// Its row there, from 1.
    pub row: usize,
}

/// See the module.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct VerifyReport {
    /// Vectors that were computed again and compared.
    pub reads: u64,
    /// Their values, statuses included.
    pub values: u64,
    /// Values that were served exactly so.
    pub equal: u64,
    /// Values that were not.
    pub different: u64,
    /// Vectors that history cannot compute, by reason.
    pub unverifiable: BTreeMap<Unverifiable, u64>,
    /// The first values that differ.
    pub differences: Vec<Difference>,
    /// Files of logged reads that a server removed before they were read.
    pub files_gone: u64,
    /// Up to this record of the log history goes.
    pub position: Lsn,
    differences_max: usize,
}

impl VerifyReport {
    /// Nothing yet.
    pub(super) fn new(differences_max: usize, position: Lsn) -> Self {
        Self { differences_max, position, ..Self::default() }
    }

    /// Vectors that cannot be verified.
    pub(super) fn skip(&mut self, why: Unverifiable, vectors: u64) {
        *self.unverifiable.entry(why).or_default() += vectors;
    }

    /// A value differs; `difference` is only made while it is listed.
    pub(super) fn differs<E>(
        &mut self,
        difference: impl FnOnce() -> Result<Difference, E>,
    ) -> Result<(), E> {
        self.different += 1;
        if self.differences.len() < self.differences_max {
            self.differences.push(difference()?);
        }
        Ok(())
    }

    /// Vectors that cannot be verified, for whatever reason.
    #[must_use]
    pub fn unverifiable_reads(&self) -> u64 {
        self.unverifiable.values().sum()
    }
}
