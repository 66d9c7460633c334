//! Tokens: 256 random bits, shown once, kept as their SHA-256.
//!
//! A fast hash suffices: whoever has the policy file would have to guess 256 random bits, not a password, and no number of guesses a
//! second gets anywhere. What was shown once cannot be had from the file.

use model::{
    key::{parse_hex, to_hex},
    limits::{TOKEN_BYTES_MAX, TOKEN_BYTES_MIN},
};
use sha2::{Digest as _, Sha256};
use subtle::{Choice, ConstantTimeEq};

/// What tokens begin with, so that a scanner for secrets knows one when it sees it.
const PREFIX: &str = "larder_";

/// SHA-256 of a token.
#[derive(Clone, Copy)]
pub(crate) struct Digest([u8; 32]);

impl Digest {
    /// That of `token`; `None` of what is too short or too long to be one.
    pub(crate) fn of(token: &str) -> Option<Self> {
        let is_long_enough = (TOKEN_BYTES_MIN..=TOKEN_BYTES_MAX).contains(&token.len());
        is_long_enough.then(|| Self(Sha256::digest(token).into()))
    }

    /// Of 64 hexadecimal digits.
    pub(crate) fn from_hex(text: &str) -> Option<Self> {
        let bytes: [u8; 32] = parse_hex(text)?.try_into().ok()?;
        Some(Self(bytes))
    }

    fn to_hex(self) -> String {
        to_hex(&self.0)
    }

    /// Whether both are the same, in a time that does not depend on where they differ.
    pub(crate) fn is(&self, other: &Self) -> Choice {
        self.0.ct_eq(&other.0)
    }
}

/// A token that was made just now.
pub struct NewToken {
    token: String,
}

impl NewToken {
    /// A token of 256 bits from the system's source of randomness.
    ///
    /// # Errors
    /// What the system said, when it has none.
    pub fn generate() -> Result<Self, String> {
        let mut bytes = [0; 32];
        getrandom::fill(&mut bytes).map_err(|error| error.to_string())?;
        Ok(Self { token: format!("{PREFIX}{}", to_hex(&bytes)) })
    }

    /// The token itself: it is to be shown once and kept nowhere.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.token
    }

    /// Its SHA-256 in hexadecimal, for the policy file.
    #[must_use]
    pub fn sha256(&self) -> String {
        Digest::of(&self.token).map_or_else(String::new, Digest::to_hex)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_known_by_its_digest_alone() {
        let token = NewToken::generate().expect("the system has randomness");
        let other = NewToken::generate().expect("the system has randomness");
        let kept = Digest::from_hex(&token.sha256()).expect("64 digits");
        let digest = |token: &NewToken| Digest::of(token.as_str()).expect("long enough");
        assert!(bool::from(kept.is(&digest(&token))) && !bool::from(kept.is(&digest(&other))));
        assert!(!token.sha256().contains(&token.as_str()[PREFIX.len()..]));
    }

    #[test]
    fn the_digest_is_sha_256_of_the_whole_token() {
        let token = "x".repeat(43);
        let hex = Digest::of(&token).expect("long enough").to_hex();
        assert_eq!(hex.len(), 64);
        assert!(Digest::of("password").is_none(), "what can be guessed is no token");
        assert!(Digest::of(&"x".repeat(257)).is_none());
        for wrong in ["", "00", &"g".repeat(64), &"0".repeat(65), &"é".repeat(32)] {
            assert!(Digest::from_hex(wrong).is_none(), "{wrong}");
        }
    }
}
