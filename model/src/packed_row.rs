//! A row of a group or an event of a stream as bytes; log and wire share it.
//!
//! ```text
//! states   2 bits a field, lowest bits first, ceil(n/4) bytes: 0 absent, 1 null, 2 value
//! values   the fields in state 2, in field order, each packed as `packed` says
//! ```
//!
//! Absent is not null: a put leaves absent features as they are. In an event both mean null.

use stdx::cursor::{Reader, Writer};

use crate::{
    Error,
    definition::Field,
    packed,
    value::{DataType, ValueRef},
};

/// One field of a packed row.
#[derive(Debug, Clone, Copy)]
pub enum Cell<'a> {
    /// Not given.
    Absent,
    /// Given as null.
    Null,
    /// Given.
    Value(ValueRef<'a>),
}

impl<'a> Cell<'a> {
    /// The value, when one is given.
    #[must_use]
    pub fn value(self) -> Option<ValueRef<'a>> {
        match self {
            Self::Value(value) => Some(value),
            Self::Absent | Self::Null => None,
        }
    }
}

/// Appends a row of `fields` to `out`: one cell for each field, in order; cells that are missing at the end are absent.
///
/// # Errors
/// [`Error::Type`] names a field whose value has another type. `out` then holds part of a row.
pub fn write_row<'a>(
    out: &mut Vec<u8>,
    fields: &[Field],
    cells: impl IntoIterator<Item = Cell<'a>>,
) -> Result<(), Error> {
    let start = out.len();
    out.resize(start + fields.len().div_ceil(4), 0);
    for (index, (field, cell)) in fields.iter().zip(cells).enumerate() {
        let state: u8 = match cell {
            Cell::Absent => continue,
            Cell::Null => 1,
            Cell::Value(value) => {
                if value.data_type() != field.data_type {
                    let got = value.data_type().to_string();
                    return Err(Error::mismatch(
                        field.name.as_str(),
                        field.data_type.to_string(),
                        got,
                    ));
                }
                packed::write_value(&mut Writer::new(out), value);
                2
            }
        };
        if let Some(byte) = out.get_mut(start + index / 4) {
            *byte |= state << (index % 4 * 2);
        }
    }
    Ok(())
}

/// Reads the cells of one row, in place, and checks that nothing follows.
///
/// `types` are those the writer knew: whoever stores or sends a row says beside it how many that were, because a schema may
/// have grown at its end since.
///
/// # Errors
/// [`Error::Malformed`] says where and why.
pub fn read_row<'a>(bytes: &'a [u8], types: &[DataType]) -> Result<Vec<Cell<'a>>, Error> {
    let mut cells = Vec::with_capacity(types.len());
    read_row_into(bytes, types, &mut cells)?;
    Ok(cells)
}

/// As [`read_row`], into a buffer that is cleared first.
///
/// # Errors
/// As [`read_row`].
pub fn read_row_into<'a>(
    bytes: &'a [u8],
    types: &[DataType],
    cells: &mut Vec<Cell<'a>>,
) -> Result<(), Error> {
    cells.clear();
    for_each_cell(bytes, types, |cell| {
        cells.push(cell);
        Ok(())
    })
}

/// Gives `each` the cells of one row, in order, as they are read.
///
/// # Errors
/// As [`read_row`], though only once the cells before were given, and those of `each`.
#[inline]
pub fn for_each_cell<'a>(
    bytes: &'a [u8],
    types: &[DataType],
    mut each: impl FnMut(Cell<'a>) -> Result<(), Error>,
) -> Result<(), Error> {
    let mut input = Reader::new(bytes);
    let states = input.bytes(types.len().div_ceil(4))?;
    for (index, data_type) in types.iter().enumerate() {
        let state = states.get(index / 4).map_or(0, |byte| byte >> (index % 4 * 2) & 3);
        let cell = match state {
            0 => Cell::Absent,
            1 => Cell::Null,
            2 => Cell::Value(packed::read_value(&mut input, *data_type)?),
            _ => return Err(Error::Malformed(format!("field {index} has state 3"))),
        };
        each(cell)?;
    }
    if input.is_empty() {
        return Ok(());
    }
    Err(Error::Malformed(format!("{} bytes after the last field", input.left())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::name::Name;

    fn fields(types: &[DataType]) -> Vec<Field> {
        let field = |(i, data_type): (usize, &DataType)| Field {
            name: Name::new(&format!("f{i}")).expect("valid"),
            data_type: *data_type,
        };
        types.iter().enumerate().map(field).collect()
    }

    #[test]
    fn absent_null_and_value_stay_apart() {
        let types = [DataType::I64, DataType::String, DataType::F64, DataType::Bool, DataType::I64];
        let mut bytes = Vec::new();
        let cells = [
            Cell::Value(ValueRef::I64(5)),
            Cell::Null,
            Cell::Absent,
            Cell::Value(ValueRef::Bool(true)),
        ];
        write_row(&mut bytes, &fields(&types), cells).expect("types match");
        assert_eq!(bytes.len(), 2 + 8 + 1);
        let read = read_row(&bytes, &types).expect("it was written");
        assert!(matches!(
            read[..],
            [
                Cell::Value(ValueRef::I64(5)),
                Cell::Null,
                Cell::Absent,
                Cell::Value(ValueRef::Bool(true)),
                Cell::Absent
            ]
        ));
    }

    #[test]
    fn wrong_types_and_stray_bytes_are_refused() {
        let types = [DataType::I64];
        let error = write_row(&mut Vec::new(), &fields(&types), [Cell::Value(ValueRef::F64(1.0))]);
        assert_eq!(error, Err(Error::mismatch("f0", "i64", "f64")));
        assert!(read_row(&[1, 0], &types).is_err(), "a stray byte");
        assert!(read_row(&[3], &types).is_err(), "an unknown state");
        assert!(read_row(&[2, 1], &types).is_err(), "a short value");
    }
}
