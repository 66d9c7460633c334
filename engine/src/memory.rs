//! What each feature of a window group costs in memory: an estimate from a sample of its entities.

use model::definition::GroupKind;
use storage::Vfs;

use crate::{Database, Error, shard::SHARD_COUNT};

/// Entities that are looked at, at most; a few more where a table is hardly larger than its share.
const SAMPLE_ENTITIES: usize = 512;

impl<V: Vfs> Database<V> {
    /// Bytes of each feature of window group `group`, by name: what its entities take, divided between the features that need
    /// it. An estimate from some hundred entities, scaled to the bytes of the group; empty for a row group and without entities.
    ///
    /// # Errors
    /// [`Error::Internal`] when there is no such group.
    pub fn memory_by_feature(&self, group: usize) -> Result<Vec<(String, u64)>, Error> {
        let catalog = self.catalog.read();
        let definition = catalog.definitions.groups.get(group);
        let no_group = || Error::Internal(format!("no group has index {group}"));
        let GroupKind::Windows(definition) = &definition.ok_or_else(no_group)?.kind else {
            return Ok(Vec::new());
        };
        let windows = catalog.windows(group)?;
        let mut account = windows.plan.account();
        let mut whole = 0;
        for shard in 0..SHARD_COUNT {
            let shard = self.shards.read(shard);
            let Some(table) = shard.windows(group) else { continue };
            whole += table.bytes();
            let sample = table.sample(SAMPLE_ENTITIES / SHARD_COUNT);
            sample.for_each(|(entity, beside)| account.add(entity, beside));
        }
        let charged: f64 = account.bytes().iter().sum();
        if charged == 0.0 {
            return Ok(Vec::new());
        }
        let mut features: Vec<_> =
            definition.features.iter().map(|feature| (feature.name.to_string(), 0.0)).collect();
        for (column, bytes) in definition.columns.iter().zip(account.bytes()) {
            if let Some((_, sum)) = features.get_mut(column.feature) {
                *sum += bytes / charged * whole as f64;
            }
        }
        Ok(features.into_iter().map(|(name, bytes)| (name, whole_bytes(bytes))).collect())
    }
}

/// The nearest whole number.
#[expect(
    clippy::cast_possible_truncation,
    reason = "bytes of memory, far below 2^53 and not negative"
)]
fn whole_bytes(bytes: f64) -> u64 {
    bytes.round() as u64
}
