//! Values that are made of several, as the JSON text they are given in.

use std::collections::BTreeMap;

use model::{
    definition::Aggregate,
    limits::BY_VALUES_MAX,
    value::{DataType, Value},
};

use super::{Counted, Key, Span, value};

/// A value within a text: numbers and bools bare, everything else quoted.
pub(crate) fn element(value: &Value) -> String {
    match value {
        Value::Bool(_) | Value::I64(_) | Value::F64(_) | Value::Decimal(..) => value.to_string(),
        other => quoted(&other.to_string()),
    }
}

pub(crate) fn quoted(text: &str) -> String {
    let mut out = String::from('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c < ' ' => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => out.push(c),
        }
    }
    out + "\""
}

/// The newest `limit` values, newest first.
pub(crate) fn newest(seen: &[Counted<'_>], limit: usize, element_type: DataType) -> Value {
    let newest = seen.iter().rev().take(limit);
    let shown: Vec<_> =
        newest.map(|event| element(&value::converted(&event.input.value, element_type))).collect();
    text(format!("[{}]", shown.join(",")))
}

/// One value for each value of `by`, the smallest first; those that are too many together.
pub(crate) fn members(aggregate: &Aggregate, seen: &[Counted<'_>], span: &Span) -> Value {
    let mut groups: BTreeMap<&Key, Vec<Counted<'_>>> = BTreeMap::new();
    for event in seen {
        let (_, key) = event.input.by.as_ref().expect("events without one do not count");
        groups.entry(key).or_default().push(*event);
    }
    let mut shown = Vec::new();
    let mut other = Vec::new();
    for (place, events) in groups.into_values().enumerate() {
        if place < BY_VALUES_MAX {
            let (name, _) = events[0].input.by.as_ref().expect("it has one");
            shown.push(member(&name.to_string(), aggregate, &events, span));
        } else {
            other.extend(events);
        }
    }
    if !other.is_empty() {
        shown.push(member("(other)", aggregate, &other, span));
    }
    text(format!("{{{}}}", shown.join(",")))
}

fn member(name: &str, aggregate: &Aggregate, events: &[Counted<'_>], span: &Span) -> String {
    let found = value::plain(aggregate.function, aggregate.element, events, span);
    let shown = found.ok().flatten().map_or("null".to_owned(), |found| element(&found));
    format!("{}:{shown}", quoted(name))
}

pub(crate) fn text(text: String) -> Value {
    Value::String(text.into())
}
