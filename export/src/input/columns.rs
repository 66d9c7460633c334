//! Arrow columns as the values of fields: types are checked once for a file, columns converted as a whole, values read in place.
//!
//! | field | made of |
//! |---|---|
//! | `bool` | Boolean |
//! | `i64` | whole numbers of any width; floats and decimals that are whole |
//! | `f64`, `f32` | floats; whole numbers that lose no digit; decimals, rounded to the nearest |
//! | `decimal(s)` | whole numbers; decimals and floats (of these the shortest digits), rounded half to even |
//! | `string` | text; for keys also whole numbers |
//! | `bytes` | binary |
//! | `timestamp` | timestamps of any unit, µs and ns cut down to ms, without a zone UTC; dates; whole numbers: ms since 1970 |
//! | `f32[n]` | lists of n numbers |
//!
//! Every field may also be text, as in CSV; dictionaries are what their values are; null is null.

use std::path::Path;

use arrow_array::cast::AsArray;
use arrow_array::types::Float32Type;
use arrow_array::{Array, ArrayRef, BinaryViewArray, BooleanArray, StringViewArray};
use arrow_buffer::{NullBuffer, ScalarBuffer};
use arrow_cast::cast;
use arrow_schema::{DataType as Arrow, Schema};
use engine::replay::exact_float;
use model::limits::FLOAT_FIELD_SCALE;
use model::packed_row::Cell;
use model::text;
use model::value::{DataType, Floats, Value, ValueRef};

use super::numbers::{is_number, is_whole, numbers, times};
use crate::Error;

/// What a column is to give.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sought<'a> {
    /// The field, for messages.
    pub(crate) name: &'a str,
    /// Its type.
    pub(crate) data_type: DataType,
}

/// A column of a batch, as the values of a field.
#[derive(Debug)]
pub(crate) struct Column {
    data_type: DataType,
    values: Values,
    nulls: Option<NullBuffer>,
    /// Rows whose value is none of the field's, ascending, and why.
    bad: Vec<(usize, String)>,
}

#[derive(Debug, Clone)]
pub(super) enum Values {
    Nothing,
    Bool(BooleanArray),
    /// Of i64, timestamps and decimals.
    I64(ScalarBuffer<i64>),
    F32(ScalarBuffer<f32>),
    F64(ScalarBuffer<f64>),
    Text(StringViewArray),
    Bytes(BinaryViewArray),
    /// Read one by one.
    Each(Vec<Option<Value>>),
    /// The floats of all rows, and where each row's begin.
    Vectors(ScalarBuffer<f32>, Vec<usize>),
}

/// What could not be converted.
pub(super) type Bad = Vec<(usize, String)>;

/// Refuses a column of the file `path` that cannot give `field`, which may be a part of a key.
pub(crate) fn check(
    path: &Path,
    schema: &Schema,
    place: usize,
    (field, is_key): (Sought<'_>, bool),
) -> Result<(), Error> {
    let column = schema.field(place);
    if is_accepted(column.data_type(), field.data_type, is_key) {
        return Ok(());
    }
    let (arrow, name, data_type) = (column.data_type(), field.name, field.data_type);
    let made = made_of(data_type);
    let what = format!(
        "column {} is {arrow}; {name} is {data_type}, which is made of {made}, or of text",
        column.name()
    );
    Err(Error::file(path, what))
}

fn is_accepted(arrow: &Arrow, data_type: DataType, is_key: bool) -> bool {
    let is_time =
        |arrow: &Arrow| matches!(arrow, Arrow::Timestamp(..) | Arrow::Date32 | Arrow::Date64);
    match (arrow, data_type) {
        (Arrow::Dictionary(_, values), _) => is_accepted(values, data_type, is_key),
        (Arrow::Null | Arrow::Utf8 | Arrow::LargeUtf8 | Arrow::Utf8View, _) => true,
        (Arrow::Boolean, DataType::Bool) => true,
        (arrow, DataType::I64 | DataType::F32 | DataType::F64 | DataType::Decimal(_)) => {
            is_number(arrow)
        }
        (arrow, DataType::Timestamp) => is_time(arrow) || is_whole(arrow),
        (arrow, DataType::String) => is_key && is_whole(arrow),
        (
            Arrow::Binary | Arrow::LargeBinary | Arrow::BinaryView | Arrow::FixedSizeBinary(_),
            DataType::Bytes,
        ) => true,
        (
            Arrow::List(element) | Arrow::LargeList(element) | Arrow::FixedSizeList(element, _),
            DataType::Vector(_),
        ) => is_number(element.data_type()),
        _ => false,
    }
}

fn made_of(data_type: DataType) -> &'static str {
    match data_type {
        DataType::Bool => "Boolean",
        DataType::I64 | DataType::F32 | DataType::F64 | DataType::Decimal(_) => {
            "whole numbers, floats and decimals"
        }
        DataType::String => "Utf8, LargeUtf8, Utf8View and dictionaries of them",
        DataType::Bytes => "Binary, LargeBinary, BinaryView, FixedSizeBinary",
        DataType::Timestamp => "Timestamp, Date32, Date64, and whole numbers: ms since 1970",
        DataType::Vector(_) => "List, LargeList and FixedSizeList of numbers",
    }
}

impl Column {
    /// The values of `array`, whose type [`check`] has accepted for `field`.
    ///
    /// # Errors
    /// [`Error::Arrow`] when it had not.
    pub(crate) fn new(array: &ArrayRef, field: Sought<'_>) -> Result<Self, Error> {
        let array = match array.data_type() {
            // Views share the dictionary's bytes.
            Arrow::Dictionary(_, values) if is_text(values) => cast(array, &Arrow::Utf8View)?,
            Arrow::Dictionary(_, values) => cast(array, values)?,
            _ => ArrayRef::clone(array),
        };
        let nulls = array.logical_nulls().filter(|nulls| nulls.null_count() > 0);
        let (values, bad) = convert(&array, field)?;
        Ok(Self { data_type: field.data_type, values, nulls, bad })
    }

    /// The value in `row`.
    ///
    /// # Errors
    /// Why the row gives none.
    #[inline]
    pub(crate) fn cell(&self, row: usize) -> Result<Cell<'_>, String> {
        if self.nulls.as_ref().is_some_and(|nulls| nulls.is_null(row)) {
            return Ok(Cell::Null);
        }
        if !self.bad.is_empty()
            && let Ok(place) = self.bad.binary_search_by_key(&row, |(bad, _)| *bad)
        {
            return Err(self.bad.get(place).map(|(_, why)| why.clone()).unwrap_or_default());
        }
        Ok(self.value(row).map_or(Cell::Null, Cell::Value))
    }

    /// The value in `row`, where there is one.
    #[inline]
    pub(crate) fn given(&self, row: usize) -> Option<ValueRef<'_>> {
        if self.nulls.as_ref().is_some_and(|nulls| nulls.is_null(row)) {
            return None;
        }
        self.value(row)
    }

    /// The value in `row` of a column of `data_type`, which is i64, timestamp or decimal, where there is one.
    #[inline]
    pub(crate) fn number(&self, row: usize, data_type: DataType) -> Option<i64> {
        if self.nulls.as_ref().is_some_and(|nulls| nulls.is_null(row)) {
            return None;
        }
        match &self.values {
            Values::I64(values) if self.data_type == data_type => values.get(row).copied(),
            _ => self.number_of_each(row, data_type),
        }
    }

    #[cold]
    fn number_of_each(&self, row: usize, data_type: DataType) -> Option<i64> {
        match self.value(row).filter(|value| value.data_type() == data_type)? {
            ValueRef::I64(n) | ValueRef::Timestamp(n) | ValueRef::Decimal(n, _) => Some(n),
            _ => None,
        }
    }

    /// The same column with floats as decimals of [`FLOAT_FIELD_SCALE`] places, as events have them; `None` when some row has no
    /// value of its type, or none that such a decimal holds.
    pub(crate) fn exact(&self) -> Option<Self> {
        if !self.bad.is_empty() {
            return None;
        }
        let decimal = |row: usize, float: f64| match &self.nulls {
            Some(nulls) if nulls.is_null(row) => Some(0),
            _ => exact_float(float),
        };
        let decimals: Option<ScalarBuffer<i64>> = match &self.values {
            Values::F32(floats) => {
                let floats = floats.iter().enumerate();
                floats.map(|(row, float)| decimal(row, f64::from(*float))).collect()
            }
            Values::F64(floats) => {
                floats.iter().enumerate().map(|(row, float)| decimal(row, *float)).collect()
            }
            Values::Each(_) if matches!(self.data_type, DataType::F32 | DataType::F64) => None,
            same => {
                let (data_type, nulls) = (self.data_type, self.nulls.clone());
                return Some(Self { data_type, values: same.clone(), nulls, bad: Bad::new() });
            }
        };
        let (values, nulls) = (Values::I64(decimals?), self.nulls.clone());
        Some(Self {
            data_type: DataType::Decimal(FLOAT_FIELD_SCALE),
            values,
            nulls,
            bad: Bad::new(),
        })
    }

    #[inline]
    fn value(&self, row: usize) -> Option<ValueRef<'_>> {
        Some(match &self.values {
            Values::Nothing => return None,
            Values::Bool(values) => ValueRef::Bool(values.value(row)),
            Values::I64(values) => {
                let value = *values.get(row)?;
                match self.data_type {
                    DataType::Timestamp => ValueRef::Timestamp(value),
                    DataType::Decimal(scale) => ValueRef::Decimal(value, scale),
                    _ => ValueRef::I64(value),
                }
            }
            Values::F32(values) => ValueRef::F32(*values.get(row)?),
            Values::F64(values) => ValueRef::F64(*values.get(row)?),
            Values::Text(values) => ValueRef::String(values.value(row)),
            Values::Bytes(values) => ValueRef::Bytes(values.value(row)),
            Values::Each(values) => values.get(row)?.as_ref()?.borrow(),
            Values::Vectors(floats, starts) => {
                let DataType::Vector(count) = self.data_type else { return None };
                let start = *starts.get(row)?;
                ValueRef::Vector(Floats::Native(floats.get(start..start + count as usize)?))
            }
        })
    }
}

fn is_text(arrow: &Arrow) -> bool {
    matches!(arrow, Arrow::Utf8 | Arrow::LargeUtf8 | Arrow::Utf8View)
}

fn convert(array: &ArrayRef, field: Sought<'_>) -> Result<(Values, Bad), Error> {
    let good = |values| Ok((values, Bad::new()));
    match (array.data_type(), field.data_type) {
        (Arrow::Null, _) => good(Values::Nothing),
        (arrow, DataType::String) if is_text(arrow) || is_whole(arrow) => {
            let text = if is_text(arrow) { array } else { &cast(array, &Arrow::Utf8)? };
            good(Values::Text(cast(text, &Arrow::Utf8View)?.as_string_view().clone()))
        }
        (arrow, _) if is_text(arrow) => {
            let text = cast(array, &Arrow::Utf8View)?;
            Ok(texts(text.as_string_view(), field))
        }
        (Arrow::Boolean, _) => good(Values::Bool(array.as_boolean().clone())),
        (arrow, DataType::Bytes) => {
            let fixed = matches!(arrow, Arrow::FixedSizeBinary(_));
            let bytes = if fixed { &cast(array, &Arrow::Binary)? } else { array };
            good(Values::Bytes(cast(bytes, &Arrow::BinaryView)?.as_binary_view().clone()))
        }
        (arrow, DataType::Timestamp) if !is_whole(arrow) => times(array, field),
        (_, DataType::Vector(count)) => vectors(array, field, count as usize),
        _ => numbers(array, field),
    }
}

fn texts(array: &StringViewArray, field: Sought<'_>) -> (Values, Bad) {
    let mut bad = Bad::new();
    let values = array.iter().enumerate().map(|(row, text)| {
        // As in CSV.
        let text = text.filter(|text| !text.is_empty())?;
        let parsed = text::parse_value(field.name, text, field.data_type);
        parsed.map_err(|error| bad.push((row, error.to_string()))).ok()
    });
    (Values::Each(values.collect()), bad)
}

fn vectors(array: &ArrayRef, field: Sought<'_>, count: usize) -> Result<(Values, Bad), Error> {
    // Offsets of both widths as one; a fixed list has none.
    let (elements, ranges): (ArrayRef, Vec<(usize, usize)>) = match array.data_type() {
        Arrow::FixedSizeList(..) => {
            let list = array.as_fixed_size_list();
            let length = usize::try_from(list.value_length()).unwrap_or(0);
            let ranges = (0..list.len()).map(|row| (row * length, length)).collect();
            (ArrayRef::clone(list.values()), ranges)
        }
        Arrow::List(_) => {
            let list = array.as_list::<i32>();
            let place = |offset: &i32| usize::try_from(*offset).unwrap_or(0);
            let ranges = list.offsets().windows(2).map(|pair| match pair {
                [start, end] => (place(start), place(end).saturating_sub(place(start))),
                _ => (0, 0),
            });
            (ArrayRef::clone(list.values()), ranges.collect())
        }
        _ => {
            let list = array.as_list::<i64>();
            let place = |offset: &i64| usize::try_from(*offset).unwrap_or(0);
            let ranges = list.offsets().windows(2).map(|pair| match pair {
                [start, end] => (place(start), place(end).saturating_sub(place(start))),
                _ => (0, 0),
            });
            (ArrayRef::clone(list.values()), ranges.collect())
        }
    };
    let element = Sought { name: field.name, data_type: DataType::F32 };
    let elements = Column::new(&elements, element)?;
    let mut bad = Bad::new();
    let mut starts = Vec::with_capacity(ranges.len());
    for (row, (start, length)) in ranges.into_iter().enumerate() {
        starts.push(start);
        if array.is_null(row) {
            continue;
        }
        let expected = text::describe(field.data_type);
        let name = field.name;
        if length != count {
            let error = model::Error::mismatch(name, expected, format!("{length} elements"));
            bad.push((row, error.to_string()));
        } else if elements.has_gaps(start..start + length) {
            let got = "an element that is null, or no finite f32";
            bad.push((row, model::Error::mismatch(name, expected, got).to_string()));
        }
    }
    let floats = match elements.values {
        Values::F32(floats) => floats,
        _ => ScalarBuffer::<f32>::from(Vec::<
            <Float32Type as arrow_array::ArrowPrimitiveType>::Native,
        >::new()),
    };
    Ok((Values::Vectors(floats, starts), bad))
}

impl Column {
    /// True when some row of `rows` has no value.
    fn has_gaps(&self, rows: std::ops::Range<usize>) -> bool {
        let nulls = self.nulls.as_ref();
        let first_bad = self.bad.partition_point(|(row, _)| *row < rows.start);
        self.bad.get(first_bad).is_some_and(|(row, _)| *row < rows.end)
            || nulls.is_some_and(|nulls| rows.clone().any(|row| nulls.is_null(row)))
    }
}
