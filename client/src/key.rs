//! Entity keys as callers have them: text, a number, bytes, the parts of a composite key, or canonical already.

use model::{
    Error,
    key::{EntityKey, KeyPart, KeyType},
};

/// A key on its way to its canonical bytes. Text fits every key type, written as `larder get --key` takes it: the parts of
/// a composite key joined by `|`, bytes in hex.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Key {
    /// As people write it.
    Text(String),
    /// A number.
    I64(i64),
    /// Raw bytes.
    Bytes(Vec<u8>),
    /// The parts of a composite key.
    Parts(Vec<KeyPart>),
    /// Canonical bytes.
    Encoded(EntityKey),
}

impl Key {
    /// The canonical bytes under `key_types`.
    pub(crate) fn encode(self, key_types: &[KeyType]) -> Result<EntityKey, Error> {
        match self {
            Self::Text(text) => EntityKey::parse(&text, key_types),
            Self::I64(number) => EntityKey::encode(&[KeyPart::I64(number)], key_types),
            Self::Bytes(bytes) => EntityKey::encode(&[KeyPart::Bytes(bytes.into())], key_types),
            Self::Parts(parts) => EntityKey::encode(&parts, key_types),
            Self::Encoded(key) => EntityKey::from_bytes(key.as_bytes(), key_types),
        }
    }
}

macro_rules! key_from {
    ($($kind:ty => |$value:ident| $key:expr),* $(,)?) => {$(
        impl From<$kind> for Key {
            fn from($value: $kind) -> Self {
                $key
            }
        }
    )*};
}

key_from! {
    &str => |text| Self::Text(text.to_owned()),
    &String => |text| Self::Text(text.clone()),
    String => |text| Self::Text(text),
    i64 => |number| Self::I64(number),
    i32 => |number| Self::I64(number.into()),
    u32 => |number| Self::I64(number.into()),
    &[u8] => |bytes| Self::Bytes(bytes.to_vec()),
    Vec<u8> => |bytes| Self::Bytes(bytes),
    Vec<KeyPart> => |parts| Self::Parts(parts),
    EntityKey => |key| Self::Encoded(key),
    &EntityKey => |key| Self::Encoded(key.clone()),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_to_write_a_key_gives_the_same_bytes() {
        let composite = [KeyType::String, KeyType::I64];
        let parts = vec![KeyPart::String("a".into()), KeyPart::I64(5)];
        let from_parts = Key::from(parts).encode(&composite).expect("types match");
        assert_eq!(Key::from("a|5").encode(&composite), Ok(from_parts.clone()));
        assert_eq!(Key::from(&from_parts).encode(&composite), Ok(from_parts));
        assert_eq!(Key::from("7").encode(&[KeyType::I64]), Key::from(7).encode(&[KeyType::I64]));
        let bytes = Key::from(&[0xab_u8][..]).encode(&[KeyType::Bytes]);
        assert_eq!(Key::from("ab").encode(&[KeyType::Bytes]), bytes);
        assert!(Key::from(7).encode(&[KeyType::String]).is_err(), "a number is no text");
    }
}
