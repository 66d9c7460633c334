//! Vectors of one read that are logged, and how they become rows of a file.

use std::sync::Arc;

use arrow_array::{ArrayRef, BooleanArray, RecordBatch, TimestampMillisecondArray, UInt64Array};
use engine::replay::ReplayMoment;
use engine::{Lsn, ReadOptions, ReadRequest, ReadTrace, VectorTrace, Vectors};
use model::column::Column;
use model::packed_row::{self, Cell};
use model::status::Status;
use model::value::DataType;

use super::layout::ReadLayout;
use crate::key::arrays_of_keys;
use crate::{Error, array_of, statuses_as_words};

/// Vectors of one read, with what was seen of them.
#[derive(Debug)]
pub struct ReadSample {
    pub(super) layout: Arc<ReadLayout>,
    options: ReadOptions,
    as_of: i64,
    trace: ReadTrace,
    /// One for each entity of each vector.
    keys: Vec<Box<[u8]>>,
    /// One for each vector, where the service takes request values.
    request_rows: Vec<Box<[u8]>>,
    columns: Vec<Column>,
}

impl ReadSample {
    /// The vectors of `trace`, which a read of the service of `layout` gave.
    ///
    /// # Errors
    /// [`Error::Model`] when `vectors` are not those of the trace.
    pub fn new(
        layout: &Arc<ReadLayout>,
        request: &ReadRequest<'_>,
        vectors: &Vectors,
        trace: ReadTrace,
    ) -> Result<Self, Error> {
        let width = layout.entities.len();
        let places = || trace.vectors.iter().map(|traced| traced.vector);
        let keys = places().flat_map(|at| request.keys.iter().skip(at * width).take(width));
        let row_of = |at: usize| request.request_rows.get(at).or(request.request_rows.first());
        let mut columns = Vec::with_capacity(vectors.columns.len());
        for column in vectors.columns.iter() {
            let mut taken = Column::new(column.data_type(), trace.vectors.len());
            for at in places() {
                match column.get(at)? {
                    (status, Some(value)) => taken.push(status, value),
                    (status, None) => taken.push_empty(status),
                }
            }
            columns.push(taken);
        }
        Ok(Self {
            layout: Arc::clone(layout),
            options: request.options,
            as_of: vectors.as_of,
            keys: keys.map(|key| (*key).into()).collect(),
            request_rows: places().filter_map(row_of).map(|row| (*row).into()).collect(),
            columns,
            trace,
        })
    }

    /// Vectors in it.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.trace.vectors.len()
    }

    /// About how many bytes it takes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let of_columns = |column: &Column| column.data().len() + 5 * column.len();
        let keys = self.keys.iter().chain(&self.request_rows).map(|key| key.len() + 16);
        self.columns.iter().map(of_columns).sum::<usize>() + keys.sum::<usize>() + 256
    }

    /// Changes up to this record of the log were seen, and perhaps none of the last ones.
    #[must_use]
    pub fn position(&self) -> Lsn {
        let seen = self.trace.vectors.iter().flat_map(|vector| &vector.seen);
        seen.copied().max().unwrap_or_default()
    }

    /// The server's clock at the read, in ms.
    #[must_use]
    pub fn read_at(&self) -> i64 {
        self.trace.wall_ms
    }
}

/// The rows of `samples`, all of `layout`.
pub(super) fn batch(layout: &ReadLayout, samples: &[ReadSample]) -> Result<RecordBatch, Error> {
    let rows = Rows { layout, samples };
    let mut arrays = rows.head();
    for (place, entity) in layout.entities.iter().enumerate() {
        let width = layout.entities.len();
        let keys = samples.iter().flat_map(|sample| sample.keys.iter().skip(place).step_by(width));
        let keys: Vec<_> = keys.cloned().collect();
        arrays.extend(arrays_of_keys(&keys, &entity.key)?);
        let seen = rows.traces().map(|(_, vector)| vector.seen.get(place).map_or(0, |lsn| lsn.0));
        arrays.push(Arc::new(seen.collect::<UInt64Array>()));
    }
    for (place, (_, is_windows)) in layout.groups.iter().enumerate() {
        arrays.push(rows.moments(place, |moment| Some(moment.as_of)));
        if *is_windows {
            arrays.push(rows.moments(place, |moment| moment.snapped_at));
            arrays.push(rows.moments(place, |moment| {
                Some(moment.observed_since).filter(|since| *since != i64::MAX)
            }));
        }
    }
    for column in rows.request()? {
        arrays.push(array_of(&column)?.0);
    }
    for (place, (_, data_type)) in layout.outputs.iter().enumerate() {
        let parts = samples.iter().filter_map(|sample| sample.columns.get(place));
        let (values, statuses) = array_of(&joined(*data_type, parts)?)?;
        arrays.extend([values, Arc::new(statuses_as_words(&statuses)?)]);
    }
    Ok(RecordBatch::try_new(Arc::clone(&layout.schema), arrays)?)
}

struct Rows<'a> {
    layout: &'a ReadLayout,
    samples: &'a [ReadSample],
}

impl Rows<'_> {
    /// Each vector with the read that it is of.
    fn traces(&self) -> impl Iterator<Item = (&ReadSample, &VectorTrace)> {
        let of = |sample| move |vector| (sample, vector);
        self.samples.iter().flat_map(move |sample| sample.trace.vectors.iter().map(of(sample)))
    }

    fn head(&self) -> Vec<ArrayRef> {
        let samples = || self.traces().map(|(sample, _)| sample);
        let flags = |flag: fn(&ReadOptions) -> bool| {
            let flags = samples().map(|sample| Some(flag(&sample.options)));
            Arc::new(flags.collect::<BooleanArray>())
        };
        vec![
            times(samples().map(|sample| Some(sample.trace.wall_ms))),
            times(samples().map(|sample| Some(sample.as_of))),
            times(samples().map(|sample| sample.options.as_of)),
            flags(|options| options.exclusive),
            flags(|options| options.snap),
        ]
    }

    fn moments(&self, group: usize, time: fn(&ReplayMoment) -> Option<i64>) -> ArrayRef {
        times(self.traces().map(|(_, vector)| vector.moments.get(group).and_then(time)))
    }

    /// Request values, column by column.
    fn request(&self) -> Result<Vec<Column>, Error> {
        let types: Vec<_> = self.layout.request.iter().map(|field| field.data_type).collect();
        let mut columns: Vec<_> =
            types.iter().map(|data_type| Column::new(*data_type, self.samples.len())).collect();
        if columns.is_empty() {
            return Ok(columns);
        }
        for row in self.samples.iter().flat_map(|sample| &sample.request_rows) {
            for (column, cell) in columns.iter_mut().zip(packed_row::read_row(row, &types)?) {
                match cell {
                    Cell::Value(value) => column.push(Status::Present, value),
                    Cell::Null | Cell::Absent => column.push_empty(Status::Null),
                }
            }
        }
        Ok(columns)
    }
}

fn times(times: impl Iterator<Item = Option<i64>>) -> ArrayRef {
    Arc::new(times.collect::<TimestampMillisecondArray>().with_timezone("UTC"))
}

/// The rows of all `parts`.
fn joined<'a>(
    data_type: DataType,
    parts: impl Iterator<Item = &'a Column>,
) -> Result<Column, Error> {
    let mut joined = Column::new(data_type, 0);
    for part in parts {
        for row in 0..part.len() {
            match part.get(row)? {
                (status, Some(value)) => joined.push(status, value),
                (status, None) => joined.push_empty(status),
            }
        }
    }
    Ok(joined)
}
