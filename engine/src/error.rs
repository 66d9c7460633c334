//! What can go wrong in the database, cut by what the caller does next.

/// An error of the engine.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The request is wrong: fix it.
    #[error(transparent)]
    Invalid(#[from] model::Error),
    /// Nothing has this name: fix the request, or apply definitions.
    #[error("no {kind} is called {name}{hint}")]
    NotFound {
        /// `service`, `group`, `stream`, …
        kind: &'static str,
        /// The name asked for.
        name: String,
        /// What is there, or how to get it there.
        hint: String,
    },
    /// A sequence so old that what it did is no longer known: it was applied or skipped, and is not applied now.
    #[error(
        "sequence {sequence} is not above {newest}: what so old a write of this producer did is no longer known"
    )]
    Forgotten {
        /// The sequence.
        sequence: u64,
        /// Every sequence up to this one is forgotten.
        newest: u64,
    },
    /// The definitions changed since the plan was made: prepare again and retry.
    #[error(
        "definitions are at version {current}, this plan was made for {planned}: prepare again"
    )]
    StalePlan {
        /// Version the plan was made for.
        planned: u64,
        /// Version now.
        current: u64,
    },
    /// The as-of lies before what the server can answer exactly.
    #[error(
        "as-of {as_of} is before {floor}, the oldest this group answers exactly: ask for a later one, or give the \
         stream a longer horizon; single reads may be snapped instead (`larder get --snap`)"
    )]
    AsOfTooOld {
        /// The as-of asked for, in ms.
        as_of: i64,
        /// The oldest as-of answered exactly, in ms.
        floor: i64,
    },
    /// There is no memory for what the write adds. Nothing of it was applied; send it again when there is room.
    #[error(
        "memory is full: {used} of {limit} bytes are used, the write may need {needed}; nothing of it was applied. Reads and \
         deletes go on: send it again when entities were deleted or have expired, or ask the operator for a larger --max-memory"
    )]
    MemoryFull {
        /// Bytes in use.
        used: u64,
        /// Bytes that may be in use.
        limit: u64,
        /// Bytes that the write may need, an upper estimate.
        needed: u64,
    },
    /// A scan is over, and some entities were not in it.
    #[error(
        "{unreadable} entities were passed over, all others were there: they cannot be read because the snapshot is damaged ({why}); \
         {}", storage::Remedy::Snapshot.as_str()
    )]
    Incomplete {
        /// How many.
        unreadable: u32,
        /// File, place and kind of the first damage.
        why: String,
    },
    /// The log or its directory refused: see the message for the remedy.
    #[error(transparent)]
    Storage(#[from] storage::Error),
    /// Bytes in the log that this release does not understand.
    #[error("the log holds what this release cannot read: {0}; use the release that wrote it")]
    Format(String),
    /// It cannot be done while something else goes on: try again.
    #[error("{0}: try again")]
    Busy(&'static str),
    /// A defect of Larder; please report it.
    #[error("internal error: {0}")]
    Internal(String),
}

impl Error {
    /// See [`storage::Error::with_log`].
    pub(crate) fn with_log(self, first_lsn: Option<u64>) -> Self {
        match self {
            Self::Storage(error) => Self::Storage(error.with_log(first_lsn)),
            other => other,
        }
    }

    /// Shorthand for [`Error::NotFound`]; `known` are the names there are.
    pub(crate) fn not_found<'a>(
        kind: &'static str,
        name: &str,
        known: impl Iterator<Item = &'a str>,
    ) -> Self {
        const SHOWN: usize = 8;
        let known: Vec<_> = known.take(SHOWN + 1).collect();
        let hint = match known.len() {
            0 => "; none is defined yet: run `larder apply FILE`".to_owned(),
            count => {
                let more = if count > SHOWN { ", …" } else { "" };
                let list = known.into_iter().take(SHOWN).collect::<Vec<_>>().join(", ");
                format!("; there are: {list}{more}")
            }
        };
        Self::NotFound { kind, name: name.to_owned(), hint }
    }
}

impl From<crate::memory_limit::Refused> for Error {
    fn from(refused: crate::memory_limit::Refused) -> Self {
        let crate::memory_limit::Refused { used, limit, needed } = refused;
        Self::MemoryFull { used, limit, needed }
    }
}
