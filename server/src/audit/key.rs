//! The deployment's key: under it keys of entities become hashes, which who holds the key can find again and nobody else can guess.

use std::path::Path;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::line::hex;
use crate::{Error, read_at_most::read_at_most};

/// Fewer bytes can be guessed.
const KEY_BYTES_MIN: usize = 32;
/// A key file is no larger.
const KEY_BYTES_MAX: usize = 4096;
/// Bytes of a hash that are told: no two keys of one deployment share them.
const HASH_BYTES: usize = 16;

/// See the module.
#[derive(Clone)]
pub struct DeploymentKey(Hmac<Sha256>);

impl std::fmt::Debug for DeploymentKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("DeploymentKey")
    }
}

impl DeploymentKey {
    /// The key in `path`: 32 bytes or more, the newline at the end does not count.
    ///
    /// # Errors
    /// [`Error::Audit`] names the file and what is allowed.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let failed = |what: String| {
            let how = "make one with: head -c 32 /dev/urandom | base64 > FILE";
            Error::Audit(format!("{}: {what}; {how}", path.display()))
        };
        let bytes = read_at_most(path, KEY_BYTES_MAX)
            .map_err(|error| failed(format!("the key for hashes cannot be read: {error}")))?;
        let bytes = bytes.trim_ascii_end();
        if bytes.len() < KEY_BYTES_MIN {
            let length = bytes.len();
            return Err(failed(format!(
                "a key of {length} bytes can be guessed, {KEY_BYTES_MIN} are the least"
            )));
        }
        Ok(Self::of(bytes))
    }

    /// The key with these bytes.
    pub(super) fn of(bytes: &[u8]) -> Self {
        // Keys of every length are taken.
        let Ok(mac) = Hmac::new_from_slice(bytes) else { unreachable!("HMAC takes every key") };
        Self(mac)
    }

    /// HMAC-SHA-256 of the entity's name, a zero byte and its canonical key: the first 16 bytes, in hexadecimal. The same key of
    /// two entities has two hashes.
    #[must_use]
    pub fn hash(&self, entity: &str, key: &[u8]) -> String {
        let mut mac = self.0.clone();
        mac.update(entity.as_bytes());
        mac.update(&[0]);
        mac.update(key);
        let whole: [u8; 32] = mac.finalize().into_bytes().into();
        hex(whole.get(..HASH_BYTES).unwrap_or(&whole))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::file;

    #[test]
    fn the_hash_is_hmac_sha_256() {
        // RFC 4231, test case 2, has no place for the name and its zero byte: an independent computation of
        // HMAC-SHA-256("k" * 32, "card\x00" "42"), first 16 bytes.
        let key = DeploymentKey::of(&[b'k'; 32]);
        assert_eq!(key.hash("card", b"42"), "ad5dffbaa0d42aa7de2bf588af28bb4e");
        assert_ne!(key.hash("card", b"42"), key.hash("user", b"42"));
        assert_ne!(key.hash("card", b"42"), DeploymentKey::of(&[b'l'; 32]).hash("card", b"42"));
    }

    #[test]
    fn a_key_that_can_be_guessed_is_refused() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("key");
        let store = |text: &[u8]| file::replace(&path, text).expect("it is written");
        store(b"short\n");
        let error = DeploymentKey::read(&path).expect_err("short").to_string();
        assert!(error.contains("5 bytes") && error.contains("urandom"), "{error}");
        store(&[b'k'; 33]);
        assert!(DeploymentKey::read(&path).is_ok());
        store(&[b'k'; 5000]);
        assert!(DeploymentKey::read(&path).is_err());
        let error = DeploymentKey::read(&directory.path().join("none")).expect_err("none");
        assert!(error.to_string().contains("none"), "{error}");
    }
}
