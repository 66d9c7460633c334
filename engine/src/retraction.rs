//! From the bytes of a retraction to the entities it concerns. Nothing is changed here.
//!
//! A row that retracts is packed as the event was: the row that pushed an event retracts it. Only its event id, its event time
//! and the keys of window groups are looked at.

use aggregate::ingest;
use model::{
    definition::Stream,
    key::{self, EntityKey},
};
use stdx::hash::KeyHasher;

use crate::{
    catalog::{Catalog, StreamRuntime},
    route::{declared_id_of, event_time_of, key_values, no_key},
    shard::{ShardMask, shard_of},
};

/// What one retraction concerns in one window group.
#[derive(Debug)]
pub(crate) struct RetractionPart {
    pub(crate) group: usize,
    pub(crate) shard: usize,
    pub(crate) key: EntityKey,
}

/// The retraction of one event, decoded and routed to every window group that the event may be in.
#[derive(Debug)]
pub(crate) struct Retraction<'a> {
    /// Its position in the request.
    pub(crate) index: u32,
    /// As received.
    pub(crate) row: &'a [u8],
    pub(crate) event_time: i64,
    /// Canonical bytes of the event id.
    pub(crate) id: Box<[u8]>,
    pub(crate) parts: Vec<RetractionPart>,
}

/// Decodes the row that retracts an event of a stream with event ids.
///
/// # Errors
/// What is wrong with the row, for its sender.
pub(crate) fn route_retraction<'a>(
    catalog: &Catalog,
    hasher: &KeyHasher,
    (stream, runtime): (&Stream, &StreamRuntime),
    fields: usize,
    (index, row): (u32, &'a [u8]),
) -> Result<Retraction<'a>, model::Error> {
    let types = runtime.types.get(..fields).unwrap_or(&runtime.types);
    let mut values = Vec::with_capacity(stream.fields.len());
    ingest::exact_row(stream, (row, types), |value| values.push(value))?;
    let event_time = event_time_of(stream, &values)?;
    let id = declared_id_of(stream, &values)?.unwrap_or_default().into_boxed_slice();
    let mut parts = Vec::with_capacity(runtime.groups.len());
    let mut key = Vec::new();
    for group in runtime.groups.iter().copied() {
        let Ok(windows) = catalog.windows(group) else { continue };
        if !key::write_values(&mut key, key_values(&values, &windows.key))? {
            continue;
        }
        let key = EntityKey::from_written(&key);
        let shard = shard_of(hasher.hash(key.as_bytes()));
        parts.push(RetractionPart { group, shard, key });
    }
    if parts.is_empty() && !runtime.groups.is_empty() {
        return Err(no_key(stream));
    }
    Ok(Retraction { index, row, event_time, id, parts })
}

/// What `retractions` concern, each with its retraction.
pub(crate) fn parts_of<'a>(
    retractions: &'a [Retraction<'a>],
) -> impl Iterator<Item = (&'a Retraction<'a>, &'a RetractionPart)> {
    retractions.iter().flat_map(|one| one.parts.iter().map(move |part| (one, part)))
}

/// The shards that `retractions` touch.
pub(crate) fn shards_of(retractions: &[Retraction<'_>]) -> ShardMask {
    let mut mask = ShardMask::default();
    for part in retractions.iter().flat_map(|retraction| &retraction.parts) {
        mask.insert(part.shard);
    }
    mask
}
