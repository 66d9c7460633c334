//! What every write carries and what every write is answered with.
//!
//! ```text
//! options   sync u8        0 the server's policy, 1 written, 2 durable: only ever more than the policy
//!           producer u128  who writes; 0 is nobody, whose writes are not protected against being applied twice
//!           sequence u64   the producer's number of this write
//!
//! receipt   lsn u64        position in the log
//!           level u8       what was reached: 0 memory, 1 written, 2 durable
//!           repeated u8    1: this sequence had been applied before, the counts are those of then
//!
//! rejects   list of        index u32, kind u8 (0 duplicate, 1 late, 2 rejected), reason text
//! ```

use model::limits::REJECTS_PER_REPLY_MAX;
use stdx::cursor::{Reader, Writer};

use crate::{Error, checked};

/// How safe a write is. Later is safer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum SyncLevel {
    /// In the memory of the server.
    Memory = 0,
    /// Handed to the operating system: survives the server's process.
    Written = 1,
    /// On the disk: survives a power cut.
    Durable = 2,
}

impl SyncLevel {
    /// The level of wire byte `code`.
    #[must_use]
    pub fn from_code(code: u8) -> Option<Self> {
        [Self::Memory, Self::Written, Self::Durable].get(usize::from(code)).copied()
    }

    /// Its wire byte.
    #[must_use]
    pub fn code(self) -> u8 {
        self as u8
    }

    /// The word shown to people.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Written => "written",
            Self::Durable => "durable",
        }
    }
}

impl std::fmt::Display for SyncLevel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Who writes and how sure they want to be.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct WriteOptions {
    /// More than the server's policy gives; `None` (or memory, which is no more than any policy) is the policy.
    pub sync: Option<SyncLevel>,
    /// The writer; 0 is nobody.
    pub producer: u128,
    /// The writer's number of this write: 1, 2, 3, …
    pub sequence: u64,
}

impl WriteOptions {
    pub(crate) fn encode(&self, out: &mut Writer<'_>) {
        out.u8(self.sync.map_or(0, SyncLevel::code)).u128(self.producer).u64(self.sequence);
    }

    pub(crate) fn decode(input: &mut Reader<'_>) -> Result<Self, Error> {
        let sync = Some(level(input)?).filter(|level| *level > SyncLevel::Memory);
        Ok(Self { sync, producer: input.u128()?, sequence: input.u64()? })
    }
}

/// What every reply to a write says first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Receipt {
    /// Position in the log.
    pub lsn: u64,
    /// How safe the write is.
    pub level: SyncLevel,
    /// True when this sequence had been applied before: nothing was applied now.
    pub repeated: bool,
}

impl Receipt {
    pub(crate) fn encode(&self, out: &mut Writer<'_>) {
        out.u64(self.lsn).u8(self.level.code()).u8(u8::from(self.repeated));
    }

    pub(crate) fn decode(input: &mut Reader<'_>) -> Result<Self, Error> {
        let lsn = input.u64()?;
        Ok(Self { lsn, level: level(input)?, repeated: checked::boolean(input)? })
    }
}

fn level(input: &mut Reader<'_>) -> Result<SyncLevel, Error> {
    let code = input.u8()?;
    SyncLevel::from_code(code)
        .ok_or_else(|| Error::Malformed(format!("a sync level is 0, 1 or 2, got {code}")))
}

/// Why a row or event was not applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum RejectKind {
    /// It arrived before.
    Duplicate = 0,
    /// Too old for every window.
    Late = 1,
    /// Not valid.
    Rejected = 2,
}

impl RejectKind {
    /// The word shown to people.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Duplicate => "duplicate",
            Self::Late => "late",
            Self::Rejected => "rejected",
        }
    }
}

/// A row, event or key that was not applied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reject {
    /// Its position in the request, from 0.
    pub index: u32,
    /// What became of it.
    pub kind: RejectKind,
    /// Why, for its sender.
    pub reason: String,
}

/// Least bytes of one reject.
const REJECT_BYTES: usize = 4 + 1 + 4;

pub(crate) fn encode_rejects(out: &mut Writer<'_>, rejects: &[Reject]) {
    let shown = rejects.get(..REJECTS_PER_REPLY_MAX).unwrap_or(rejects);
    checked::write_count(out, shown.len());
    for reject in shown {
        out.u32(reject.index).u8(reject.kind as u8).block(reject.reason.as_bytes());
    }
}

pub(crate) fn decode_rejects(input: &mut Reader<'_>) -> Result<Vec<Reject>, Error> {
    checked::list(input, ("rejects", REJECTS_PER_REPLY_MAX, REJECT_BYTES), |input| {
        let index = input.u32()?;
        let kind = match input.u8()? {
            0 => RejectKind::Duplicate,
            1 => RejectKind::Late,
            2 => RejectKind::Rejected,
            other => return Err(Error::Malformed(format!("a reject is 0, 1 or 2, got {other}"))),
        };
        Ok(Reject { index, kind, reason: checked::string(input)? })
    })
}
