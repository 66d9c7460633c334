//! Checkpoint: all of memory into a snapshot, while the server goes on; and, if asked, a copy of everything beside it.
//!
//! ```text
//! request    backup bool, name text (empty without a backup)
//! reply      snapshot number u64, lsn u64, entities u64, bytes u64, took ms u64 (0: nothing new), segments removed u64,
//!            backup text: path on the server's machine, empty without a backup
//! ```
//!
//! A client names a backup, never a path: where backups lie is the server's business.

use model::limits::BACKUP_NAME_BYTES_MAX;
use stdx::cursor::{Reader, Writer};

use crate::{Error, checked};

/// See the module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckpointRequest<'a> {
    /// Name of the backup to make: see [`is_backup_name`].
    pub backup: Option<&'a str>,
}

impl<'a> CheckpointRequest<'a> {
    /// Appends the body.
    pub fn encode(&self, out: &mut Writer<'_>) {
        out.u8(u8::from(self.backup.is_some())).block(self.backup.unwrap_or_default().as_bytes());
    }

    /// Reads a body.
    ///
    /// # Errors
    /// [`Error::Truncated`], or [`Error::Malformed`], also for a name that is none.
    pub fn decode(body: &'a [u8]) -> Result<Self, Error> {
        let mut input = Reader::new(body);
        let (named, name) = (checked::boolean(&mut input)?, checked::text(&mut input)?);
        checked::end(&input)?;
        match (named, name) {
            (false, "") => Ok(Self { backup: None }),
            (false, _) => {
                Err(Error::Malformed("a checkpoint without a backup has an empty name".to_owned()))
            }
            (true, name) if is_backup_name(name) => Ok(Self { backup: Some(name) }),
            // What is no name is not repeated: it may be long, and it may be anything.
            (true, _) => Err(Error::Malformed(format!(
                "a backup's name has 1 to {BACKUP_NAME_BYTES_MAX} of A-Z, a-z, 0-9, _ and -"
            ))),
        }
    }
}

/// True for 1 to [`BACKUP_NAME_BYTES_MAX`] ASCII letters, digits, `_` and `-`: nothing that could lead out of a directory.
#[must_use]
pub fn is_backup_name(name: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    (1..=BACKUP_NAME_BYTES_MAX).contains(&name.len()) && name.bytes().all(is_allowed)
}

/// See the module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckpointReply {
    /// Number of the snapshot.
    pub number: u64,
    /// Every record of the log up to this one is in it.
    pub lsn: u64,
    /// Entities of all groups.
    pub entities: u64,
    /// Length of the snapshot.
    pub bytes: u64,
    /// From start to end, without the copy of a backup. 0: nothing was written since the snapshot, so that there is no other.
    pub took_ms: u64,
    /// Segments of the log that were no longer needed.
    pub segments_removed: u64,
    /// Where the backup lies on the server's machine, when one was asked for.
    pub backup: Option<String>,
}

impl CheckpointReply {
    /// The snapshot was made for this request; else it was there, and nothing is newer.
    #[must_use]
    pub fn is_new(&self) -> bool {
        self.took_ms > 0
    }

    /// Appends the body.
    pub fn encode(&self, out: &mut Writer<'_>) {
        out.u64(self.number).u64(self.lsn).u64(self.entities).u64(self.bytes);
        out.u64(self.took_ms).u64(self.segments_removed);
        out.block(self.backup.as_deref().unwrap_or_default().as_bytes());
    }

    /// Reads a body.
    ///
    /// # Errors
    /// [`Error::Truncated`] or [`Error::Malformed`].
    pub fn decode(body: &[u8]) -> Result<Self, Error> {
        let mut input = Reader::new(body);
        let reply = Self {
            number: input.u64()?,
            lsn: input.u64()?,
            entities: input.u64()?,
            bytes: input.u64()?,
            took_ms: input.u64()?,
            segments_removed: input.u64()?,
            backup: Some(checked::string(&mut input)?).filter(|path| !path.is_empty()),
        };
        checked::end(&input)?;
        Ok(reply)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn again(named: bool, name: &str) -> Result<(), Error> {
        let mut body = Vec::new();
        Writer::new(&mut body).u8(u8::from(named)).block(name.as_bytes());
        CheckpointRequest::decode(&body).map(drop)
    }

    #[test]
    fn a_name_never_leads_anywhere() {
        for good in ["a", "nightly-2026_11_21", &"x".repeat(BACKUP_NAME_BYTES_MAX)] {
            assert_eq!(again(true, good), Ok(()), "{good}");
        }
        let long = "x".repeat(BACKUP_NAME_BYTES_MAX + 1);
        for bad in ["", ".", "..", "a/b", "/etc", "a.b", "a b", "ä", "a\0", "~", "a\\b", &long] {
            let error = again(true, bad).expect_err(bad).to_string();
            assert!(error.contains("1 to 64 of A-Z"), "{error}");
        }
        assert_eq!(again(false, ""), Ok(()));
        assert!(again(false, "a").is_err());
    }
}
