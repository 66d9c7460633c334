//! Entity keys as columns: one for a simple key, one for each part of a composite one.
//!
//! | key | columns |
//! |---|---|
//! | `[entity.card] key = "string"` | `card` |
//! | `[entity.pair] key = ["string", "i64"]` | `pair_1`, `pair_2` |

use std::sync::Arc;

use arrow_array::builder::{BinaryBuilder, StringBuilder};
use arrow_array::{ArrayRef, Int64Array};
use arrow_schema::DataType as Arrow;
use model::definition::Entity;
use model::key::{KeyPart, KeyType, decode_parts};

use crate::Error;

/// The columns that carry keys of `entity`: name and type, part by part.
#[must_use]
pub fn key_columns(entity: &Entity) -> Vec<(String, KeyType)> {
    match entity.key.as_slice() {
        [single] => vec![(entity.name.to_string(), *single)],
        parts => {
            let named = parts.iter().zip(1..);
            named.map(|(kind, number)| (format!("{}_{number}", entity.name), *kind)).collect()
        }
    }
}

/// How parts of this type are written.
#[must_use]
pub fn arrow_key_type(kind: KeyType) -> Arrow {
    match kind {
        KeyType::String => Arrow::Utf8,
        KeyType::I64 => Arrow::Int64,
        KeyType::Bytes => Arrow::Binary,
    }
}

/// Canonical keys as columns, one for each part.
///
/// # Errors
/// [`Error::Model`] when a key is not one of `kinds`.
pub fn arrays_of_keys(keys: &[Box<[u8]>], kinds: &[KeyType]) -> Result<Vec<ArrayRef>, Error> {
    let mut columns: Vec<_> = kinds.iter().map(|kind| Part::new(*kind, keys.len())).collect();
    for key in keys {
        for (column, part) in columns.iter_mut().zip(decode_parts(key, kinds)?) {
            column.push(part);
        }
    }
    Ok(columns.into_iter().map(Part::finish).collect())
}

/// A column under construction.
enum Part {
    String(StringBuilder),
    I64(Vec<i64>),
    Bytes(BinaryBuilder),
}

impl Part {
    fn new(kind: KeyType, rows: usize) -> Self {
        match kind {
            KeyType::String => Self::String(StringBuilder::with_capacity(rows, 16 * rows)),
            KeyType::I64 => Self::I64(Vec::with_capacity(rows)),
            KeyType::Bytes => Self::Bytes(BinaryBuilder::with_capacity(rows, 16 * rows)),
        }
    }

    /// Adds a part of the column's type.
    fn push(&mut self, part: KeyPart) {
        match (self, part) {
            (Self::String(column), KeyPart::String(text)) => column.append_value(text),
            (Self::I64(column), KeyPart::I64(number)) => column.push(number),
            (Self::Bytes(column), KeyPart::Bytes(bytes)) => column.append_value(bytes),
            _ => debug_assert!(false, "parts are decoded by the types of the columns"),
        }
    }

    fn finish(self) -> ArrayRef {
        match self {
            Self::String(mut column) => Arc::new(column.finish()),
            Self::I64(column) => Arc::new(Int64Array::from(column)),
            Self::Bytes(mut column) => Arc::new(column.finish()),
        }
    }
}

#[cfg(test)]
mod tests {
    use arrow_array::cast::AsArray;
    use arrow_array::types::Int64Type;
    use model::key::EntityKey;

    use super::*;

    #[test]
    fn parts_of_a_composite_key_are_columns() {
        let kinds = [KeyType::String, KeyType::I64, KeyType::Bytes];
        let key = |text| EntityKey::parse(text, &kinds).expect("a key").as_bytes().into();
        let columns = arrays_of_keys(&[key("a|7|00ff"), key("née|-1|")], &kinds).expect("keys");
        assert_eq!(columns[0].as_string::<i32>().value(1), "née");
        assert_eq!(columns[1].as_primitive::<Int64Type>().values().as_ref(), [7, -1]);
        assert_eq!(columns[2].as_binary::<i32>().value(0), [0, 255]);
        assert!(arrays_of_keys(&[b"x".as_slice().into()], &kinds).is_err());
    }
}
