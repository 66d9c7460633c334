//! A hash of everything that is served, for proofs that two databases are equal: live and replayed, before and after.

use stdx::checksum::crc64;
use storage::Vfs;

use crate::{Database, Error, read::ScanCursor};

impl<V: Vfs> Database<V> {
    /// A hash of every entity's key, event time and values in every group, whatever the order of shards and slots.
    ///
    /// # Errors
    /// As [`Database::scan`].
    pub fn digest(&self) -> Result<u64, Error> {
        let names: Vec<_> = self
            .catalog
            .read()
            .definitions
            .groups
            .iter()
            .map(|group| group.name.to_string())
            .collect();
        // When entities are forgotten that no window sees any more is left to chance; now they all are.
        while !self.sweep(usize::MAX).is_round_over {}
        while !self.sweep(usize::MAX).is_round_over {}
        let mut digest = 0_u64;
        for name in names {
            let plan = self.plan_features(&[&format!("{name}:*")])?;
            let mut cursor = Some(ScanCursor::default());
            while let Some(from) = cursor {
                let page = self.scan(&plan, from, model::limits::SCAN_PAGE_MAX)?;
                for (row, key) in page.keys.iter().enumerate() {
                    let mut shown = format!("{name} {:?}", page.event_times.get(row));
                    for column in &page.columns {
                        let (status, value) = column.get(row)?;
                        shown.push_str(&format!(
                            " {status} {:?}",
                            value.map(|value| value.to_owned())
                        ));
                    }
                    // A sum does not depend on order; equal entities cannot cancel out, keys are unique.
                    digest = digest.wrapping_add(crc64(0, &[key, shown.as_bytes()]));
                }
                cursor = page.next;
            }
        }
        Ok(digest)
    }
}
