//! The sections of a snapshot in words, each decoded as a start would.

use std::sync::Arc;

use stdx::{cursor::OutOfBytes, hash::KeyHasher};
use storage::snapshot::{Section, SectionTag, Snapshot};

use super::record::RecordReader;
use crate::{
    Error, base,
    checkpoint::{self, Clocks, SectionKind},
    producer::Producers,
};

/// A decoded section.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SectionInfo {
    /// `catalog`, `clocks`, `ids`, `producers`, `rows` or `windows`.
    pub kind: &'static str,
    /// The group or stream by name; empty when it is of none.
    pub of: String,
    /// Of a table its shard, of ids their stripe.
    pub shard: u32,
    /// Its length.
    pub bytes: u64,
    /// Versions of definitions, shards, ids, producers or entities in it.
    pub count: u64,
}

/// What the sections of a snapshot hold together.
#[derive(Debug, Default)]
pub(super) struct Contents {
    pub(super) clocks: Clocks,
    pub(super) entities: u64,
}

/// Decodes every section of `snapshot` and shows it to `visit`; its definitions are given to `reader`. With `hasher` every entity
/// of every table is looked up as well.
///
/// # Errors
/// None of its own: `visit` is told what cannot be decoded.
pub(super) fn each(
    snapshot: &Arc<Snapshot>,
    reader: &mut RecordReader,
    hasher: Option<&KeyHasher>,
    visit: &mut dyn FnMut(SectionTag, Result<SectionInfo, Error>),
) -> Contents {
    let mut contents = Contents::default();
    for (tag, bytes) in snapshot.sections() {
        let Some(section) = snapshot.section(*tag) else { continue };
        let one = One { tag: *tag, bytes: *bytes, hasher };
        visit(*tag, one.decode(section, reader, &mut contents));
    }
    contents
}

/// A section about to be decoded.
struct One<'a> {
    tag: SectionTag,
    bytes: u64,
    hasher: Option<&'a KeyHasher>,
}

impl One<'_> {
    fn decode(
        &self,
        section: Section,
        reader: &mut RecordReader,
        contents: &mut Contents,
    ) -> Result<SectionInfo, Error> {
        let SectionTag { kind, shard, group } = self.tag;
        let all = || section.bytes(0..section.len());
        let is = |known: SectionKind| known.tag().kind == kind;
        let (kind, of, count) = if is(SectionKind::Catalog) {
            let records = checkpoint::decode_catalog(all()?)?;
            records.iter().try_for_each(|record| reader.define(record))?;
            ("catalog", String::new(), records.len() as u64)
        } else if is(SectionKind::Clocks) {
            contents.clocks = checkpoint::decode_clocks(all()?).map_err(malformed("clocks"))?;
            ("clocks", String::new(), contents.clocks.fences.len() as u64)
        } else if is(SectionKind::Ids) {
            let ids = checkpoint::decode_ids(all()?).map_err(malformed("ids"))?;
            ("ids", reader.stream(group), ids.len() as u64)
        } else if is(SectionKind::Producers) {
            let producers = Producers::default();
            let decoded = checkpoint::decode_producers(all()?, &producers);
            decoded.map_err(malformed("producers"))?;
            ("producers", String::new(), producers.len() as u64)
        } else if is(SectionKind::Rows) || is(SectionKind::Windows) {
            let name = if is(SectionKind::Rows) { "rows" } else { "windows" };
            let entities = match self.hasher {
                Some(hasher) => base::verify(section, hasher, shard)?,
                None => base::entities(section)?,
            };
            contents.entities += u64::from(entities);
            (name, reader.group(group), u64::from(entities))
        } else {
            return Err(Error::Format(format!("a section of unknown kind {kind}")));
        };
        Ok(SectionInfo { kind, of, shard, bytes: self.bytes, count })
    }
}

fn malformed(what: &'static str) -> impl Fn(OutOfBytes) -> Error {
    move |error| Error::Format(format!("{what} of the snapshot: {error}"))
}
