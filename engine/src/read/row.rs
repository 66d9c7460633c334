//! Reading one row of a row group at a moment.

use model::status::Status;

use super::{plan::GroupRead, sink::Sink};
use crate::{
    catalog::RowsRuntime,
    rows::{RowLayout, Slot},
};

/// Features of 8 bytes that lie side by side in a slot as in the reply: they are copied as one piece.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Run {
    /// Place of the first among the columns that the group is asked for.
    first: usize,
    /// How many.
    count: usize,
    /// Where the first lies in a slot.
    offset: usize,
}

/// How a row without gaps is copied.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct RowCopy {
    runs: Vec<Run>,
    /// Places of the features that are copied one by one.
    singles: Vec<usize>,
}

impl RowCopy {
    /// How `features` of `layout` get into `outputs`.
    pub(crate) fn new(layout: &RowLayout, features: &[usize], outputs: &[usize]) -> Self {
        let mut copy = Self::default();
        let mut last = None;
        for (place, (feature, output)) in features.iter().zip(outputs).enumerate() {
            let Some(offset) = layout.word_offset(*feature) else {
                copy.singles.push(place);
                last = None;
                continue;
            };
            match copy.runs.last_mut() {
                Some(run) if last == Some((offset.wrapping_sub(8), output.wrapping_sub(1))) => {
                    run.count += 1;
                }
                _ => copy.runs.push(Run { first: place, count: 1, offset }),
            }
            last = Some((offset, *output));
        }
        copy
    }
}

/// Gives the features of an entity's row at an as-of to `sink`, under the columns that `outputs` lists; returns the newest event time
/// of those that are served.
pub(crate) fn read_row<S: Sink + ?Sized>(
    (read, outputs): (&GroupRead, &[usize]),
    rows: &RowsRuntime,
    (as_of, is_past): (i64, bool),
    row: Option<&Slot<'_>>,
    sink: &mut S,
) -> Option<i64> {
    let withheld = |time| withheld(rows, as_of.saturating_sub(time), is_past);
    // Nearly all rows were written whole: what their one time means is looked at once.
    let one = row.and_then(Slot::one_time).map(|time| (time, withheld(time)));
    if let (Some(row), Some((time, None))) = (row, one)
        && row.is_full(rows.layout.len())
    {
        copy(read, outputs, row, sink);
        return Some(time);
    }
    let mut newest = None;
    for (feature, output) in read.columns.iter().copied().zip(outputs.iter().copied()) {
        let state = row.map_or(0, |row| row.state(feature));
        let Some(row) = row.filter(|_| state != 0) else {
            sink.empty(output, Status::NotFound);
            continue;
        };
        let (time, withheld) = one.unwrap_or_else(|| {
            let time = row.time_of(feature);
            (time, withheld(time))
        });
        if let Some(why) = withheld {
            sink.empty(output, why);
            continue;
        }
        newest = newest.max(Some(time));
        if state == 1 {
            sink.empty(output, Status::Null);
        } else {
            sink.cell(output, Status::Present, row.cell(feature));
        }
    }
    newest
}

/// Copies a row in which every feature has a value that is served.
fn copy<S: Sink + ?Sized>(read: &GroupRead, outputs: &[usize], row: &Slot<'_>, sink: &mut S) {
    for run in &read.copy.runs {
        if let Some(first) = outputs.get(run.first) {
            sink.words(*first, Status::Present, row.words(run.offset, run.count));
        }
    }
    for place in &read.copy.singles {
        if let (Some(feature), Some(output)) = (read.columns.get(*place), outputs.get(*place)) {
            sink.cell(*output, Status::Present, row.cell(*feature));
        }
    }
}

/// Why a value of this age, in ms, is not served, if so: at an as-of in the past it was not known yet, or it is too old.
fn withheld(rows: &RowsRuntime, age: i64, is_past: bool) -> Option<Status> {
    if is_past && age < 0 {
        return Some(Status::NotFound);
    }
    rows.max_age_ms.is_some_and(|max| age > max).then_some(Status::Expired)
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::{definition::Field, name::Name, value::DataType};

    #[test]
    fn what_lies_side_by_side_in_both_is_one_run() {
        let types = [
            DataType::F64,
            DataType::I64,
            DataType::Bool,
            DataType::F64,
            DataType::String,
            DataType::Decimal(2),
            DataType::Timestamp,
        ];
        let fields: Vec<_> = types
            .iter()
            .enumerate()
            .map(|(at, data_type)| Field {
                name: Name::new(&format!("f{at}")).expect("valid"),
                data_type: *data_type,
            })
            .collect();
        let layout = RowLayout::new(&fields);
        let states = types.len().div_ceil(4);
        let run = |first, count, offset: usize| Run { first, count, offset: states + offset };
        let all: Vec<usize> = (0..types.len()).collect();
        let copy = RowCopy::new(&layout, &all, &all);
        assert_eq!(copy.runs, [run(0, 2, 0), run(3, 1, 17), run(5, 2, 25)]);
        assert_eq!(copy.singles, [2, 4]);
        let copy = RowCopy::new(&layout, &[1, 0, 5, 6, 3], &[0, 1, 2, 4, 5]);
        let one_by_one = [run(0, 1, 8), run(1, 1, 0), run(2, 1, 25), run(3, 1, 33), run(4, 1, 17)];
        assert_eq!(copy.runs, one_by_one, "turned round, with a gap, and back again");
    }
}
