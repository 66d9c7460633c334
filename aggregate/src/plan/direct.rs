//! Direct: events whose aggregates read fields as they are, prepared without a look at an expression.
//!
//! Nothing filtered, no input computed: an event with a value in every such field counts in every cell, so that its record is its
//! values one after the other. All others are for [`WindowPlan::prepare`], which makes the same of these.

use model::{expr::Node, value::DataType, value::ValueRef};

use super::{ColumnKind, PreparedEvent, WindowPlan, prepare::write_column};
use crate::varint;

/// What a [`WindowPlan`] asks of such events.
#[derive(Debug, Clone)]
pub struct DirectEvents {
    /// Fields that must be there, with their types, each once.
    fields: Vec<(usize, DataType)>,
    /// The field of each column of the raw event log.
    columns: Vec<(usize, ColumnKind)>,
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
        let column = |column: &super::Column| Some((fields.get(column.input)?.0, column.kind));
        let columns = self.columns.iter().map(column).collect::<Option<_>>()?;
        let is_direct = self.filters.is_empty() && !self.cells.is_empty();
        is_direct.then_some(DirectEvents { fields, columns, has_ids: self.has_ids })
    }
}

impl DirectEvents {
    /// True when [`DirectEvents::prepare`] asks for an event id.
    #[must_use]
    pub fn has_ids(&self) -> bool {
        self.has_ids
    }

    /// As [`WindowPlan::prepare`] of the same plan, with the values that `value` gives for fields; false, and nothing prepared, when
    /// one is not there.
    #[inline]
    pub fn prepare<'a>(
        &self,
        value: &impl Fn(usize) -> Option<ValueRef<'a>>,
        event_time: i64,
        event_id: &[u8],
        event: &mut PreparedEvent,
    ) -> bool {
        for (field, data_type) in &self.fields {
            if value(*field).is_none_or(|value| value.data_type() != *data_type) {
                return false;
            }
        }
        (event.time, event.is_full, event.is_counted) = (event_time, true, true);
        event.body.clear();
        for (field, kind) in &self.columns {
            if let Some(value) = value(*field) {
                write_column(&mut event.body, *kind, value);
            }
        }
        if self.has_ids {
            varint::put_block(&mut event.body, event_id);
        }
        true
    }
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
        assert!(direct.prepare(&|field| whole[field], 5, b"id", &mut event));
        let shown = |event: &PreparedEvent| format!("{:?}", event.stored());
        assert_eq!(shown(&event), shown(&expected));
        let other = fields(None);
        assert!(!direct.prepare(&|field| other[field], 5, b"id", &mut event), "a field is null");
    }

    #[test]
    fn what_is_filtered_or_computed_is_not_direct() {
        for feature in ["sum(i) filter (where b)", "sum(i + 1)", "count(*) filter (where b)"] {
            assert!(plan("windows = [\"5m\"]", &format!("a = \"{feature}\"")).direct().is_none());
        }
    }
}
