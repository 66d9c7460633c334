//! From the fields of an event as received to exact ones: floats become decimals, once, here.
//!
//! Everything behind this line (filters, inputs, window state) computes with integers, so that a value cannot depend on the
//! order of additions.

use model::{
    Error, definition::Stream, limits::FLOAT_FIELD_SCALE, packed_row::Cell, value::ValueRef,
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
        let float = match value {
            ValueRef::F32(float) => f64::from(float),
            ValueRef::F64(float) => float,
            exact => {
                out.push(Some(exact));
                continue;
            }
        };
        let unscaled = decimal_from_f64(float, FLOAT_FIELD_SCALE).ok_or_else(|| {
            let largest = i64::MAX / 10_i64.pow(u32::from(FLOAT_FIELD_SCALE));
            Error::mismatch(
                field.name.as_str(),
                format!("a finite {} within ±{largest}", field.data_type),
                float.to_string(),
            )
        })?;
        out.push(Some(ValueRef::Decimal(unscaled, FLOAT_FIELD_SCALE)));
    }
    Ok(())
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

    fn exact(a: f64, b: f32) -> Result<String, String> {
        let cells = [
            Cell::Value(ValueRef::Timestamp(1)),
            Cell::Value(ValueRef::F64(a)),
            Cell::Value(ValueRef::F32(b)),
            Cell::Null,
        ];
        let mut out = Vec::new();
        exact_fields(&stream(), &cells, &mut out).map_err(|error| error.to_string())?;
        let shown = out.iter().map(|v| v.map_or("null".to_owned(), |v| v.to_owned().to_string()));
        Ok(shown.collect::<Vec<_>>().join(" "))
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
