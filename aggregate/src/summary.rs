//! The summaries of a cell behind one face: what an event adds, what a tile's bytes add, and the value in the end.

use model::{definition::AggregateFunction, value::ValueRef};
use stdx::hash::murmur3_x64_128;

use crate::{
    finalize::{self, Found},
    partial::{EdgeValue, Numbers},
    plan::{Cell, Output, SummaryKind, ordered},
    raw::{ColumnValue, Record},
    sketch::{decay::Decay, groups::Groups, newest::Newest, quantile::Quantile, top_k::TopK},
};

/// The state of one summary: of a tile, or of a window.
#[derive(Debug)]
pub(crate) struct SummaryState<'a> {
    kind: SummaryKind,
    state: State<'a>,
}

#[derive(Debug)]
enum State<'a> {
    Newest(Newest<'a>),
    /// Dense while it is added to, hence boxed and reused.
    Quantile(Box<Quantile>),
    TopK(Box<TopK<'a>>),
    Groups(Groups<'a>),
    Decay(Decay),
}

impl<'a> SummaryState<'a> {
    pub(crate) fn new(kind: SummaryKind) -> Self {
        let state = match kind {
            SummaryKind::Newest { limit } => State::Newest(Newest::new(limit)),
            SummaryKind::Quantile => State::Quantile(Box::default()),
            SummaryKind::TopK => State::TopK(Box::default()),
            SummaryKind::Groups => State::Groups(Groups::default()),
            SummaryKind::Decay { half_life_ms } => State::Decay(Decay::new(half_life_ms)),
        };
        Self { kind, state }
    }

    pub(crate) fn kind(&self) -> SummaryKind {
        self.kind
    }

    pub(crate) fn clear(&mut self) {
        match &mut self.state {
            State::Newest(state) => state.clear(),
            State::Quantile(state) => state.clear(),
            State::TopK(state) => state.clear(),
            State::Groups(state) => state.clear(),
            State::Decay(state) => state.clear(),
        }
    }

    /// An empty state of the same kind, with the memory that does not depend on what was borrowed.
    pub(crate) fn recycle<'b>(mut self) -> SummaryState<'b> {
        self.clear();
        let state = match self.state {
            State::Quantile(state) => State::Quantile(state),
            State::Decay(state) => State::Decay(state),
            State::Newest(_) | State::TopK(_) | State::Groups(_) => {
                return SummaryState::new(self.kind);
            }
        };
        SummaryState { kind: self.kind, state }
    }

    /// Adds an event that counts in `cell`.
    pub(crate) fn update(&mut self, cell: &Cell, record: &Record<'a>, values: &[ColumnValue<'a>]) {
        let column = |place: Option<usize>| place.and_then(|place| values.get(place)).copied();
        let number = || match column(cell.number) {
            Some(ColumnValue::Number(number)) => Some(number),
            _ => None,
        };
        let packed = |place: Option<usize>| match column(place) {
            Some(ColumnValue::Packed(bytes)) => Some(bytes),
            _ => None,
        };
        match &mut self.state {
            State::Newest(state) => {
                if let Some(edge) = record.edge(cell, values) {
                    state.update(edge);
                }
            }
            State::Quantile(state) => {
                if let Some(number) = number() {
                    state.update(number);
                }
            }
            State::TopK(state) => {
                if let Some(key) = packed(cell.packed) {
                    state.update(key, event_hash(record));
                }
            }
            State::Groups(state) => {
                if let Some(key) = packed(cell.key) {
                    state.update(key, number());
                }
            }
            State::Decay(state) => {
                if let Some(number) = number() {
                    state.update(record.time, number);
                }
            }
        }
    }

    /// Adds what another state wrote; `None` when the bytes are none of this kind: part of them may have been added.
    pub(crate) fn merge_bytes(&mut self, bytes: &'a [u8]) -> Option<()> {
        match &mut self.state {
            State::Newest(state) => state.merge_bytes(bytes),
            State::Quantile(state) => state.merge_bytes(bytes),
            State::TopK(state) => state.merge_bytes(bytes),
            State::Groups(state) => state.merge_bytes(bytes),
            State::Decay(state) => state.merge_bytes(bytes),
        }
    }

    /// False when it holds an edge of another kind than its cell's: numbers, or packed bytes.
    pub(crate) fn is_of(&self, is_number: bool) -> bool {
        let is_alike = |value| matches!(value, EdgeValue::Number(_)) == is_number;
        match &self.state {
            State::Newest(state) => state.iter().all(|edge| is_alike(edge.value)),
            _ => true,
        }
    }

    /// Appends the state to `out`.
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        match &self.state {
            State::Newest(state) => state.write(out),
            State::Quantile(state) => state.write(out),
            State::TopK(state) => state.write(out),
            State::Groups(state) => state.write(out),
            State::Decay(state) => state.write(out),
        }
    }

    /// The value of an output that is made of this summary; `text` is memory for lists and objects.
    pub(crate) fn finalize<'t>(
        &self,
        output: &Output,
        found: &Found<'_, 'a>,
        text: &'t mut String,
    ) -> Option<ValueRef<'t>>
    where
        'a: 't,
    {
        match (&self.state, output.function) {
            (State::Newest(state), AggregateFunction::Lag { n }) => {
                return finalize::edge(output, state.get(n.into())?);
            }
            (State::Newest(state), AggregateFunction::LastN { n }) => {
                write_list(text, output, state.iter().take(n.into()));
            }
            (State::Quantile(state), AggregateFunction::ApproxQuantile { q_ppb }) => {
                let value = state.value(q_ppb, finalize::unit(output.input))?;
                return Some(ValueRef::F64(value));
            }
            (State::TopK(state), AggregateFunction::TopK { k }) => {
                write_top(text, output, state, k.into());
            }
            (State::Decay(state), AggregateFunction::Ema { .. }) => {
                let value = state.value(found.head, finalize::unit(output.input))?;
                return Some(ValueRef::F64(value));
            }
            (State::Groups(state), _) => write_groups(text, output, state)?,
            _ => return None,
        }
        Some(ValueRef::String(text))
    }
}

/// Of its time and all that is stored of it, its id included.
fn event_hash(record: &Record<'_>) -> u64 {
    murmur3_x64_128(record.body, record.time.cast_unsigned()).0
}

fn write_list<'e>(
    text: &mut String,
    output: &Output,
    edges: impl Iterator<Item = crate::partial::Edge<'e>>,
) {
    text.push('[');
    for (index, edge) in edges.enumerate() {
        if index > 0 {
            text.push(',');
        }
        ordered::write_json(text, finalize::edge(output, edge));
    }
    text.push(']');
}

fn write_top(text: &mut String, output: &Output, state: &TopK<'_>, k: usize) {
    let top = state.top(k);
    text.push_str(if top.exact { "{\"exact\":true" } else { "{\"exact\":false" });
    if !top.exact {
        text.push_str(&format!(",\"error\":{}", top.error));
    }
    text.push_str(",\"top\":[");
    for (index, (key, count)) in top.items.iter().enumerate() {
        text.push_str(if index > 0 { ",[" } else { "[" });
        ordered::write_key(text, ordered::value(key, output.input));
        text.push_str(&format!(",{count}]"));
    }
    text.push_str("]}");
}

/// One member for each value, and one for all others.
fn write_groups(text: &mut String, output: &Output, state: &Groups<'_>) -> Option<()> {
    const OTHER: &str = "(other)";
    let by = output.by?;
    let mut write_member = |name: &dyn Fn(&mut String), numbers: &Numbers| {
        text.push(if text.is_empty() { '{' } else { ',' });
        name(text);
        text.push(':');
        // A sum that does not fit is null in its place: the other members are good.
        ordered::write_json(text, finalize::of_numbers(output, numbers).ok().flatten());
    };
    for (key, numbers) in state.iter() {
        let name = |text: &mut String| match ordered::value(key, by) {
            // So that no value can be taken for the others.
            Some(ValueRef::String(value)) if value.trim_start_matches('\\') == OTHER => {
                ordered::write_quoted(text, &format!("\\{value}"));
            }
            value => ordered::write_key(text, value),
        };
        write_member(&name, numbers);
    }
    if state.other().count > 0 {
        write_member(&|text| ordered::write_quoted(text, OTHER), state.other());
    }
    text.push('}');
    Some(())
}

#[cfg(test)]
mod tests {
    use crate::{EntityWindows, PreparedEvent, ReadAt, ReadScratch, plan::tests::plan};
    use model::value::ValueRef;

    #[test]
    fn no_value_is_taken_for_the_others() {
        let plan = plan("windows = [\"1h\"]", "a = \"count(*) by s\"");
        let (mut entity, mut event) = (EntityWindows::default(), PreparedEvent::default());
        let many = (0..64).map(|n| format!("v{n:02}"));
        for value in ["(other)", "\\(other)"].map(str::to_owned).into_iter().chain(many) {
            let fields = [None, None, None, Some(ValueRef::String(&value)), None];
            plan.prepare(&fields, 1000, b"", &mut event).expect("no expression fails");
            entity.update(&plan, &event, 1000);
        }
        let mut shown = String::new();
        let (selection, at) = (plan.select(&[0]), ReadAt::Exact { x: 2000 });
        entity.read(&plan, &selection, at, &mut ReadScratch::default(), &mut |_, value| {
            shown = value.expect("it fits").expect("there are events").to_owned().to_string();
        });
        assert!(shown.starts_with(r#"{"\\(other)":1,"\\\\(other)":1,"v00":1,"#), "{shown}");
        assert!(shown.ends_with(r#","v61":1,"(other)":2}"#), "{shown}");
    }
}
