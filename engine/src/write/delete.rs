//! Delete entities from a group.

use model::key;
use storage::Vfs;

use super::{
    Reject, RejectKind, WriteOptions, Written,
    applying::Applying,
    once,
    put::{check_batch, to_u32},
    record_bytes_max,
};
use crate::{
    Database, Error,
    apply::{admit_delete, apply_delete},
    mutation::{self, Delete, Header},
    producer::Outcome,
    shard::ShardMask,
};

impl<V: Vfs> Database<V> {
    /// Deletes the entities of `keys` from `group`. `applied` of the outcome says how many were there.
    ///
    /// # Errors
    /// As [`Database::put`].
    pub fn delete(
        &self,
        group: usize,
        keys: &[&[u8]],
        options: &WriteOptions,
    ) -> Result<Written, Error> {
        check_batch(keys.len())?;
        once(self, options, || {
            self.wal.reserve(record_bytes_max(keys.iter().map(|key| key.len())))?;
            let catalog = self.catalog.read();
            let (_, key_types) = catalog.group_key(group)?;
            let (mut routed, mut rejects) = (Vec::with_capacity(keys.len()), Vec::new());
            for (index, key) in (0..).zip(keys) {
                match key::validate(key, key_types) {
                    Ok(()) => routed.push((self.shards.route(key), *key)),
                    Err(error) => rejects.push(Reject {
                        index,
                        kind: RejectKind::Rejected,
                        reason: error.to_string(),
                    }),
                }
            }
            let mut outcome = Outcome { rejected: to_u32(rejects.len()), ..Outcome::default() };
            if routed.is_empty() {
                return Ok((self.wal.appended_lsn(), outcome, rejects));
            }
            let mut mask = ShardMask::default();
            routed.iter().for_each(|(shard, _)| mask.insert(*shard));
            let hasher = self.shards.hasher();
            let mut guards = self.shards.write(mask);
            // Counted here, and logged: what a sweep has taken already is there again in a recovery.
            outcome.applied = admit_delete(&mut guards, hasher, group, &routed)?;
            let header = Header { producer: options.producer, sequence: options.sequence, outcome };
            let keys = routed.iter().map(|(_, key)| *key).collect();
            let mut record = Vec::new();
            let at = Some(self.clock.wall_ms());
            Delete { header, group: to_u32(group), keys, at }.encode(&mut record);
            let lsn = self.wal.append(mutation::kind::DELETE, &record)?;
            let _applying = Applying::begin(self);
            apply_delete(&mut guards, hasher, group, &routed);
            Ok((lsn, outcome, rejects))
        })
    }
}
