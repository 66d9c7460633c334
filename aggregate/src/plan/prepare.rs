//! Prepare: filters and inputs of one event, evaluated once, in the form the raw event log stores.

use model::{packed, value::ValueRef};
use stdx::cursor::Writer;

use super::{ColumnKind, WindowPlan};
use crate::{Error, distinct::token, expr, raw, varint};

/// One event, ready to be added to the windows of its entity. Reusable: [`WindowPlan::prepare`] overwrites it.
#[derive(Debug, Clone, Default)]
pub struct PreparedEvent {
    pub(crate) time: i64,
    /// The record of the raw event log without its time.
    pub(crate) body: Vec<u8>,
    /// True when some cell counts it; otherwise nothing is stored.
    pub(crate) is_counted: bool,
    passes: Vec<bool>,
}

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
        event.is_counted = self.cells.iter().any(|cell| cell.bit.is_none());
        event.body.clear();
        event.body.resize(self.presence_bytes(), 0);
        event.passes.clear();
        for filter in &self.filters {
            let value = filter.evaluate(fields)?;
            event.passes.push(matches!(value, Some(ValueRef::Bool(true))));
        }
        for cell in self.cells.iter().filter(|cell| cell.input.is_none()) {
            if event.is_through(cell.filter) {
                event.set(cell.bit);
            }
        }
        for (index, input) in self.inputs.iter().enumerate() {
            let is_read =
                |cell: &&super::Cell| cell.input == Some(index) && event.is_through(cell.filter);
            if !self.cells.iter().any(|cell| is_read(&cell)) {
                continue;
            }
            let Some(value) = input.evaluate(fields)? else { continue };
            for cell in self.cells.iter().filter(|cell| cell.input == Some(index)) {
                if event.is_through(cell.filter) {
                    event.set(cell.bit);
                }
            }
            let word = raw::word_of(event.body.get(..self.presence_bytes()).unwrap_or(&[]));
            for column in self.columns.iter().filter(|column| column.input == index) {
                if raw::is_stored(word, &event.body, column) {
                    write_column(&mut event.body, column.kind, value);
                }
            }
        }
        if self.edge_cells > 0 {
            varint::put_block(&mut event.body, event_id);
        }
        Ok(())
    }
}

impl PreparedEvent {
    fn is_through(&self, filter: Option<usize>) -> bool {
        filter.is_none_or(|filter| self.passes.get(filter) == Some(&true))
    }

    fn set(&mut self, bit: Option<usize>) {
        if let Some(bit) = bit {
            if let Some(byte) = self.body.get_mut(bit / 8) {
                *byte |= 1 << (bit % 8);
            }
            self.is_counted = true;
        }
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

fn write_column(body: &mut Vec<u8>, kind: ColumnKind, value: ValueRef<'_>) {
    match (kind, value) {
        (ColumnKind::Token, value) => {
            body.extend_from_slice(&token::of_value(value).to_le_bytes());
        }
        (_, ValueRef::I64(number) | ValueRef::Timestamp(number) | ValueRef::Decimal(number, _)) => {
            varint::put(body, varint::zigzag(number));
        }
        (_, ValueRef::String(text)) => varint::put_block(body, text.as_bytes()),
        (_, ValueRef::Bytes(bytes)) => varint::put_block(body, bytes),
        (_, other) => {
            let mut bytes = Vec::new();
            packed::write_value(&mut Writer::new(&mut bytes), other);
            varint::put_block(body, &bytes);
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
    fn an_event_of_one_small_number_takes_a_byte_of_presence_and_a_byte_of_number() {
        let event = prepared("n = \"count(*)\"\na = \"sum(i)\"\nb = \"max(i)\"", 7, None);
        assert_eq!(event.expect("it has a value").body, [1, 14]);
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
