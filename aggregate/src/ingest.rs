//! From the fields of an event as received to exact ones: floats become decimals, once, here.
//!
//! Everything behind this line (filters, inputs, window state) computes with integers, so that a value cannot depend on the
//! order of additions.

use model::{
    Error,
    definition::{Field, Stream},
    limits::FLOAT_FIELD_SCALE,
    packed_row::{self, Cell},
    value::{DataType, ValueRef},
};

use crate::expr::decimal_from_f64;

/// The fields of one event of `stream`, `f32` and `f64` as decimals of [`FLOAT_FIELD_SCALE`] places: the exact binary value
/// rounded half to even. `out` is cleared first and gets one value for each field; absent and null are `None`.
///
/// # Errors
/// [`Error::Type`] names a field whose value has another type, or is a float that is not finite or too large.
pub fn exact_fields<'a>(
    stream: &Stream,
    cells: &[Cell<'a>],
    out: &mut Vec<Option<ValueRef<'a>>>,
) -> Result<(), Error> {
    out.clear();
    for (index, field) in stream.fields.iter().enumerate() {
        let Some(value) = cells.get(index).and_then(|cell| cell.value()) else {
            out.push(None);
            continue;
        };
        if value.data_type() != field.data_type {
            let (expected, got) = (field.data_type.to_string(), value.data_type().to_string());
            return Err(Error::mismatch(field.name.as_str(), expected, got));
        }
        out.push(Some(exact(field, value)?));
    }
    Ok(())
}

/// As [`exact_fields`], of an event as it was received: `row` is packed and has the first of the stream's fields, of which `types`
/// are the types. `each` gets one value for each field of the stream, in their order.
///
/// # Errors
/// As [`exact_fields`], and [`Error::Malformed`] when it is no such row.
pub fn exact_row<'a>(
    stream: &Stream,
    (row, types): (&'a [u8], &[DataType]),
    mut each: impl FnMut(Option<ValueRef<'a>>),
) -> Result<(), Error> {
    let mut fields = stream.fields.iter();
    packed_row::for_each_cell(row, types, |cell| {
        let value = fields.next().zip(cell.value());
        each(value.map(|(field, value)| exact(field, value)).transpose()?);
        Ok(())
    })?;
    fields.for_each(|_| each(None));
    Ok(())
}

/// A value of the type of `field`, made exact.
#[inline]
fn exact<'a>(field: &Field, value: ValueRef<'a>) -> Result<ValueRef<'a>, Error> {
    let float = match value {
        ValueRef::F32(float) => f64::from(float),
        ValueRef::F64(float) => float,
        exact => return Ok(exact),
    };
    let unscaled = decimal_from_f64(float, FLOAT_FIELD_SCALE).ok_or_else(|| {
        let largest = i64::MAX / 10_i64.pow(u32::from(FLOAT_FIELD_SCALE));
        Error::mismatch(
            field.name.as_str(),
            format!("a finite {} within ±{largest}", field.data_type),
            float.to_string(),
        )
    })?;
    Ok(ValueRef::Decimal(unscaled, FLOAT_FIELD_SCALE))
}

#[cfg(test)]
mod tests {
    use model::definition::Definitions;

    use super::*;

    fn stream() -> Stream {
        let text = "[stream.s]\nevent_time = \"ts\"\n[stream.s.fields]\nts = \"timestamp\"\na = \"f64\"\nb = \"f32\"\nc = \"string\"\n";
        let definitions = Definitions::parse("test.toml", text, &Definitions::default());
        definitions.expect("valid").streams.remove(0)
    }

    /// The fields of an event made exact, from its cells and from its row.
    fn exact(a: f64, b: f32) -> Result<String, String> {
        let cells = [
            Cell::Value(ValueRef::Timestamp(1)),
            Cell::Value(ValueRef::F64(a)),
            Cell::Value(ValueRef::F32(b)),
            Cell::Null,
        ];
        let (stream, mut row, mut of_row, mut out) = (stream(), Vec::new(), Vec::new(), Vec::new());
        packed_row::write_row(&mut row, &stream.fields, cells).expect("types match");
        let types: Vec<_> = stream.fields.iter().map(|field| field.data_type).collect();
        let read = exact_row(&stream, (&row, &types), |value| of_row.push(value));
        let fields = exact_fields(&stream, &cells, &mut out);
        assert_eq!(read, fields);
        fields.map_err(|error| error.to_string())?;
        assert_eq!(format!("{of_row:?}"), format!("{out:?}"));
        let shown = out.iter().map(|v| v.map_or("null".to_owned(), |v| v.to_owned().to_string()));
        Ok(shown.collect::<Vec<_>>().join(" "))
    }

    #[test]
    fn a_row_of_a_shorter_stream_has_nulls_at_its_end() {
        let (stream, mut row, mut out) = (stream(), Vec::new(), Vec::new());
        let cells = [Cell::Value(ValueRef::Timestamp(1)), Cell::Null];
        packed_row::write_row(&mut row, &stream.fields[..2], cells).expect("types match");
        let types = [DataType::Timestamp, DataType::F64];
        exact_row(&stream, (&row, &types), |value| out.push(value)).expect("it was written");
        assert_eq!(format!("{out:?}"), "[Some(Timestamp(1)), None, None, None]");
        row.push(0);
        assert!(exact_row(&stream, (&row, &types), |_| ()).is_err(), "a stray byte");
    }

    #[test]
    fn floats_become_decimals_of_six_places() {
        let time = "1970-01-01T00:00:00.001Z";
        assert_eq!(exact(0.1, 0.5), Ok(format!("{time} 0.100000 0.500000 null")));
        // The f32 nearest to 0.1 is 0.10000000149…
        assert_eq!(exact(-1e-7, 0.1), Ok(format!("{time} 0.000000 0.100000 null")));
    }

    #[test]
    fn what_no_decimal_holds_is_refused_with_field_value_and_limit() {
        let allowed = "a finite f64 within ±9223372036854";
        assert_eq!(exact(f64::NAN, 0.0), Err(format!("a: expected {allowed}, got NaN")));
        assert_eq!(exact(1e13, 0.0), Err(format!("a: expected {allowed}, got 10000000000000")));
        let message = exact(0.0, f32::INFINITY).expect_err("infinite");
        assert!(message.contains("b: expected a finite f32"), "{message}");
    }
}
