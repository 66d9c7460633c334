//! Events of one write, decoded, and what they change.
//!
//! All that they change lies side by side, keys and records in one piece of memory beside it: a batch is gone through several times, is
//! sorted in between, and a piece of memory for each event would be a miss each time.

use aggregate::{PreparedEvent, StoredEvent, ingest};
use model::{definition::Stream, value::ValueRef};
use smallvec::SmallVec;
use stdx::hash::KeyHasher;

use super::{EventId, declared_id_of, derive_id, event_time_of, no_key, prepare_part};
use crate::{
    catalog::{Catalog, StreamRuntime},
    mutation::PushEvent,
    producer::ProducerId,
    shard::{ShardMask, shard_of},
};

/// Fields of an event that need no memory of their own.
const FIELDS_INLINE: usize = 16;

/// What one event changes in one window group; its bytes are in its [`EventParts`].
#[derive(Debug, Clone, Copy)]
pub(crate) struct EventPart {
    pub(crate) group: usize,
    pub(crate) shard: usize,
    /// Of the key.
    pub(crate) hash: u64,
    /// In ms.
    pub(crate) event_time: i64,
    /// Of the bytes, `start..key_end` are the canonical key and `key_end..end` the event's record without its time.
    start: usize,
    key_end: usize,
    end: usize,
    is_full: bool,
    /// Somebody counts the event.
    is_counted: bool,
}

/// What events change, in the order in which they came.
#[derive(Debug, Default)]
pub(crate) struct EventParts {
    parts: Vec<EventPart>,
    bytes: Vec<u8>,
}

/// Where a part is put together.
#[derive(Debug, Default)]
pub(crate) struct Draft {
    key: Vec<u8>,
    prepared: PreparedEvent,
}

impl EventParts {
    /// One of them.
    pub(crate) fn get(&self, place: usize) -> Option<&EventPart> {
        self.parts.get(place)
    }

    /// All of them.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &EventPart> {
        self.parts.iter()
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.parts.len()
    }

    /// Canonical entity key.
    pub(crate) fn key(&self, part: &EventPart) -> &[u8] {
        self.bytes.get(part.start..part.key_end).unwrap_or_default()
    }

    /// What is added to the entity's log; `None` when nothing counts the event.
    pub(crate) fn event(&self, part: &EventPart) -> Option<StoredEvent<'_>> {
        let body = self.bytes.get(part.key_end..part.end).unwrap_or_default();
        part.is_counted.then_some(StoredEvent {
            time: part.event_time,
            is_full: part.is_full,
            body,
        })
    }

    /// Bytes allocated.
    pub(crate) fn allocated(&self) -> usize {
        self.parts.capacity() * size_of::<EventPart>() + self.bytes.capacity()
    }

    /// None are left; their memory is.
    pub(crate) fn clear(&mut self) {
        self.truncate(0);
    }

    /// Only the first `count` are left.
    fn truncate(&mut self, count: usize) {
        let end = self.parts.get(count).map_or(self.bytes.len(), |part| part.start);
        self.bytes.truncate(end);
        self.parts.truncate(count);
    }

    /// Adds what was put together for `group`, of a key that hashes to `hash`.
    #[inline]
    fn add(&mut self, draft: &Draft, group: usize, hash: u64, event_time: i64) {
        let event = draft.prepared.stored();
        let (is_full, body) = event.map_or((false, &[][..]), |event| (event.is_full, event.body));
        let start = self.bytes.len();
        self.bytes.extend_from_slice(&draft.key);
        let key_end = self.bytes.len();
        self.bytes.extend_from_slice(body);
        self.parts.push(EventPart {
            group,
            shard: shard_of(hash),
            hash,
            event_time,
            start,
            key_end,
            end: self.bytes.len(),
            is_full,
            is_counted: event.is_some(),
        });
    }
}

/// An event, decoded.
#[derive(Debug)]
pub(crate) struct RoutedEvent {
    /// Its position in the request.
    pub(crate) index: u32,
    /// In ms.
    pub(crate) event_time: i64,
    /// Canonical bytes of the declared event id; `None` when the stream declares none.
    pub(crate) declared_id: Option<EventId>,
    /// Where its parts begin, and where they end.
    start: usize,
    end: usize,
}

impl RoutedEvent {
    /// Where its parts are.
    pub(crate) fn places(&self) -> std::ops::Range<usize> {
        self.start..self.end
    }

    /// What it changes.
    pub(crate) fn parts<'a>(&self, parts: &'a EventParts) -> &'a [EventPart] {
        parts.parts.get(self.places()).unwrap_or_default()
    }
}

/// The shards that `parts` touch.
pub(crate) fn shards_of<'a>(parts: impl IntoIterator<Item = &'a EventPart>) -> ShardMask {
    let mut mask = ShardMask::default();
    parts.into_iter().for_each(|part| mask.insert(part.shard));
    mask
}

/// Decodes events of one write into one stream.
pub(crate) struct Router<'a> {
    pub(crate) catalog: &'a Catalog,
    pub(crate) hasher: &'a KeyHasher,
    pub(crate) stream: &'a Stream,
    pub(crate) runtime: &'a StreamRuntime,
    /// How many of the stream's fields the writer knew.
    pub(crate) fields: usize,
    /// The writer, and the number of its write.
    pub(crate) writer: (ProducerId, u64),
    pub(crate) draft: &'a mut Draft,
}

impl Router<'_> {
    /// Decodes an event and adds to `parts` what it changes in the shards that are `wanted`: nothing, when it is refused.
    ///
    /// # Errors
    /// What is wrong with the event, for its sender.
    pub(crate) fn route(
        &mut self,
        source: PushEvent<'_>,
        parts: &mut EventParts,
        wanted: impl Fn(usize) -> bool,
    ) -> Result<RoutedEvent, model::Error> {
        let start = parts.len();
        let routed = self.route_into(source, parts, wanted);
        if routed.is_err() {
            parts.truncate(start);
        }
        routed
    }

    fn route_into(
        &mut self,
        source: PushEvent<'_>,
        parts: &mut EventParts,
        wanted: impl Fn(usize) -> bool,
    ) -> Result<RoutedEvent, model::Error> {
        let Self { catalog, hasher, stream, runtime, .. } = *self;
        let draft = &mut *self.draft;
        let types = runtime.types.get(..self.fields).unwrap_or(&runtime.types);
        let mut values: SmallVec<[Option<ValueRef<'_>>; FIELDS_INLINE]> =
            SmallVec::with_capacity(stream.fields.len());
        ingest::exact_row(stream, (source.event, types), |value| values.push(value))?;
        let event_time = event_time_of(stream, &values)?;
        let declared_id = declared_id_of(stream, &values)?;
        let derived_id;
        let id: &[u8] = match &declared_id {
            Some(id) => id,
            None if !runtime.has_ids => &[],
            None => {
                derived_id = derive_id(self.writer.0, self.writer.1, source.index);
                &derived_id
            }
        };
        let (start, mut has_key) = (parts.len(), false);
        for group in runtime.groups.iter().copied() {
            let event = (values.as_slice(), event_time, id);
            if !prepare_part(catalog, group, event, &mut draft.key, &mut draft.prepared)? {
                continue;
            }
            has_key = true;
            let hash = hasher.hash(&draft.key);
            if wanted(shard_of(hash)) {
                parts.add(draft, group, hash, event_time);
            }
        }
        let end = parts.len();
        if !has_key && !runtime.groups.is_empty() {
            return Err(no_key(stream));
        }
        Ok(RoutedEvent { index: source.index, event_time, declared_id, start, end })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_truncated_is_gone_and_what_is_added_then_has_its_own_key() {
        let mut parts = EventParts::default();
        for (place, key) in (0..).zip([b"one", b"two", b"six"]) {
            let draft = Draft { key: key.to_vec(), ..Draft::default() };
            if place == 2 {
                parts.truncate(1);
            }
            parts.add(&draft, place, 7, -1);
        }
        let keys: Vec<_> = parts.iter().map(|part| (part.group, parts.key(part))).collect();
        assert_eq!(keys, [(0, &b"one"[..]), (2, b"six")]);
        assert_eq!(parts.bytes, b"onesix");
        parts.clear();
        assert_eq!((parts.len(), parts.bytes.len()), (0, 0));
    }
}
