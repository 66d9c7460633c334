//! The sections of a snapshot that are no tables, in both directions. Bytes: `docs/formats/snapshot.md`.
//!
//! ```text
//! 1 catalog    n u32 | n × block: a definitions record, as in the log
//! 2 clocks     everything u64 | start u64 | shards u32 | shards × fence u64 | streams u32 | streams × (newest i64 |
//!              applied i64 | both as they were at the start | stripes u32 | stripes × position u64) | groups u32 |
//!              groups × observed since i64
//! 3 ids        of one stream (group) and stripe (shard): n u32 | n × (arrival i64 | fingerprint u128)
//! 4 producers  n u32 | n × (id u128 | forgotten u64 | m u32 | m × (sequence u64 | LSN u64 | 4 × u32))
//! 5 rows       a table: engine/src/base
//! 6 windows    a table
//! ```

use std::sync::Arc;

use stdx::{
    cursor::{OutOfBytes, Reader, Writer},
    mutant::{Mutant, is_planted},
};
use storage::{Lsn, snapshot::SectionTag};

use crate::{
    Error,
    catalog::CatalogRecord,
    producer::{Outcome, ProducerId, Producers},
};

/// What a section is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SectionKind {
    Catalog = 1,
    Clocks = 2,
    Ids = 3,
    Producers = 4,
    Rows = 5,
    Windows = 6,
}

impl SectionKind {
    /// The tag of the one section of this kind.
    pub(crate) fn tag(self) -> SectionTag {
        SectionTag { kind: self as u32, shard: 0, group: 0 }
    }

    /// The tag of the section of a shard's table, or of a stripe's ids.
    pub(crate) fn of(self, shard: usize, group: usize) -> SectionTag {
        let number = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        SectionTag { kind: self as u32, shard: number(shard), group: number(group) }
    }
}

/// Up to which record each part of a snapshot goes, and the clocks of streams and groups.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Clocks {
    /// Everything up to this record is in the snapshot, in whatever part.
    pub(crate) everything: u64,
    /// Nothing that comes up to this record is missing in any part: recovery begins behind it.
    pub(crate) start: u64,
    /// Of each shard, the newest record that is in it.
    pub(crate) fences: Vec<u64>,
    /// Of each stream and stripe of ids, the newest record that is in it.
    pub(crate) ids: Vec<Vec<u64>>,
    /// Of each stream: largest event time, latest now.
    pub(crate) streams: Vec<(i64, i64)>,
    /// The same at the start: what comes after it is replayed with clocks that move as they did.
    pub(crate) start_streams: Vec<(i64, i64)>,
    /// Of each group: since when it is observed.
    pub(crate) observed: Vec<i64>,
}

impl Clocks {
    /// The first record that some part does not have.
    pub(crate) fn replay_from(&self) -> u64 {
        self.start + 1
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut out = Writer::new(&mut bytes);
        out.u64(self.everything).u64(self.start).u32(count(&self.fences));
        for fence in &self.fences {
            out.u64(*fence);
        }
        out.u32(count(&self.streams));
        let streams = self.streams.iter().zip(&self.start_streams).zip(&self.ids);
        for (((newest, applied), start), stripes) in streams {
            out.i64(*newest).i64(*applied).i64(start.0).i64(start.1).u32(count(stripes));
            for position in stripes {
                out.u64(*position);
            }
        }
        out.u32(count(&self.observed));
        for since in &self.observed {
            out.i64(*since);
        }
        bytes
    }
}

/// See [`Clocks`].
///
/// # Errors
/// [`OutOfBytes`].
pub(crate) fn decode_clocks(bytes: &[u8]) -> Result<Clocks, OutOfBytes> {
    let mut input = Reader::new(bytes);
    let (everything, start) = (input.u64()?, input.u64()?);
    let mut clocks = Clocks { everything, start, ..Clocks::default() };
    for _ in 0..input.u32()? {
        clocks.fences.push(input.u64()?);
    }
    for _ in 0..input.u32()? {
        clocks.streams.push((input.i64()?, input.i64()?));
        clocks.start_streams.push((input.i64()?, input.i64()?));
        let stripes = (0..input.u32()?).map(|_| input.u64()).collect::<Result<_, _>>()?;
        clocks.ids.push(stripes);
    }
    for _ in 0..input.u32()? {
        clocks.observed.push(input.i64()?);
    }
    Ok(clocks)
}

/// # Errors
/// [`Error::Internal`].
pub(super) fn encode_catalog(history: &[Arc<CatalogRecord>]) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    Writer::new(&mut bytes).u32(count(history));
    for record in history {
        Writer::new(&mut bytes).block(&record.encode()?);
    }
    Ok(bytes)
}

/// # Errors
/// [`Error::Format`].
pub(crate) fn decode_catalog(bytes: &[u8]) -> Result<Vec<CatalogRecord>, Error> {
    let mut input = Reader::new(bytes);
    let blocks = (|| (0..input.u32()?).map(|_| input.block()).collect::<Result<Vec<_>, _>>())();
    let blocks = blocks.map_err(|error: OutOfBytes| Error::Format(format!("catalog: {error}")))?;
    blocks.into_iter().map(CatalogRecord::decode).collect()
}

pub(super) fn encode_ids(ids: &[(i64, u128)]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(4 + ids.len() * 24);
    let mut out = Writer::new(&mut bytes);
    out.u32(count(ids));
    for (arrival, id) in ids {
        out.i64(*arrival).u128(*id);
    }
    bytes
}

/// # Errors
/// [`OutOfBytes`].
pub(crate) fn decode_ids(bytes: &[u8]) -> Result<Vec<(i64, u128)>, OutOfBytes> {
    let mut input = Reader::new(bytes);
    (0..input.u32()?).map(|_| Ok((input.i64()?, input.u128()?))).collect()
}

pub(super) fn encode_producers(producers: &Producers, Lsn(everything): Lsn) -> Vec<u8> {
    let mut bytes = vec![0; 4];
    let mut n = 0;
    producers.each(|ProducerId(id), producer| {
        let (forgotten, outcomes) = producer.memory();
        // What came later may be lost with the end of the log: a write must not be known that is not there.
        let is_in = |lsn| lsn <= everything || is_planted(Mutant::ProducersAheadOfSnapshot);
        let outcomes: Vec<_> = outcomes.filter(|(_, Lsn(lsn), _)| is_in(*lsn)).collect();
        let mut out = Writer::new(&mut bytes);
        out.u128(id).u64(forgotten).u32(u32::try_from(outcomes.len()).unwrap_or(u32::MAX));
        for (sequence, Lsn(lsn), outcome) in outcomes {
            out.u64(sequence).u64(lsn);
            out.u32(outcome.applied).u32(outcome.duplicate);
            out.u32(outcome.late).u32(outcome.rejected);
        }
        n += 1;
    });
    Writer::new(&mut bytes).patch_u32(0, n);
    bytes
}

/// Fills `producers`.
///
/// # Errors
/// [`OutOfBytes`].
pub(crate) fn decode_producers(bytes: &[u8], producers: &Producers) -> Result<(), OutOfBytes> {
    if bytes.is_empty() {
        return Ok(());
    }
    let mut input = Reader::new(bytes);
    for _ in 0..input.u32()? {
        let producer = producers.get(ProducerId(input.u128()?));
        let mut producer = producer.lock();
        producer.forget_up_to(input.u64()?);
        for _ in 0..input.u32()? {
            let (sequence, lsn) = (input.u64()?, Lsn(input.u64()?));
            let outcome = Outcome {
                applied: input.u32()?,
                duplicate: input.u32()?,
                late: input.u32()?,
                rejected: input.u32()?,
            };
            producer.record(sequence, lsn, outcome);
        }
    }
    Ok(())
}

/// Parts of a snapshot are bounded far below 2^32.
fn count<T>(items: &[T]) -> u32 {
    u32::try_from(items.len()).unwrap_or(u32::MAX)
}
