//! What is logged: one record for each write request, holding the outcome of its admission, so that recovery repeats
//! what was decided and decides nothing.
//!
//! ```text
//! definitions  kind 1   see catalog::CatalogRecord
//! put          kind 2   header | group u32 | features u32 | n u32 | n × (key block, event_time i64, row block) | at i64
//! push         kind 3   header | stream u32 | fields u32 | now i64 | n u32 | n × (id index u32, event block)
//! delete       kind 4   header | group u32 | n u32 | n × key block | at i64
//! retract      kind 5   header | stream u32 | fields u32 | n u32 | n × event block | at i64
//! header                producer u128 | sequence u64 | applied u32 | duplicate u32 | late u32 | rejected u32
//! ```
//!
//! A block is a u32 length and that many bytes. `features` and `fields` are how many the schema had when the record was
//! written: rows carry two bits for each, and schemas only ever grow at their end. The id index of an event is its
//! position in the request: it makes the event's id where the stream declares none. `at` is now when it was accepted, in ms: it
//! is not there in records of before history was kept, and nothing but history reads it.

use stdx::cursor::{OutOfBytes, Reader, Writer};

use crate::producer::{Outcome, ProducerId};

/// Record kinds; part of the log format.
pub(crate) mod kind {
    pub(crate) const DEFINITIONS: u8 = 1;
    pub(crate) const PUT: u8 = 2;
    pub(crate) const PUSH: u8 = 3;
    pub(crate) const DELETE: u8 = 4;
    pub(crate) const RETRACT: u8 = 5;
}

/// Who wrote, and what came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) producer: ProducerId,
    pub(crate) sequence: u64,
    pub(crate) outcome: Outcome,
}

impl Header {
    fn write(&self, out: &mut Writer<'_>) {
        let Outcome { applied, duplicate, late, rejected } = self.outcome;
        out.u128(self.producer.0).u64(self.sequence);
        out.u32(applied).u32(duplicate).u32(late).u32(rejected);
    }

    fn read(input: &mut Reader<'_>) -> Result<Self, OutOfBytes> {
        Ok(Self {
            producer: ProducerId(input.u128()?),
            sequence: input.u64()?,
            outcome: Outcome {
                applied: input.u32()?,
                duplicate: input.u32()?,
                late: input.u32()?,
                rejected: input.u32()?,
            },
        })
    }
}

/// A row of a put.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PutRow<'a> {
    pub(crate) key: &'a [u8],
    pub(crate) event_time: i64,
    /// A packed row.
    pub(crate) row: &'a [u8],
}

/// Rows put into one group; `R` gives them one after the other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Put<R> {
    pub(crate) header: Header,
    pub(crate) group: u32,
    pub(crate) features: u32,
    pub(crate) rows: R,
    pub(crate) at: Option<i64>,
}

/// An accepted event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PushEvent<'a> {
    pub(crate) index: u32,
    /// A packed row of the stream's fields.
    pub(crate) event: &'a [u8],
}

/// Events accepted into one stream; `E` gives them one after the other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Push<E> {
    pub(crate) header: Header,
    pub(crate) stream: u32,
    pub(crate) fields: u32,
    /// "Now" of the stream after the request, in ms: the arrival time of its ids.
    pub(crate) now: i64,
    pub(crate) events: E,
}

/// Entities deleted from one group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Delete<'a> {
    pub(crate) header: Header,
    pub(crate) group: u32,
    pub(crate) keys: Vec<&'a [u8]>,
    pub(crate) at: Option<i64>,
}

/// Events retracted from one stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Retract<'a> {
    pub(crate) header: Header,
    pub(crate) stream: u32,
    pub(crate) fields: u32,
    /// Packed rows of the stream's fields, as received: they name id, time and keys.
    pub(crate) events: Vec<&'a [u8]>,
    pub(crate) at: Option<i64>,
}

impl<'a, R> Put<R>
where
    R: IntoIterator<Item = PutRow<'a>, IntoIter: ExactSizeIterator>,
{
    pub(crate) fn encode(self, out: &mut Vec<u8>) {
        let (mut out, rows) = (Writer::new(out), self.rows.into_iter());
        self.header.write(&mut out);
        out.u32(self.group).u32(self.features).u32(count(rows.len()));
        for row in rows {
            out.block(row.key).i64(row.event_time).block(row.row);
        }
        write_at(&mut out, self.at);
    }
}

impl<'a> Put<Vec<PutRow<'a>>> {
    pub(crate) fn decode(bytes: &'a [u8]) -> Result<Self, OutOfBytes> {
        let mut input = Reader::new(bytes);
        let header = Header::read(&mut input)?;
        let (group, features, count) = (input.u32()?, input.u32()?, input.u32()?);
        let row = |input: &mut Reader<'a>| {
            Ok(PutRow { key: input.block()?, event_time: input.i64()?, row: input.block()? })
        };
        let rows = (0..count).map(|_| row(&mut input)).collect::<Result<_, OutOfBytes>>()?;
        Ok(Self { header, group, features, rows, at: read_at(&mut input)? })
    }
}

impl<'a, E> Push<E>
where
    E: IntoIterator<Item = PushEvent<'a>, IntoIter: ExactSizeIterator>,
{
    pub(crate) fn encode(self, out: &mut Vec<u8>) {
        let (mut out, events) = (Writer::new(out), self.events.into_iter());
        self.header.write(&mut out);
        out.u32(self.stream).u32(self.fields).i64(self.now).u32(count(events.len()));
        for event in events {
            out.u32(event.index).block(event.event);
        }
    }
}

impl<'a> Push<Vec<PushEvent<'a>>> {
    pub(crate) fn decode(bytes: &'a [u8]) -> Result<Self, OutOfBytes> {
        let mut input = Reader::new(bytes);
        let header = Header::read(&mut input)?;
        let (stream, fields, now, count) = (input.u32()?, input.u32()?, input.i64()?, input.u32()?);
        let event =
            |input: &mut Reader<'a>| Ok(PushEvent { index: input.u32()?, event: input.block()? });
        let events = (0..count).map(|_| event(&mut input)).collect::<Result<_, OutOfBytes>>()?;
        Ok(Self { header, stream, fields, now, events })
    }
}

impl<'a> Delete<'a> {
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        let mut out = Writer::new(out);
        self.header.write(&mut out);
        out.u32(self.group).u32(count(self.keys.len()));
        for key in &self.keys {
            out.block(key);
        }
        write_at(&mut out, self.at);
    }

    pub(crate) fn decode(bytes: &'a [u8]) -> Result<Self, OutOfBytes> {
        let mut input = Reader::new(bytes);
        let header = Header::read(&mut input)?;
        let (group, count) = (input.u32()?, input.u32()?);
        let keys = (0..count).map(|_| input.block()).collect::<Result<_, OutOfBytes>>()?;
        Ok(Self { header, group, keys, at: read_at(&mut input)? })
    }
}

impl<'a> Retract<'a> {
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        let mut out = Writer::new(out);
        self.header.write(&mut out);
        out.u32(self.stream).u32(self.fields).u32(count(self.events.len()));
        for event in &self.events {
            out.block(event);
        }
        write_at(&mut out, self.at);
    }

    pub(crate) fn decode(bytes: &'a [u8]) -> Result<Self, OutOfBytes> {
        let mut input = Reader::new(bytes);
        let header = Header::read(&mut input)?;
        let (stream, fields, count) = (input.u32()?, input.u32()?, input.u32()?);
        let events = (0..count).map(|_| input.block()).collect::<Result<_, OutOfBytes>>()?;
        Ok(Self { header, stream, fields, events, at: read_at(&mut input)? })
    }
}

fn write_at(out: &mut Writer<'_>, at: Option<i64>) {
    if let Some(at) = at {
        out.i64(at);
    }
}

fn read_at(input: &mut Reader<'_>) -> Result<Option<i64>, OutOfBytes> {
    if input.is_empty() { Ok(None) } else { input.i64().map(Some) }
}

/// Batches are bounded by `limits::BATCH_MAX`, far below 2^32.
fn count(items: usize) -> u32 {
    u32::try_from(items).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: Header = Header {
        producer: ProducerId(7),
        sequence: 9,
        outcome: Outcome { applied: 1, duplicate: 2, late: 3, rejected: 4 },
    };

    #[test]
    fn mutations_round_trip_and_every_truncation_is_an_error() {
        let (mut put, mut push, mut delete) = (Vec::new(), Vec::new(), Vec::new());
        let row = PutRow { key: b"k", event_time: -1, row: &[2, 5] };
        let a = Put { header: HEADER, group: 1, features: 2, rows: vec![row], at: None };
        a.clone().encode(&mut put);
        let event = PushEvent { index: 3, event: &[0] };
        let b = Push { header: HEADER, stream: 1, fields: 2, now: 5, events: vec![event] };
        b.clone().encode(&mut push);
        let c = Delete { header: HEADER, group: 1, keys: vec![b"k", b"l"], at: None };
        c.encode(&mut delete);
        assert_eq!(
            (Put::decode(&put), Push::decode(&push), Delete::decode(&delete)),
            (Ok(a), Ok(b), Ok(c))
        );
        for end in 0..put.len() {
            assert!(Put::decode(&put[..end]).is_err(), "{end}");
        }
        for end in 0..push.len() {
            assert!(Push::decode(&push[..end]).is_err(), "{end}");
        }
    }

    /// The bytes are part of the log format: see `docs/formats/wal.md`.
    #[test]
    fn the_bytes_of_a_put_are_pinned() {
        let mut bytes = Vec::new();
        let row = PutRow { key: b"k", event_time: 258, row: &[2, 5] };
        let put = Put { header: HEADER, group: 1, features: 2, rows: vec![row], at: None };
        put.encode(&mut bytes);
        let body = "010000000200000001000000010000006b0201000000000000020000000205";
        assert_eq!(hex(&bytes), format!("{HEADER_HEX}{body}"));
    }

    #[test]
    fn the_bytes_of_a_retraction_are_pinned_and_its_truncations_are_errors() {
        let mut bytes = Vec::new();
        let events: Vec<&[u8]> = vec![&[2, 5], &[0]];
        let retract = Retract { header: HEADER, stream: 1, fields: 3, events, at: None };
        retract.encode(&mut bytes);
        let body = "0100000003000000020000000200000002050100000000";
        assert_eq!(hex(&bytes), format!("{HEADER_HEX}{body}"));
        assert_eq!(Retract::decode(&bytes), Ok(retract));
        for end in 0..bytes.len() {
            assert!(Retract::decode(&bytes[..end]).is_err(), "{end}");
        }
    }

    /// What older releases wrote ends where `at` begins; they read what this one writes, and leave it out.
    #[test]
    fn now_stands_behind_everything_else() {
        let row = PutRow { key: b"k", event_time: 258, row: &[2, 5] };
        let put = |at| Put { header: HEADER, group: 1, features: 2, rows: vec![row], at };
        let delete = |at| Delete { header: HEADER, group: 1, keys: vec![b"k"], at };
        let retract = |at| Retract { header: HEADER, stream: 1, fields: 3, events: vec![b"e"], at };
        let (at, mut bytes) = (Some(-2), [const { Vec::new() }; 6]);
        let [put_old, put_new, delete_old, delete_new, retract_old, retract_new] = &mut bytes;
        put(None).encode(put_old);
        put(at).encode(put_new);
        delete(None).encode(delete_old);
        delete(at).encode(delete_new);
        retract(None).encode(retract_old);
        retract(at).encode(retract_new);
        let minus_two: &[u8] = &[254, 255, 255, 255, 255, 255, 255, 255];
        for pair in bytes.chunks(2) {
            assert_eq!(pair[1], [&pair[0], minus_two].concat());
        }
        assert_eq!(Put::decode(&bytes[1]), Ok(put(at)));
        assert_eq!(Delete::decode(&bytes[3]), Ok(delete(at)));
        assert_eq!(Retract::decode(&bytes[5]), Ok(retract(at)));
        for cut in 1..8 {
            let short = |bytes: &[u8]| bytes[..bytes.len() - cut].to_vec();
            assert!(Put::decode(&short(&bytes[1])).is_err());
            assert!(Delete::decode(&short(&bytes[3])).is_err());
            assert!(Retract::decode(&short(&bytes[5])).is_err());
        }
    }

    const HEADER_HEX: &str =
        "07000000000000000000000000000000090000000000000001000000020000000300000004000000";

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}
