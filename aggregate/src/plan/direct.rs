//! Direct: events whose aggregates read fields as they are, prepared without a look at an expression.
//!
//! Nothing filtered, no input computed: an event with a value in every such field counts in every cell, so that its record is its
//! values one after the other. All others are for [`WindowPlan::prepare`], which makes the same of these.

use model::{expr::Node, value::DataType, value::ValueRef};

use super::{ColumnKind, PreparedEvent, WindowPlan, prepare::write_column};
use crate::varint;

/// The fields of one event, in columns.
pub trait DirectFields<'a> {
    /// The value of `field`, floats made exact; `None` where there is none.
    fn value(&self, field: usize) -> Option<ValueRef<'a>>;

    /// As [`DirectFields::value`], of a field whose values are of `data_type`, which is i64, timestamp or decimal; `None` also where
    /// they are not. It comes in a register: a value of any type goes through memory, where it waits for what was written before.
    fn number(&self, field: usize, data_type: DataType) -> Option<i64>;
}

/// The fields of an event that were made exact, see [`crate::ingest::exact_fields`].
impl<'a> DirectFields<'a> for [Option<ValueRef<'a>>] {
    #[inline]
    fn value(&self, field: usize) -> Option<ValueRef<'a>> {
        self.get(field).copied().flatten()
    }

    #[inline]
    fn number(&self, field: usize, data_type: DataType) -> Option<i64> {
        let value = self.value(field).filter(|value| value.data_type() == data_type)?;
        match value {
            ValueRef::I64(number) | ValueRef::Timestamp(number) | ValueRef::Decimal(number, _) => {
                Some(number)
            }
            _ => None,
        }
    }
}

/// What a [`WindowPlan`] asks of such events.
#[derive(Debug, Clone)]
pub struct DirectEvents {
    /// Fields that must be there, with their types, each once.
    fields: Vec<(usize, DataType)>,
    /// The field of each column of the raw event log, and its type.
    columns: Vec<(usize, ColumnKind, DataType)>,
    has_ids: bool,
}

impl WindowPlan {
    /// `None` where something is filtered or computed.
    #[must_use]
    pub fn direct(&self) -> Option<DirectEvents> {
        let field = |input: &super::Named| match input.expr.node {
            Node::Input(field) => Some((field, input.expr.data_type)),
            _ => None,
        };
        let fields: Vec<_> = self.inputs.iter().map(field).collect::<Option<_>>()?;
        let column = |column: &super::Column| {
            let (field, data_type) = *fields.get(column.input)?;
            Some((field, column.kind, data_type))
        };
        let columns = self.columns.iter().map(column).collect::<Option<_>>()?;
        let is_direct = self.filters.is_empty() && !self.cells.is_empty();
        is_direct.then_some(DirectEvents { fields, columns, has_ids: self.has_ids })
    }
}

impl DirectEvents {
    /// As [`WindowPlan::prepare`] of the same plan, with the values of `fields`; false, and nothing that counts prepared, when one is
    /// not there.
    #[inline]
    pub fn prepare<'a>(
        &self,
        fields: &(impl DirectFields<'a> + ?Sized),
        event_time: i64,
        event_id: &[u8],
        event: &mut PreparedEvent,
    ) -> bool {
        for (field, data_type) in &self.fields {
            let is_there = if is_number(*data_type) {
                fields.number(*field, *data_type).is_some()
            } else {
                fields.value(*field).is_some_and(|value| value.data_type() == *data_type)
            };
            if !is_there {
                return false;
            }
        }
        (event.time, event.is_full, event.is_counted) = (event_time, true, true);
        event.body.clear();
        for (field, kind, data_type) in &self.columns {
            if *kind == ColumnKind::Number && is_number(*data_type) {
                if let Some(number) = fields.number(*field, *data_type) {
                    varint::put(&mut event.body, varint::zigzag(number));
                }
            } else if let Some(value) = fields.value(*field) {
                write_column(&mut event.body, *kind, value);
            }
        }
        if self.has_ids {
            varint::put_block(&mut event.body, event_id);
        }
        true
    }
}

/// True for what [`DirectFields::number`] gives.
fn is_number(data_type: DataType) -> bool {
    matches!(data_type, DataType::I64 | DataType::Timestamp | DataType::Decimal(_))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::tests::plan;

    #[test]
    fn direct_events_are_what_prepare_makes_of_them() {
        let features =
            "n = \"count(*)\"\nsum = \"sum(d)\"\nlast = \"last(s)\"\nsome = \"approx_distinct(i)\"";
        let plan = plan("windows = [\"5m\"]", features);
        let direct = plan.direct().expect("fields as they are");
        let fields = |s: Option<&'static str>| {
            let (i, d) = (ValueRef::I64(-7), ValueRef::Decimal(1_234, 2));
            [Some(ValueRef::Timestamp(5)), Some(i), Some(d), s.map(ValueRef::String), None]
        };
        let (whole, mut expected, mut event) =
            (fields(Some("x")), PreparedEvent::default(), PreparedEvent::default());
        plan.prepare(&whole, 5, b"id", &mut expected).expect("nothing overflows");
        assert!(direct.prepare(whole.as_slice(), 5, b"id", &mut event));
        let shown = |event: &PreparedEvent| format!("{:?}", event.stored());
        assert_eq!(shown(&event), shown(&expected));
        let other = fields(None);
        assert!(!direct.prepare(other.as_slice(), 5, b"id", &mut event), "a field is null");
    }

    #[test]
    fn what_is_filtered_or_computed_is_not_direct() {
        for feature in ["sum(i) filter (where b)", "sum(i + 1)", "count(*) filter (where b)"] {
            assert!(plan("windows = [\"5m\"]", &format!("a = \"{feature}\"")).direct().is_none());
        }
    }
}
