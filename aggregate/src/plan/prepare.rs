//! Prepare: filters and inputs of one event, evaluated once, in the form the raw event log stores.

use model::value::ValueRef;

use super::{Cell, ColumnKind, WindowPlan, ordered};
use crate::{Error, distinct::token, expr, raw, varint};

/// One event, ready to be added to the windows of its entity. Reusable: [`WindowPlan::prepare`] overwrites it.
#[derive(Debug, Clone, Default)]
pub struct PreparedEvent {
    pub(crate) time: i64,
    /// True when every presence bit is set: the body then begins without them.
    pub(crate) is_full: bool,
    /// The record of the raw event log without its time.
    pub(crate) body: Vec<u8>,
    /// True when some cell counts it, or it may be retracted; otherwise nothing is stored.
    pub(crate) is_counted: bool,
    passes: Vec<bool>,
    presence: Vec<u8>,
}

/// A prepared event as somebody keeps it who adds it later: what of a [`PreparedEvent`] goes into the raw event log.
#[derive(Debug, Clone, Copy)]
pub struct StoredEvent<'a> {
    /// When it happened, in ms.
    pub time: i64,
    /// True when it counts in every cell.
    pub is_full: bool,
    /// The rest of its record, as [`PreparedEvent::stored`] gave it.
    pub body: &'a [u8],
}

/// Inputs whose values are kept without an allocation.
const INPUTS_INLINE: usize = 16;

impl WindowPlan {
    /// Evaluates everything that the group's aggregates ask of one event. `fields` are the stream's, made exact by
    /// [`crate::ingest::exact_fields`]; `event_id` breaks ties between events of one time: the bytes of a declared id (of an
    /// i64 those that sort as the number does), else a hash.
    ///
    /// # Errors
    /// [`Error::Event`] when an expression has no value; an input is only evaluated where a filter lets the event through.
    pub fn prepare(
        &self,
        fields: &[Option<ValueRef<'_>>],
        event_time: i64,
        event_id: &[u8],
        event: &mut PreparedEvent,
    ) -> Result<(), Error> {
        event.time = event_time;
        event.is_counted = self.keeps_all || self.cells.iter().any(|cell| cell.bit.is_none());
        event.passes.clear();
        for filter in &self.filters {
            let value = filter.evaluate(fields)?;
            event.passes.push(matches!(value, Some(ValueRef::Bool(true))));
        }
        let mut inline = [None; INPUTS_INLINE];
        let mut many = Vec::new();
        let values: &mut [Option<ValueRef<'_>>] = if self.inputs.len() <= INPUTS_INLINE {
            &mut inline
        } else {
            many.resize(self.inputs.len(), None);
            &mut many
        };
        for (index, (input, value)) in self.inputs.iter().zip(values.iter_mut()).enumerate() {
            let reads = |cell: &Cell| cell.input == Some(index) || cell.by == Some(index);
            if self.cells.iter().any(|cell| reads(cell) && event.is_through(cell.filter)) {
                *value = input.evaluate(fields)?;
            }
        }
        event.presence.clear();
        event.presence.resize(self.presence_bits.div_ceil(8), 0);
        let mut set = 0;
        for cell in &self.cells {
            let is_known = |input: Option<usize>| {
                input.is_none_or(|input| values.get(input).is_some_and(Option::is_some))
            };
            if event.is_through(cell.filter) && is_known(cell.input) && is_known(cell.by) {
                set += usize::from(event.set(cell.bit));
            }
        }
        event.is_full = set == self.presence_bits;
        event.body.clear();
        if !event.is_full {
            event.body.extend_from_slice(&event.presence);
        }
        let word = raw::word_of(&event.presence);
        for column in &self.columns {
            let value = values.get(column.input).copied().flatten();
            if let Some(value) = value.filter(|_| raw::is_stored(word, &event.presence, column)) {
                write_column(&mut event.body, column.kind, value);
            }
        }
        if self.has_ids {
            varint::put_block(&mut event.body, event_id);
        }
        Ok(())
    }
}

impl PreparedEvent {
    /// The event to be kept; `None` for one that no aggregate counts.
    #[must_use]
    pub fn stored(&self) -> Option<StoredEvent<'_>> {
        let (time, is_full) = (self.time, self.is_full);
        self.is_counted.then_some(StoredEvent { time, is_full, body: &self.body })
    }

    fn is_through(&self, filter: Option<usize>) -> bool {
        filter.is_none_or(|filter| self.passes.get(filter) == Some(&true))
    }

    /// Sets a presence bit; false when there is none to set.
    fn set(&mut self, bit: Option<usize>) -> bool {
        let Some(bit) = bit else { return false };
        if let Some(byte) = self.presence.get_mut(bit / 8) {
            *byte |= 1 << (bit % 8);
        }
        self.is_counted = true;
        true
    }
}

impl super::Named {
    fn evaluate<'a>(
        &'a self,
        fields: &[Option<ValueRef<'a>>],
    ) -> Result<Option<ValueRef<'a>>, Error> {
        expr::evaluate(&self.expr, fields)
            .map_err(|reason| Error::Event { feature: self.feature.clone(), reason })
    }
}

#[inline]
pub(super) fn write_column(body: &mut Vec<u8>, kind: ColumnKind, value: ValueRef<'_>) {
    match (kind, value) {
        (ColumnKind::Token, value) => {
            body.extend_from_slice(&token::of_value(value).to_le_bytes());
        }
        (
            ColumnKind::Number,
            ValueRef::I64(number) | ValueRef::Timestamp(number) | ValueRef::Decimal(number, _),
        ) => varint::put(body, varint::zigzag(number)),
        (_, ValueRef::String(text)) => varint::put_block(body, text.as_bytes()),
        (_, ValueRef::Bytes(bytes)) => varint::put_block(body, bytes),
        (_, other) => {
            // A bool or a number: at most 8 bytes.
            let start = body.len();
            body.push(0);
            ordered::put(body, other);
            let length = body.len() - start - 1;
            if let Some(place) = body.get_mut(start) {
                *place = u8::try_from(length).unwrap_or(u8::MAX);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::tests::plan;

    fn prepared(features: &str, i: i64, b: Option<bool>) -> Result<PreparedEvent, String> {
        let plan = plan("windows = [\"5m\"]", features);
        let fields = [
            Some(ValueRef::Timestamp(5)),
            Some(ValueRef::I64(i)),
            None,
            Some(ValueRef::String("x")),
            b.map(ValueRef::Bool),
        ];
        let mut event = PreparedEvent::default();
        plan.prepare(&fields, 5, b"id", &mut event).map_err(|error| error.to_string())?;
        Ok(event)
    }

    #[test]
    fn presence_is_stored_where_something_is_absent() {
        let features = "n = \"count(*)\"\na = \"sum(i)\"\nb = \"max(i)\"";
        assert_eq!(prepared(features, 7, None).expect("it has a value").body, [14]);
        let features = "a = \"sum(i)\"\nb = \"max(i) filter (where b)\"";
        assert_eq!(prepared(features, 7, None).expect("it has a value").body, [1, 14]);
        assert_eq!(prepared(features, 7, Some(true)).expect("it has a value").body, [14]);
    }

    #[test]
    fn what_no_aggregate_counts_is_not_stored() {
        let features = "a = \"count(*) filter (where b)\"\nc = \"sum(d)\"";
        assert!(!prepared(features, 1, None).expect("null is no error").is_counted);
        assert!(prepared(features, 1, Some(true)).expect("valid").is_counted);
    }

    #[test]
    fn an_input_that_fails_names_its_feature_unless_a_filter_keeps_the_event_out() {
        let features = "a = \"sum(i * 10) filter (where b)\"";
        let message = prepared(features, i64::MAX, Some(true)).expect_err("overflow");
        assert_eq!(message, "feature a: the result does not fit into i64");
        assert!(prepared(features, i64::MAX, Some(false)).is_ok());
    }

    #[test]
    fn ids_are_kept_only_where_they_break_ties() {
        assert!(!prepared("a = \"sum(i)\"", 7, None).expect("valid").body.ends_with(b"id"));
        assert!(prepared("a = \"last(i)\"", 7, None).expect("valid").body.ends_with(b"id"));
    }
}
