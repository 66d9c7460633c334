//! A record of the log as changes: only those of streams and row groups that have a history are taken apart.

use model::{
    definition::{Definitions, GroupKind},
    packed_row::{self, Cell},
    value::DataType,
};
use stdx::cursor::{OutOfBytes, Reader};
use storage::Lsn;

use super::{Change, ChangeKind, ChangeSource};
use crate::{
    Error,
    mutation::{Delete, Header, Push, Put, Retract, kind},
};

/// Bytes of a record before the index of its stream or group.
const HEADER_BYTES: usize = 40;

/// Types of the fields of what has a history, by index; nothing for what has none.
#[derive(Debug, Default)]
pub(super) struct Kept {
    streams: Vec<Option<Vec<DataType>>>,
    groups: Vec<Option<Vec<DataType>>>,
}

/// What all changes of a record have in common.
struct Common<'h> {
    lsn: Lsn,
    source: ChangeSource,
    kind: ChangeKind,
    at_ms: i64,
    header: &'h Header,
}

impl Kept {
    pub(super) fn of(definitions: &Definitions) -> Self {
        let streams = definitions.streams.iter().map(|stream| {
            let types = || stream.fields.iter().map(|field| field.data_type).collect();
            stream.history.map(|_| types())
        });
        let groups = definitions.groups.iter().map(|group| match &group.kind {
            GroupKind::Rows(rows) => {
                let types = || rows.features.iter().map(|feature| feature.data_type).collect();
                rows.history.map(|_| types())
            }
            // What it holds comes from its stream; deletes are its own.
            GroupKind::Windows(windows) => {
                let stream = definitions.streams.get(windows.stream);
                stream.and_then(|stream| stream.history).map(|_| Vec::new())
            }
        });
        Self { streams: streams.collect(), groups: groups.collect() }
    }

    /// Shows `visit` the changes of record `lsn`. One that does not say when it was accepted was when the one before was: `last_at_ms`.
    ///
    /// # Errors
    /// [`Error::Format`] when the bytes are no record of that kind; those of `visit`.
    pub(super) fn changes(
        &self,
        (lsn, kind, payload): (Lsn, u8, &[u8]),
        last_at_ms: &mut i64,
        visit: &mut dyn FnMut(&Change<'_>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let malformed =
            |error: OutOfBytes| Error::Format(format!("record {lsn} of kind {kind}: {error}"));
        let of = payload.get(HEADER_BYTES..).unwrap_or_default();
        let of = Reader::new(of).u32().map_err(malformed)? as usize;
        let kept =
            if matches!(kind, kind::PUSH | kind::RETRACT) { &self.streams } else { &self.groups };
        let Some(types) = kept.get(of).and_then(Option::as_deref) else { return Ok(()) };
        let mut at = |at: Option<i64>| {
            *last_at_ms = at.unwrap_or(*last_at_ms);
            *last_at_ms
        };
        let (stream, group) = (ChangeSource::Stream(of), ChangeSource::Group(of));
        match kind {
            kind::PUSH => {
                let push = Push::decode(payload).map_err(malformed)?;
                let at_ms = at(Some(push.now));
                let common = Common {
                    lsn,
                    source: stream,
                    kind: ChangeKind::Push,
                    at_ms,
                    header: &push.header,
                };
                let events = push.events.iter().map(|event| (event.index, event.event));
                common.rows(events, types.get(..push.fields as usize).unwrap_or(types), visit)
            }
            kind::RETRACT => {
                let retract = Retract::decode(payload).map_err(malformed)?;
                let at_ms = at(retract.at);
                let (kind, header) = (ChangeKind::Retract, &retract.header);
                let common = Common { lsn, source: stream, kind, at_ms, header };
                let events = (0..).zip(retract.events.iter().copied());
                common.rows(events, types.get(..retract.fields as usize).unwrap_or(types), visit)
            }
            kind::PUT => {
                let put = Put::decode(payload).map_err(malformed)?;
                let at_ms = at(put.at);
                let common = Common {
                    lsn,
                    source: group,
                    kind: ChangeKind::Put,
                    at_ms,
                    header: &put.header,
                };
                let types = types.get(..put.features as usize).unwrap_or(types);
                let mut cells = Vec::new();
                (0..).zip(&put.rows).try_for_each(|(index, row)| {
                    packed_row::read_row_into(row.row, types, &mut cells)?;
                    visit(&common.change(index, row.key, Some(row.event_time), &cells))
                })
            }
            kind::DELETE => {
                let delete = Delete::decode(payload).map_err(malformed)?;
                let at_ms = at(delete.at);
                let (kind, header) = (ChangeKind::Delete, &delete.header);
                let common = Common { lsn, source: group, kind, at_ms, header };
                let mut keys = (0..).zip(&delete.keys);
                keys.try_for_each(|(index, key)| visit(&common.change(index, key, None, &[])))
            }
            other => Err(Error::Format(format!("record {lsn} is of unknown kind {other}"))),
        }
    }
}

impl Common<'_> {
    fn change<'a>(
        &self,
        index: u32,
        key: &'a [u8],
        event_time: Option<i64>,
        cells: &'a [Cell<'a>],
    ) -> Change<'a> {
        let Self { lsn, source, kind, at_ms, header } = *self;
        let (producer, sequence) = (header.producer, header.sequence);
        Change { lsn, index, at_ms, source, kind, producer, sequence, key, event_time, cells }
    }

    /// Events of a stream.
    fn rows<'a>(
        &self,
        rows: impl Iterator<Item = (u32, &'a [u8])>,
        types: &[DataType],
        visit: &mut dyn FnMut(&Change<'_>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let mut cells = Vec::new();
        for (index, row) in rows {
            packed_row::read_row_into(row, types, &mut cells)?;
            visit(&self.change(index, &[], None, &cells))?;
        }
        Ok(())
    }
}
