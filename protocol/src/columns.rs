//! Columns of a reply: the hot part of the wire, without names or types (both are known since `prepare`).
//!
//! ```text
//! status   columns × rows u8, column by column                                   then zeros to a multiple of 8
//! for each column, in order
//!   fixed types      values[rows · width]                                        then zeros to a multiple of 8
//!   string, bytes    ends[rows] u32, cumulative    data                          then zeros to a multiple of 8
//! ```
//!
//! Multiples of 8 are counted from the start of the body, which is itself 24 bytes into the frame: whoever receives a frame
//! at an aligned address can use the values where they lie.

use model::{
    column::Column,
    columns::Columns,
    limits::{FEATURES_PER_GROUP_MAX, FEATURES_PER_SERVICE_MAX},
    value::DataType,
};
use stdx::cursor::{OutOfBytes, Reader, Writer};

use crate::Error;

/// Most columns of one reply.
pub(crate) const COLUMNS_MAX: usize = if FEATURES_PER_GROUP_MAX > FEATURES_PER_SERVICE_MAX {
    FEATURES_PER_GROUP_MAX
} else {
    FEATURES_PER_SERVICE_MAX
};

/// Appends `columns`, all of the same length. `body` is where the body starts in `out`.
pub(crate) fn encode(out: &mut Writer<'_>, body: usize, columns: &[Column]) {
    for column in columns {
        out.bytes(column.statuses());
    }
    pad(out, body);
    for column in columns {
        column.ends().iter().fold(&mut *out, |out, end| out.u32(*end));
        out.bytes(column.data());
        pad(out, body);
    }
}

/// Appends all `columns` of a reply: what [`encode`] appends for the same columns one by one.
pub(crate) fn encode_all(out: &mut Writer<'_>, body: usize, columns: &Columns) {
    out.bytes(columns.statuses());
    pad(out, body);
    if columns.is_fixed() {
        // They lie as they leave.
        out.bytes(columns.cells());
        return;
    }
    for column in columns.iter() {
        column.ends().iter().fold(&mut *out, |out, end| out.u32(*end));
        out.bytes(column.data());
        pad(out, body);
    }
}

/// Reads `rows` rows of columns with these types, in one piece.
pub(crate) fn decode_all(
    input: &mut Reader<'_>,
    rows: usize,
    types: &[DataType],
) -> Result<Columns, Error> {
    // Counts above the bytes that are there fail here, before anything is allocated for them.
    let statuses = input.bytes(product(rows, types.len())?)?;
    skip_padding(input)?;
    // So do widths: a vector of a thousand floats stands behind one byte of status.
    let width = types.iter().map(|data_type| data_type.fixed_bytes().unwrap_or(0)).sum();
    let needed = product(rows, width)?;
    if needed > input.left() {
        return Err(OutOfBytes { offset: input.offset(), needed, left: input.left() }.into());
    }
    let mut columns = Columns::default();
    columns.reset(types.iter().copied(), rows);
    columns.receive_statuses(statuses)?;
    let mut ends = Vec::new();
    for (index, data_type) in types.iter().enumerate() {
        let data = values(input, rows, *data_type, &mut ends)?;
        columns.receive(index, &ends, data)?;
        skip_padding(input)?;
    }
    Ok(columns)
}

/// Reads `rows` rows of columns with these types.
pub(crate) fn decode(
    input: &mut Reader<'_>,
    rows: usize,
    types: &[DataType],
) -> Result<Vec<Column>, Error> {
    // Counts above the bytes that are there fail here, before anything is allocated for them.
    let statuses = input.bytes(product(rows, types.len())?)?;
    skip_padding(input)?;
    let mut columns = Vec::with_capacity(types.len());
    let mut ends = Vec::new();
    for (index, data_type) in types.iter().enumerate() {
        let statuses = statuses.get(index * rows..(index + 1) * rows).unwrap_or_default();
        let data = values(input, rows, *data_type, &mut ends)?;
        columns.push(Column::from_parts(*data_type, statuses, &ends, data)?);
        skip_padding(input)?;
    }
    Ok(columns)
}

/// Reads the values of one column: their ends, for a variable type, and their bytes.
fn values<'a>(
    input: &mut Reader<'a>,
    rows: usize,
    data_type: DataType,
    ends: &mut Vec<u32>,
) -> Result<&'a [u8], Error> {
    ends.clear();
    let bytes = match data_type.fixed_bytes() {
        Some(width) => product(rows, width)?,
        None => {
            let (words, _) = input.bytes(product(rows, 4)?)?.as_chunks::<4>();
            ends.extend(words.iter().map(|word| u32::from_le_bytes(*word)));
            ends.last().map_or(0, |end| *end as usize)
        }
    };
    Ok(input.bytes(bytes)?)
}

/// Appends i64 numbers as they are.
pub(crate) fn encode_times(out: &mut Writer<'_>, times: &[i64]) {
    times.iter().fold(out, |out, time| out.i64(*time));
}

/// Reads `count` i64 numbers.
pub(crate) fn decode_times(input: &mut Reader<'_>, count: usize) -> Result<Vec<i64>, Error> {
    let (words, _) = input.bytes(product(count, 8)?)?.as_chunks::<8>();
    Ok(words.iter().map(|word| i64::from_le_bytes(*word)).collect())
}

/// Checks that the number of columns in a reply is what `prepare` said.
pub(crate) fn check_count(count: usize, types: &[DataType]) -> Result<(), Error> {
    if count == types.len() {
        return Ok(());
    }
    Err(Error::Malformed(format!("{count} columns, prepared were {}", types.len())))
}

fn product(count: usize, width: usize) -> Result<usize, Error> {
    count.checked_mul(width).ok_or_else(|| Error::Malformed(format!("{count} × {width} bytes")))
}

/// Appends zeros up to a multiple of 8 from the start of the body.
pub(crate) fn pad(out: &mut Writer<'_>, body: usize) {
    let used = (out.position() - body) % 8;
    if used != 0 {
        out.bytes([0_u8; 8].get(used..).unwrap_or_default());
    }
}

/// Skips zeros up to a multiple of 8.
pub(crate) fn skip_padding(input: &mut Reader<'_>) -> Result<(), Error> {
    let used = input.offset() % 8;
    let padding = if used == 0 { &[] } else { input.bytes(8 - used)? };
    if padding.iter().all(|byte| *byte == 0) {
        return Ok(());
    }
    Err(Error::Malformed("padding is zero".to_owned()))
}
