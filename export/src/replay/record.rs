//! The bytes that are kept of a change besides its entry: written when it comes, read when it meets the reads of its entity.
//!
//! ```text
//! event        [kind] [time i64] [number u32] [id u64] length·2 + 1 where it is full, body
//! row          [kind] event time i64, length, packed features
//! retraction   kind, in order of arrival time i64, length, id; else id u64
//! delete       kind
//! ```

use engine::replay::{StoredEvent, TakenEvent};

use super::entry::Entry;

/// What the records of a group hold besides an event's own bytes.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Shape {
    /// The event time, where events are not in its order.
    pub(super) has_time: bool,
    /// The event's number, where some turn out to be duplicates.
    pub(super) has_number: bool,
    /// What it is, one of [`CHANGE`], [`RETRACTION`] and [`DELETE`], where changes may be undone.
    pub(super) has_kind: bool,
}

impl Shape {
    /// What is undone later never was: events are told apart by ids, and what undoes them comes beside or before them.
    pub(super) fn is_foreseen(self) -> bool {
        self.has_kind && !self.has_time
    }
}

/// An event or row.
const CHANGE: u8 = 0;
/// An event is taken back.
const RETRACTION: u8 = 1;
/// The entity is forgotten.
const DELETE: u8 = 2;

/// What tells an event from others.
#[derive(Debug, Clone, Copy)]
pub(super) struct Told {
    /// Its number in its files.
    pub(super) number: u32,
    /// By which a retraction finds it, among those of its entity and time.
    pub(super) id: u64,
}

impl Told {
    /// The id of [`TakenEvent::id_of`], shorter: it tells events of one entity and one millisecond apart.
    pub(super) fn short(id: u128) -> u64 {
        u64::try_from(id >> 64).unwrap_or(0)
    }
}

/// A record that was read.
#[derive(Debug)]
pub(super) enum Record<'a> {
    Event {
        event: StoredEvent<'a>,
        told: Told,
    },
    Row {
        time: i64,
        row: &'a [u8],
    },
    /// In order of arrival.
    Retraction {
        time: i64,
        id: &'a [u8],
    },
    /// In order of events: those of this id that came before.
    Retracted {
        id: u64,
    },
    Delete,
}

impl Shape {
    pub(super) fn write_event(self, event: StoredEvent<'_>, told: Told, out: &mut Vec<u8>) {
        self.write_kind(out);
        if self.has_time {
            out.extend_from_slice(&event.time.to_le_bytes());
        }
        if self.has_number {
            out.extend_from_slice(&told.number.to_le_bytes());
        }
        if self.is_foreseen() {
            out.extend_from_slice(&told.id.to_le_bytes());
        }
        put_length(out, event.body.len() << 1 | usize::from(event.is_full));
        out.extend_from_slice(event.body);
    }

    pub(super) fn write_row(self, event_time: i64, row: &[u8], out: &mut Vec<u8>) {
        self.write_kind(out);
        out.extend_from_slice(&event_time.to_le_bytes());
        put_length(out, row.len());
        out.extend_from_slice(row);
    }

    fn write_kind(self, out: &mut Vec<u8>) {
        if self.has_kind {
            out.push(CHANGE);
        }
    }

    pub(super) fn write_retraction(self, (time, id): (i64, &[u8]), out: &mut Vec<u8>) {
        out.push(RETRACTION);
        if self.is_foreseen() {
            let id = Told::short(TakenEvent::id_of(id));
            return out.extend_from_slice(&id.to_le_bytes());
        }
        out.extend_from_slice(&time.to_le_bytes());
        put_length(out, id.len());
        out.extend_from_slice(id);
    }

    pub(super) fn write_delete(self, out: &mut Vec<u8>) {
        out.push(DELETE);
    }

    /// The record of `entry`, in the bytes of its partition.
    #[inline]
    pub(super) fn read<'a>(self, entry: &Entry, bytes: &'a [u8], is_rows: bool) -> Record<'a> {
        let at = usize::try_from(entry.at).unwrap_or(usize::MAX);
        let mut bytes = Bytes(bytes.get(at..).unwrap_or_default());
        let kind = if self.has_kind { u8::from_le_bytes(bytes.fixed()) } else { CHANGE };
        match kind {
            DELETE => Record::Delete,
            RETRACTION if self.is_foreseen() => {
                Record::Retracted { id: u64::from_le_bytes(bytes.fixed()) }
            }
            RETRACTION => {
                let time = i64::from_le_bytes(bytes.fixed());
                let length = bytes.length();
                Record::Retraction { time, id: bytes.bytes(length) }
            }
            _ if is_rows => {
                let time = i64::from_le_bytes(bytes.fixed());
                let length = bytes.length();
                Record::Row { time, row: bytes.bytes(length) }
            }
            _ => self.read_event(entry, bytes),
        }
    }

    #[inline]
    fn read_event<'a>(self, entry: &Entry, mut bytes: Bytes<'a>) -> Record<'a> {
        let time = if self.has_time { i64::from_le_bytes(bytes.fixed()) } else { entry.order };
        let number = if self.has_number { u32::from_le_bytes(bytes.fixed()) } else { u32::MAX };
        let id = if self.is_foreseen() { u64::from_le_bytes(bytes.fixed()) } else { 0 };
        let head = bytes.length();
        let event = StoredEvent { time, is_full: head & 1 == 1, body: bytes.bytes(head >> 1) };
        Record::Event { event, told: Told { number, id } }
    }
}

/// A length in the fewest bytes, seven bits each, the lowest first.
fn put_length(out: &mut Vec<u8>, mut length: usize) {
    let low = |length: usize| u8::try_from(length & 0x7f).unwrap_or(0);
    while length >= 0x80 {
        out.push(low(length) | 0x80);
        length >>= 7;
    }
    out.push(low(length));
}

/// Reads one field after the other.
struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    fn fixed<const COUNT: usize>(&mut self) -> [u8; COUNT] {
        let Some((bytes, rest)) = self.0.split_first_chunk() else { return [0; COUNT] };
        self.0 = rest;
        *bytes
    }

    fn length(&mut self) -> usize {
        let (mut length, mut shift) = (0, 0);
        while let Some((byte, rest)) = self.0.split_first() {
            self.0 = rest;
            length |= usize::from(byte & 0x7f) << shift;
            if *byte < 0x80 {
                break;
            }
            shift += 7;
        }
        length
    }

    fn bytes(&mut self, count: usize) -> &'a [u8] {
        self.0.get(..count).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVENT: StoredEvent<'_> = StoredEvent { time: -5, is_full: true, body: &[7; 300] };
    const TOLD: Told = Told { number: 9, id: 3 };

    fn written(write: impl FnOnce(&mut Vec<u8>)) -> (Vec<u8>, Entry) {
        let mut bytes = vec![0xff; 4];
        write(&mut bytes);
        (bytes, Entry { hash: 0, order: EVENT.time, check: 0, at: 4 })
    }

    /// All shapes there are.
    fn shapes() -> impl Iterator<Item = Shape> {
        (0..8).map(|bits| Shape {
            has_time: bits & 1 != 0,
            has_number: bits & 2 != 0,
            has_kind: bits & 4 != 0,
        })
    }

    #[test]
    fn events_and_rows_come_back_from_records_of_every_shape() {
        for shape in shapes() {
            let (bytes, entry) = written(|out| shape.write_event(EVENT, TOLD, out));
            let Record::Event { event, told } = shape.read(&entry, &bytes, false) else {
                panic!("{shape:?}: no event");
            };
            assert_eq!((event.time, event.is_full, event.body), (-5, true, EVENT.body));
            assert_eq!(told.number, if shape.has_number { 9 } else { u32::MAX }, "{shape:?}");
            assert_eq!(told.id, if shape.is_foreseen() { 3 } else { 0 }, "{shape:?}");
            let (bytes, entry) = written(|out| shape.write_row(77, b"row", out));
            let read = shape.read(&entry, &bytes, true);
            assert!(matches!(read, Record::Row { time: 77, row: b"row" }), "{shape:?}: {read:?}");
        }
    }

    #[test]
    fn retractions_and_deletes_come_back_where_changes_may_be_undone() {
        for shape in shapes().filter(|shape| shape.has_kind) {
            let (bytes, entry) = written(|out| shape.write_retraction((-5, b"id"), out));
            match shape.read(&entry, &bytes, false) {
                Record::Retraction { time, id } => {
                    assert!(shape.has_time && time == -5 && id == b"id", "{shape:?}");
                }
                Record::Retracted { id } => {
                    let expected = Told::short(TakenEvent::id_of(b"id"));
                    assert!(!shape.has_time && id == expected, "{shape:?}");
                }
                other => panic!("{shape:?}: {other:?}"),
            }
            let (bytes, entry) = written(|out| shape.write_delete(out));
            assert!(matches!(shape.read(&entry, &bytes, true), Record::Delete), "{shape:?}");
        }
    }
}
