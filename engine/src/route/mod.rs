//! From bytes to typed rows and events, each with the shards it goes to. Nothing is changed here.

mod events;

use aggregate::PreparedEvent;
use model::{
    definition::Stream,
    key,
    packed_row::{self, Cell},
    value::ValueRef,
};
use smallvec::SmallVec;
use stdx::hash::murmur3_x64_128;

use crate::{catalog::Catalog, producer::ProducerId, rows::RowLayout};

pub(crate) use events::{Draft, EventPart, EventParts, RoutedEvent, Router, shards_of};

/// A row of a put, decoded and routed.
pub(crate) struct RoutedRow<'a> {
    pub(crate) key: &'a [u8],
    pub(crate) event_time: i64,
    /// As received.
    pub(crate) packed: &'a [u8],
    /// The same, decoded; `None` for a row that is stored as it came.
    pub(crate) cells: Option<Vec<Cell<'a>>>,
    pub(crate) shard: usize,
}

/// The cells of a packed row of the first `features` features; `None` when it is stored as it comes.
///
/// # Errors
/// [`model::Error::Malformed`] when it is no such row.
pub(crate) fn cells_of<'a>(
    layout: &RowLayout,
    features: usize,
    packed: &'a [u8],
) -> Result<Option<Vec<Cell<'a>>>, model::Error> {
    if layout.is_whole(features, packed) {
        return Ok(None);
    }
    let types = layout.types().get(..features).unwrap_or(layout.types());
    packed_row::read_row(packed, types).map(Some)
}

/// Bytes of an event id that need no memory of their own.
const ID_INLINE: usize = 24;

/// Canonical bytes of an event id.
pub(crate) type EventId = SmallVec<[u8; ID_INLINE]>;

/// What an event, its exact fields with its time and the id that breaks ties, changes in one window group: the canonical bytes
/// of an entity's key, and the event prepared. False when it describes no entity of the group, because its key is null.
///
/// # Errors
/// What is wrong with the event, for its sender.
#[inline]
pub(crate) fn prepare_part(
    catalog: &Catalog,
    group: usize,
    (values, event_time, id): (&[Option<ValueRef<'_>>], i64, &[u8]),
    key: &mut Vec<u8>,
    prepared: &mut PreparedEvent,
) -> Result<bool, model::Error> {
    let Ok(windows) = catalog.windows(group) else { return Ok(false) };
    if !key::write_values(key, key_values(values, &windows.key))? {
        return Ok(false);
    }
    // Most events have a value in every field that counts, and then nothing has to be evaluated.
    let direct = windows.direct.as_ref();
    if direct.is_some_and(|direct| direct.prepare(values, event_time, id, prepared)) {
        return Ok(true);
    }
    windows.plan.prepare(values, event_time, id, prepared).map_err(|error| {
        let name = catalog.definitions.groups.get(group).map_or("", |group| group.name.as_str());
        let expected = "an event its features can hold";
        model::Error::mismatch(format!("group {name}"), expected, error.to_string())
    })?;
    Ok(true)
}

/// What is wrong with a row that describes no entity of any window group.
pub(crate) fn no_key(stream: &Stream) -> model::Error {
    model::Error::mismatch(
        stream.name.as_str(),
        "the key field of at least one window group",
        "null in all of them",
    )
}

/// When an event happened, in ms.
///
/// # Errors
/// When it does not say, or a time beyond all limits.
pub(crate) fn event_time_of(
    stream: &Stream,
    values: &[Option<ValueRef<'_>>],
) -> Result<i64, model::Error> {
    const MAX: i64 = model::limits::EVENT_TIME_ABS_MAX;
    let name = field_name(stream, stream.event_time);
    match values.get(stream.event_time) {
        Some(Some(ValueRef::Timestamp(time))) if (-MAX..=MAX).contains(time) => Ok(*time),
        Some(Some(ValueRef::Timestamp(time))) => {
            Err(model::Error::mismatch(name, format!("a time within ±{MAX} ms"), time.to_string()))
        }
        _ => Err(model::Error::mismatch(name, "the event time", "null")),
    }
}

/// Canonical bytes of the event id, of numbers in their order; `None` when the stream declares none.
///
/// # Errors
/// When it is null.
pub(crate) fn declared_id_of(
    stream: &Stream,
    values: &[Option<ValueRef<'_>>],
) -> Result<Option<EventId>, model::Error> {
    let Some(field) = stream.event_id else { return Ok(None) };
    match values.get(field) {
        Some(Some(ValueRef::String(id))) => Ok(Some(EventId::from_slice(id.as_bytes()))),
        Some(Some(ValueRef::Bytes(id))) => Ok(Some(EventId::from_slice(id))),
        Some(Some(ValueRef::I64(id))) => Ok(Some(EventId::from_slice(&ordered_bytes(*id)))),
        _ => Err(model::Error::mismatch(field_name(stream, field), "the event id", "null")),
    }
}

/// Bytes that sort as the numbers do: most significant first, sign flipped.
pub(crate) fn ordered_bytes(number: i64) -> [u8; 8] {
    let mut bytes = (number ^ i64::MIN).to_le_bytes();
    bytes.reverse();
    bytes
}

fn field_name(stream: &Stream, field: usize) -> &str {
    stream.fields.get(field).map_or("", |field| field.name.as_str())
}

/// The id of an event whose stream declares none.
pub(crate) fn derive_id(producer: ProducerId, sequence: u64, index: u32) -> [u8; 16] {
    let mut bytes = [0; 28];
    let (producer_part, rest) = bytes.split_at_mut(16);
    producer_part.copy_from_slice(&producer.0.to_le_bytes());
    let (sequence_part, index_part) = rest.split_at_mut(8);
    sequence_part.copy_from_slice(&sequence.to_le_bytes());
    index_part.copy_from_slice(&index.to_le_bytes());
    let (high, low) = murmur3_x64_128(&bytes, 0);
    (u128::from(high) << 64 | u128::from(low)).to_le_bytes()
}

/// The values that make the key of an event in one group.
pub(crate) fn key_values<'v, 'a>(
    values: &'v [Option<ValueRef<'a>>],
    fields: &'v [usize],
) -> impl ExactSizeIterator<Item = Option<ValueRef<'a>>> + Clone + use<'v, 'a> {
    fields.iter().map(|field| values.get(*field).copied().flatten())
}
