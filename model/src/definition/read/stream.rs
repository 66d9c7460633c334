//! `[stream.X]`: the schema of events and the rules of their time.

use super::{
    Reader,
    document::{Item, Section},
    fields, metadata, put,
};
use crate::{
    definition::{Field, Stream, StreamClock},
    name::Name,
    nearest,
    value::DataType,
};

const KEYS: [&str; 9] = [
    "event_time",
    "event_id",
    "dedup",
    "retract",
    "clock",
    "max_skew",
    "horizon",
    "history",
    "fields",
];

impl Reader<'_> {
    pub(super) fn stream(&mut self, name: Name, section: &Section<'_>) {
        section.check_keys(&mut self.problems, &metadata::with(&KEYS), &[]);
        let metadata = metadata::read(section, &mut self.problems);
        let fields = self.stream_fields(&name, section);
        let clock = self.clock(section);
        let event_time = self.event_time(section, &fields);
        let event_id = self.event_id(section, &fields);
        let dedup_ms = section.span_ms(&mut self.problems, "dedup").flatten();
        if let Some(dedup) = section.get("dedup").filter(|_| section.get("event_id").is_none()) {
            let message = "needs event_id, the field by which duplicates are known";
            dedup.refuse(&mut self.problems, message);
        }
        let retract = self.retract(section);
        let max_skew = section.span_ms(&mut self.problems, "max_skew").flatten();
        let event_clock_skew = section.get("max_skew").filter(|_| clock == StreamClock::Event);
        if let Some(item) = event_clock_skew {
            item.refuse(
                &mut self.problems,
                "only with clock = \"wall\": an event clock is never behind",
            );
        }
        let horizon = section.span_ms(&mut self.problems, "horizon").flatten();
        let history = self.history(section);
        let Some(event_time) = event_time else { return };
        let stream = Stream {
            name,
            fields,
            event_time,
            event_id,
            dedup_ms,
            retract,
            clock,
            max_skew_ms: max_skew.unwrap_or(Stream::MAX_SKEW_MS_DEFAULT),
            horizon_ms: horizon.unwrap_or(Stream::HORIZON_MS_DEFAULT),
            history,
            metadata,
        };
        let name = stream.name.clone();
        put(&mut self.definitions.streams, stream, |existing| existing.name == name);
    }

    fn stream_fields(&mut self, name: &Name, section: &Section<'_>) -> Vec<Field> {
        let wanted = "a table of field names and types";
        if section.require(&mut self.problems, "fields", wanted).is_none() {
            return Vec::new();
        }
        let items = section.table(&mut self.problems, "fields");
        let existing = self.definitions.stream(name.as_str());
        let existing = existing.map_or(&[][..], |(_, stream)| stream.fields.as_slice());
        fields::read(&items, existing, &mut self.problems, |data_type| match data_type {
            DataType::Vector(_) => {
                Err("a stream has no vectors; allowed are bool, i64, f32, f64, \
                                        string, bytes, timestamp, decimal(0..18). Put vectors into a row group")
            }
            _ => Ok(()),
        })
    }

    fn retract(&mut self, section: &Section<'_>) -> bool {
        let Some(item) = section.get("retract") else { return false };
        let retract = item.boolean(&mut self.problems).unwrap_or_default();
        if retract && section.get("event_id").is_none() {
            item.refuse(
                &mut self.problems,
                "needs event_id, the field by which an event to retract is known",
            );
        }
        retract
    }

    fn clock(&mut self, section: &Section<'_>) -> StreamClock {
        const WANTED: &str =
            "\"wall\" (the server's clock) or \"event\" (the largest event time so far)";
        let Some(item) = section.get("clock") else { return StreamClock::Wall };
        match item.text(&mut self.problems, WANTED) {
            Some("event") => return StreamClock::Event,
            Some("wall") | None => {}
            Some(other) => item.refuse(&mut self.problems, format!("{other:?} is not {WANTED}")),
        }
        StreamClock::Wall
    }

    fn event_time(&mut self, section: &Section<'_>, fields: &[Field]) -> Option<usize> {
        const WANTED: &str = "the timestamp field that says when an event happened";
        let item = section.require(&mut self.problems, "event_time", WANTED)?;
        let index = self.field_of(item, WANTED, fields)?;
        match fields.get(index)?.data_type {
            DataType::Timestamp => Some(index),
            other => {
                let message = format!("field {} is {other}; it must be timestamp", item.as_text());
                item.refuse(&mut self.problems, message);
                None
            }
        }
    }

    fn event_id(&mut self, section: &Section<'_>, fields: &[Field]) -> Option<usize> {
        let item = section.get("event_id")?;
        let index = self.field_of(item, "the field that identifies an event", fields)?;
        match fields.get(index)?.data_type {
            DataType::String | DataType::I64 | DataType::Bytes => Some(index),
            other => {
                let message =
                    format!("field {} is {other}; it must be string, i64 or bytes", item.as_text());
                item.refuse(&mut self.problems, message);
                None
            }
        }
    }

    /// The index of the field that `item` names.
    pub(super) fn field_of(
        &mut self,
        item: &Item<'_>,
        wanted: &str,
        fields: &[Field],
    ) -> Option<usize> {
        let text = item.text(&mut self.problems, wanted)?;
        let found = fields.iter().position(|field| field.name.as_str() == text);
        if found.is_none() {
            let names = || fields.iter().map(|field| field.name.as_str());
            let hint = nearest::hint(text, names());
            let message = format!(
                "no field is called {text:?}{hint}; fields are: {}",
                nearest::list(names())
            );
            item.refuse(&mut self.problems, message);
        }
        found
    }
}
