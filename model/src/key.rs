//! Entity keys as canonical bytes: equal keys have equal bytes, so that keys are hashed and compared in place.
//!
//! ```text
//! one part       string, bytes: as they are | i64: 8 bytes little-endian
//! several parts  each part in order: string, bytes: u16 length + bytes | i64: 8 bytes little-endian
//! ```

use std::fmt;

use stdx::cursor::{Reader, Writer};

use crate::{
    Error,
    limits::{KEY_BYTES_MAX, KEY_PARTS_MAX},
    value::ValueRef,
};

/// What joins the parts of a composite key when people write one.
const PART_SEPARATOR: char = '|';

/// The parts of a composite key as people write it: `\\|` and `\\\\` stand for themselves.
fn split_parts(text: &str) -> Vec<String> {
    let (mut parts, mut characters) = (vec![String::new()], text.chars());
    while let Some(character) = characters.next() {
        let own = match character {
            '\\' => characters.next().unwrap_or('\\'),
            PART_SEPARATOR => {
                parts.push(String::new());
                continue;
            }
            other => other,
        };
        if let Some(part) = parts.last_mut() {
            part.push(own);
        }
    }
    parts
}

/// The type of one part of an entity key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KeyType {
    /// UTF-8 text.
    String,
    /// A 64-bit signed number.
    I64,
    /// Raw bytes; written in hex by people.
    Bytes,
}

impl KeyType {
    /// Reads a key type as written in a definitions file.
    ///
    /// # Errors
    /// [`Error::Invalid`] lists what is allowed.
    pub fn parse(text: &str) -> Result<Self, Error> {
        match text {
            "string" => Ok(Self::String),
            "i64" => Ok(Self::I64),
            "bytes" => Ok(Self::Bytes),
            _ => Err(Error::invalid("key type", text, "one of string, i64, bytes")),
        }
    }

    /// The word of a definitions file.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::String => "string",
            Self::I64 => "i64",
            Self::Bytes => "bytes",
        }
    }

    /// Its byte in codecs.
    #[must_use]
    pub fn code(self) -> u8 {
        match self {
            Self::String => 1,
            Self::I64 => 2,
            Self::Bytes => 3,
        }
    }

    /// The type of [`KeyType::code`].
    #[must_use]
    pub fn from_code(code: u8) -> Option<Self> {
        [Self::String, Self::I64, Self::Bytes].into_iter().find(|kind| kind.code() == code)
    }
}

impl fmt::Display for KeyType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One part of an entity key.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum KeyPart {
    /// See [`KeyType::String`].
    String(Box<str>),
    /// See [`KeyType::I64`].
    I64(i64),
    /// See [`KeyType::Bytes`].
    Bytes(Box<[u8]>),
}

impl KeyPart {
    /// The type it has.
    #[must_use]
    pub fn key_type(&self) -> KeyType {
        match self {
            Self::String(_) => KeyType::String,
            Self::I64(_) => KeyType::I64,
            Self::Bytes(_) => KeyType::Bytes,
        }
    }

    /// Reads a part as people write it: text, a number, or hex for bytes.
    ///
    /// # Errors
    /// [`Error::Invalid`] names the type and how it is written.
    pub fn parse(text: &str, key_type: KeyType) -> Result<Self, Error> {
        match key_type {
            KeyType::String => Ok(Self::String(text.into())),
            KeyType::I64 => text.parse().map(Self::I64).map_err(|_| {
                Error::invalid("i64 key", text, "a whole number from -2^63 to 2^63-1")
            }),
            KeyType::Bytes => parse_hex(text)
                .map(|bytes| Self::Bytes(bytes.into()))
                .ok_or_else(|| Error::invalid("bytes key", text, "an even number of hex digits")),
        }
    }
}

/// The bytes of an even number of hex digits.
#[must_use]
pub fn parse_hex(text: &str) -> Option<Vec<u8>> {
    let digit =
        |byte: &u8| char::from(*byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    if !rest.is_empty() {
        return None;
    }
    pairs.iter().map(|[high, low]| Some(digit(high)? << 4 | digit(low)?)).collect()
}

/// Lower-case hex digits of `bytes`.
#[must_use]
pub fn to_hex(bytes: &[u8]) -> String {
    use fmt::Write as _;
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        // Writing into a string does not fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

impl fmt::Display for KeyPart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::String(text) => f.write_str(text),
            Self::I64(number) => write!(f, "{number}"),
            Self::Bytes(bytes) => bytes.iter().try_for_each(|byte| write!(f, "{byte:02x}")),
        }
    }
}

/// An entity key in canonical bytes.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EntityKey(Box<[u8]>);

impl EntityKey {
    /// Encodes `parts`, which must have the types of `key_types`.
    ///
    /// # Errors
    /// [`Error::Type`] when count or types differ or the key is empty; [`Error::Invalid`] when it is too long.
    pub fn encode(parts: &[KeyPart], key_types: &[KeyType]) -> Result<Self, Error> {
        let given = parts.iter().map(KeyPart::key_type);
        if !given.clone().eq(key_types.iter().copied()) {
            let list = |kinds: Vec<&str>| kinds.join(", ");
            let expected = list(key_types.iter().map(|kind| kind.as_str()).collect());
            return Err(Error::mismatch(
                "entity key",
                expected,
                list(given.map(KeyType::as_str).collect()),
            ));
        }
        let mut bytes = Vec::new();
        let single = parts.len() == 1;
        for part in parts {
            let mut out = Writer::new(&mut bytes);
            match part {
                KeyPart::I64(number) => {
                    out.i64(*number);
                }
                KeyPart::String(text) => write_part(&mut out, text.as_bytes(), single)?,
                KeyPart::Bytes(part) => write_part(&mut out, part, single)?,
            }
        }
        check_length(&bytes)?;
        Ok(Self(bytes.into()))
    }

    /// The key of canonical bytes that [`write_values`] wrote.
    #[must_use]
    pub fn from_written(bytes: &[u8]) -> Self {
        Self(bytes.into())
    }

    /// Reads a key as people write it: its parts as [`KeyPart::parse`] reads them, joined by `|` when there are several.
    ///
    /// # Errors
    /// [`Error::Invalid`] or [`Error::Type`] says how the key is written.
    pub fn parse(text: &str, key_types: &[KeyType]) -> Result<Self, Error> {
        let parts: Vec<_> = match key_types {
            [_] => vec![text.to_owned()],
            _ => split_parts(text),
        };
        if parts.len() != key_types.len() {
            let kinds: Vec<_> = key_types.iter().map(|kind| kind.as_str()).collect();
            let allowed = format!("{} parts ({}) joined by |", kinds.len(), kinds.join("|"));
            return Err(Error::invalid("entity key", text, allowed));
        }
        let part = |(text, kind): (&String, &KeyType)| KeyPart::parse(text, *kind);
        let parts: Vec<_> = parts.iter().zip(key_types).map(part).collect::<Result<_, _>>()?;
        Self::encode(&parts, key_types)
    }

    /// Takes bytes that came from outside, after checking that they are a canonical key of `key_types`.
    ///
    /// # Errors
    /// [`Error::Malformed`] or [`Error::Invalid`] says what is wrong.
    pub fn from_bytes(bytes: &[u8], key_types: &[KeyType]) -> Result<Self, Error> {
        validate(bytes, key_types)?;
        Ok(Self(bytes.into()))
    }

    /// The canonical bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// Writes the canonical bytes of the key whose parts are `values` into `out`, which is cleared first; false when one of them is
/// null, or no value that a key is made of.
///
/// # Errors
/// As [`EntityKey::encode`].
#[inline]
pub fn write_values<'a>(
    out: &mut Vec<u8>,
    values: impl ExactSizeIterator<Item = Option<ValueRef<'a>>> + Clone,
) -> Result<bool, Error> {
    out.clear();
    if values.clone().any(|value| value.is_none()) {
        return Ok(false);
    }
    let single = values.len() == 1;
    for value in values {
        let mut out = Writer::new(out);
        match value {
            Some(ValueRef::I64(number)) => {
                out.i64(number);
            }
            Some(ValueRef::String(text)) => write_part(&mut out, text.as_bytes(), single)?,
            Some(ValueRef::Bytes(part)) => write_part(&mut out, part, single)?,
            _ => return Ok(false),
        }
    }
    check_length(out).map(|()| true)
}

fn write_part(out: &mut Writer<'_>, bytes: &[u8], single: bool) -> Result<(), Error> {
    check_length_of(bytes.len())?;
    if !single {
        out.u16(u16::try_from(bytes.len()).unwrap_or(u16::MAX));
    }
    out.bytes(bytes);
    Ok(())
}

fn check_length(bytes: &[u8]) -> Result<(), Error> {
    if bytes.is_empty() {
        return Err(Error::invalid("entity key", "", "a key must not be empty"));
    }
    check_length_of(bytes.len())
}

fn check_length_of(length: usize) -> Result<(), Error> {
    if length <= KEY_BYTES_MAX {
        return Ok(());
    }
    Err(Error::invalid(
        "entity key",
        format!("{length} bytes"),
        format!("at most {KEY_BYTES_MAX} bytes"),
    ))
}

/// Checks that `bytes` are a canonical key of `key_types`, without copying them.
///
/// # Errors
/// [`Error::Malformed`] or [`Error::Invalid`] says what is wrong.
pub fn validate(bytes: &[u8], key_types: &[KeyType]) -> Result<(), Error> {
    check_length(bytes)?;
    if let [single] = key_types {
        return match single {
            KeyType::I64 if bytes.len() != 8 => {
                Err(Error::Malformed(format!("an i64 key has 8 bytes, got {}", bytes.len())))
            }
            // Most keys are ASCII, which is found out eight bytes at a time.
            KeyType::String if !bytes.is_ascii() && std::str::from_utf8(bytes).is_err() => {
                Err(Error::Malformed("a string key is UTF-8".to_owned()))
            }
            _ => Ok(()),
        };
    }
    decode_parts(bytes, key_types).map(drop)
}

/// The parts of canonical key bytes.
///
/// # Errors
/// [`Error::Malformed`] when the bytes are not a key of `key_types`.
pub fn decode_parts(bytes: &[u8], key_types: &[KeyType]) -> Result<Vec<KeyPart>, Error> {
    let mut input = Reader::new(bytes);
    let single = key_types.len() == 1;
    let mut parts = Vec::with_capacity(key_types.len().min(KEY_PARTS_MAX));
    for kind in key_types {
        if *kind == KeyType::I64 {
            parts.push(KeyPart::I64(input.i64()?));
            continue;
        }
        let part = if single {
            input.rest()
        } else {
            let length = input.u16()?;
            input.bytes(usize::from(length))?
        };
        parts.push(if *kind == KeyType::Bytes {
            KeyPart::Bytes(part.into())
        } else {
            let text = std::str::from_utf8(part)
                .map_err(|_| Error::Malformed("a string key is UTF-8".to_owned()))?;
            KeyPart::String(text.into())
        });
    }
    if input.is_empty() {
        return Ok(parts);
    }
    Err(Error::Malformed(format!("{} bytes after the key", input.left())))
}

/// How people read canonical key bytes: the parts joined by `|`.
#[must_use]
pub fn format_key(bytes: &[u8], key_types: &[KeyType]) -> String {
    match decode_parts(bytes, key_types) {
        Ok(parts) => {
            let escape =
                |part: &KeyPart| part.to_string().replace('\\', "\\\\").replace('|', "\\|");
            if let [only] = &parts[..] {
                return only.to_string();
            }
            let parts: Vec<_> = parts.iter().map(escape).collect();
            parts.join(&PART_SEPARATOR.to_string())
        }
        Err(_) => bytes.iter().map(|byte| format!("{byte:02x}")).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_round_trip_and_composites_do_not_collide() {
        let kinds = [KeyType::String, KeyType::String];
        let key = |a: &str, b: &str| {
            EntityKey::encode(&[KeyPart::String(a.into()), KeyPart::String(b.into())], &kinds)
                .expect("valid")
        };
        assert_ne!(key("ab", "c"), key("a", "bc"));
        assert_eq!(format_key(key("ab", "c").as_bytes(), &kinds), "ab|c");
        assert_eq!(EntityKey::parse("ab|c", &kinds), Ok(key("ab", "c")));
        let piped = key("a|b", "c\\");
        assert_eq!(
            EntityKey::parse(&format_key(piped.as_bytes(), &kinds), &kinds),
            Ok(piped.clone())
        );
        assert!(EntityKey::parse("abc", &kinds).is_err());
        let mut written = Vec::new();
        let values = [Some(ValueRef::String("a|b")), Some(ValueRef::String("c\\"))];
        assert_eq!(write_values(&mut written, values.into_iter()), Ok(true));
        assert_eq!(written, piped.as_bytes());
        assert_eq!(write_values(&mut written, [values[0], None].into_iter()), Ok(false));
        let number = EntityKey::encode(&[KeyPart::I64(-3)], &[KeyType::I64]).expect("valid");
        assert_eq!(decode_parts(number.as_bytes(), &[KeyType::I64]), Ok(vec![KeyPart::I64(-3)]));
    }

    #[test]
    fn wrong_keys_are_refused() {
        assert!(EntityKey::encode(&[KeyPart::I64(1)], &[KeyType::String]).is_err());
        assert!(EntityKey::encode(&[KeyPart::String("".into())], &[KeyType::String]).is_err());
        assert!(
            EntityKey::encode(&[KeyPart::String("x".repeat(513).into())], &[KeyType::String])
                .is_err()
        );
        assert!(validate(&[1, 2, 3], &[KeyType::I64]).is_err());
        assert!(validate(&[0xff], &[KeyType::String]).is_err());
        assert!(validate(&[1, 0, b'a', 9, 0], &[KeyType::String, KeyType::Bytes]).is_err());
        assert!(KeyPart::parse("0g", KeyType::Bytes).is_err());
    }
}
