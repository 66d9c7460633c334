//! Values as served beside values as computed, bit for bit.

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Decimal128Type, Float32Type, Float64Type, Int8Type, Int64Type, TimestampMillisecondType,
};
use arrow_array::{Array, ArrayRef};
use arrow_cast::display::array_value_to_string;
use arrow_schema::DataType as Arrow;

use super::pass::Computed;
use super::report::{Difference, VerifyReport};
use crate::reads::{LoggedReads, ReadLayout};
use crate::{Error, array_of, statuses_as_words};

/// Compares all values of `reads` with those of `computed`, which has their rows one after the other.
///
/// # Errors
/// [`Error::Arrow`] when columns are not what they say they are.
pub(super) fn compare(
    (service, layout): (&str, &ReadLayout),
    reads: &[LoggedReads],
    computed: &Computed,
    report: &mut VerifyReport,
) -> Result<(), Error> {
    for refused in &computed.refused {
        match refused {
            Some(why) => report.skip(*why, 1),
            None => report.reads += 1,
        }
    }
    for (output, column) in computed.columns.iter().enumerate() {
        let (values, statuses) = array_of(column)?;
        let statuses: ArrayRef = std::sync::Arc::new(statuses_as_words(&statuses)?);
        let expected = (&values, &statuses);
        let mut first = 0;
        for batch in reads {
            let logged = batch.output(output);
            for row in 0..batch.len() {
                if computed.refused.get(first + row).copied().flatten().is_some() {
                    continue;
                }
                report.values += 1;
                if is_same((logged, row), (expected, first + row)) {
                    report.equal += 1;
                    continue;
                }
                report.differs(|| {
                    let column = layout.output_name(output).to_owned();
                    let (logged, computed) = shown_apart((logged, row), (expected, first + row))?;
                    Ok::<_, Error>(Difference {
                        service: service.to_owned(),
                        column,
                        key: batch.key_text(layout, row)?,
                        read_at: batch.read_at(row),
                        seen: (0..layout.entity_count()).map(|at| batch.seen(row, at)).collect(),
                        logged,
                        computed,
                        file: batch.path().to_owned(),
                        row: batch.first_row() + row + 1,
                    })
                })?;
            }
            first += batch.len();
        }
    }
    Ok(())
}

/// Values and words of statuses, and a row of them.
type Cell<'a> = ((&'a ArrayRef, &'a ArrayRef), usize);

fn is_same(a: Cell<'_>, b: Cell<'_>) -> bool {
    let (((a_values, a_words), a_row), ((b_values, b_words), b_row)) = (a, b);
    word(a_words, a_row) == word(b_words, b_row)
        && is_same_value((a_values, a_row), (b_values, b_row))
}

fn word(words: &ArrayRef, row: usize) -> Option<&str> {
    let words = words.as_dictionary_opt::<Int8Type>()?;
    let place = words.key(row)?;
    Some(words.values().as_string_opt::<i32>()?.value(place))
}

fn is_same_value((a, a_row): (&ArrayRef, usize), (b, b_row): (&ArrayRef, usize)) -> bool {
    macro_rules! same {
        ($as:ident::<$kind:ty>, $bits:expr) => {
            $bits(a.$as::<$kind>().value(a_row)) == $bits(b.$as::<$kind>().value(b_row))
        };
    }
    if a.data_type() != b.data_type() || a.is_null(a_row) || b.is_null(b_row) {
        return a.data_type() == b.data_type() && a.is_null(a_row) == b.is_null(b_row);
    }
    match a.data_type() {
        Arrow::Boolean => a.as_boolean().value(a_row) == b.as_boolean().value(b_row),
        Arrow::Int64 => same!(as_primitive::<Int64Type>, std::convert::identity),
        // Also what is no number, and zeros of either sign.
        Arrow::Float32 => same!(as_primitive::<Float32Type>, f32::to_bits),
        Arrow::Float64 => same!(as_primitive::<Float64Type>, f64::to_bits),
        Arrow::Utf8 => same!(as_string::<i32>, str::as_bytes),
        Arrow::Binary => same!(as_binary::<i32>, <[u8]>::to_vec),
        Arrow::Timestamp(..) => {
            same!(as_primitive::<TimestampMillisecondType>, std::convert::identity)
        }
        Arrow::Decimal128(..) => same!(as_primitive::<Decimal128Type>, std::convert::identity),
        Arrow::FixedSizeList(..) => {
            let bits = |list: &ArrayRef, row: usize| -> Vec<Option<u32>> {
                let floats = list.as_fixed_size_list().value(row);
                let floats = floats.as_primitive::<Float32Type>().iter();
                floats.map(|float| float.map(f32::to_bits)).collect()
            };
            bits(a, a_row) == bits(b, b_row)
        }
        // No type of a feature.
        _ => false,
    }
}

/// Both as text. What reads the same is not: then with the bits.
fn shown_apart(a: Cell<'_>, b: Cell<'_>) -> Result<(String, String), Error> {
    let (a_text, b_text) = (shown(a)?, shown(b)?);
    if a_text != b_text {
        return Ok((a_text, b_text));
    }
    let with_bits = |text: String, ((values, _), row): Cell<'_>| match values.data_type() {
        Arrow::Float64 => {
            format!("{text} (0x{:016x})", values.as_primitive::<Float64Type>().value(row).to_bits())
        }
        Arrow::Float32 => {
            format!("{text} (0x{:08x})", values.as_primitive::<Float32Type>().value(row).to_bits())
        }
        _ => text,
    };
    Ok((with_bits(a_text, a), with_bits(b_text, b)))
}

/// `PRESENT 12.50`, `NULL`.
fn shown(((values, words), row): Cell<'_>) -> Result<String, Error> {
    let status = word(words, row).unwrap_or("?");
    if values.is_null(row) {
        return Ok(status.to_owned());
    }
    Ok(format!("{status} {}", array_value_to_string(values, row)?))
}
