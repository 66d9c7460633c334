//! The catalog's log record: which definitions became valid, when. The only bytes encoded with bincode.
//!
//! bincode is unmaintained (RUSTSEC-2025-0141), hence pinned, used for this one cold record, and fed only with bytes
//! whose 64-bit checksum the log has verified. `deny.toml` repeats the reason.

use bincode::{Decode, Encode};

use crate::Error;

/// One version of the definitions, as text: what was applied can be read again by any later release.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub(crate) struct CatalogRecord {
    /// 1, 2, 3, …
    pub(crate) version: u64,
    /// Wall clock of the server, in ms.
    pub(crate) applied_at_ms: i64,
    /// Name of the file, for messages.
    pub(crate) file: String,
    /// The file's text.
    pub(crate) text: String,
}

/// Strings in a record are bounded by the definitions file's limit, with room for the names around it.
const DECODE_BYTES_MAX: usize = 2 * model::limits::DEFINITIONS_BYTES_MAX;

impl CatalogRecord {
    /// The record as bytes.
    ///
    /// # Errors
    /// [`Error::Internal`]; encoding to memory does not fail in practice.
    pub(crate) fn encode(&self) -> Result<Vec<u8>, Error> {
        let config = bincode::config::standard();
        bincode::encode_to_vec(self, config).map_err(|error| Error::Internal(error.to_string()))
    }

    /// The record of bytes that the log has verified.
    ///
    /// # Errors
    /// [`Error::Format`] when they are no catalog record of a version this release knows.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, Error> {
        let config = bincode::config::standard().with_limit::<DECODE_BYTES_MAX>();
        match bincode::decode_from_slice(bytes, config) {
            Ok((record, read)) if read == bytes.len() => Ok(record),
            Ok((_, read)) => {
                Err(Error::Format(format!("{} bytes after a catalog record", bytes.len() - read)))
            }
            Err(error) => Err(Error::Format(format!("catalog record: {error}"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_round_trip_and_the_bytes_are_pinned() {
        let record =
            CatalogRecord { version: 3, applied_at_ms: -1, file: "f".into(), text: "x = 1".into() };
        let bytes = record.encode().expect("encodes");
        assert_eq!(bytes, [3, 1, 1, b'f', 5, b'x', b' ', b'=', b' ', b'1']);
        assert_eq!(CatalogRecord::decode(&bytes).expect("decodes"), record);
        assert!(CatalogRecord::decode(&bytes[..5]).is_err());
        assert!(CatalogRecord::decode(&[&bytes[..], &[0]].concat()).is_err());
    }
}
