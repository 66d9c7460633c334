//! Validated names of entities, streams, groups, features, fields and services.

use std::fmt;
use std::sync::Arc;

use crate::{Error, limits::NAME_BYTES_MAX};

/// A name: 1 to [`NAME_BYTES_MAX`] bytes of `a-z 0-9 _`, starting with a letter or `_`. Cheap to clone.
///
/// Without `:` `.` and `-`, so that `group:feature` and `group.feature` need no quoting, in references or in SQL.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Name(Arc<str>);

impl Name {
    /// Validates `text`.
    ///
    /// # Errors
    /// [`Error::Invalid`] says what a name may contain.
    pub fn new(text: &str) -> Result<Self, Error> {
        let mut bytes = text.bytes();
        let head = matches!(bytes.next(), Some(b'a'..=b'z' | b'_'));
        let tail = bytes.all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_'));
        if head && tail && text.len() <= NAME_BYTES_MAX {
            return Ok(Self(text.into()));
        }
        let allowed = format!(
            "a name has 1 to {NAME_BYTES_MAX} characters of a-z, 0-9 and _, and starts with a letter or _"
        );
        Err(Error::invalid("name", text, allowed))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl AsRef<str> for Name {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl std::borrow::Borrow<str> for Name {
    fn borrow(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_lower_case_words() {
        for good in ["a", "card_spend", "_x1", "fraud_v3"] {
            assert_eq!(Name::new(good).map(|name| name.to_string()), Ok(good.to_owned()));
        }
        for bad in ["", "1a", "Card", "a-b", "a:b", "a.b", "a b", "é", &"x".repeat(129)] {
            let message = Name::new(bad).expect_err(bad).to_string();
            assert!(message.contains("a-z, 0-9 and _"), "{message}");
        }
    }
}
