//! What a snapshot gives: definitions, clocks, ids and producers are read, tables are served from where they lie.

use std::sync::Arc;

use storage::snapshot::{Section, Snapshot};

use super::{Fences, Memory};
use crate::{
    Error,
    base::Base,
    checkpoint::{self, SectionKind},
    shard::{SHARD_COUNT, ShardMask},
    stream::STRIPES,
};

impl Memory {
    /// Takes over `snapshot`. Nothing was restored before.
    ///
    /// # Errors
    /// [`Error::Storage`] when it is damaged, [`Error::Format`] when it is of another release.
    pub(super) fn load(&mut self, snapshot: Arc<Snapshot>) -> Result<(), Error> {
        bring(&snapshot);
        let whole = |kind: SectionKind| -> Result<Section, Error> {
            let section = snapshot.section(kind.tag());
            section.ok_or_else(|| Error::Format(format!("the snapshot has no section {kind:?}")))
        };
        for record in checkpoint::decode_catalog(all(&whole(SectionKind::Catalog)?)?)? {
            self.definitions(record)?;
        }
        let clocks = checkpoint::decode_clocks(all(&whole(SectionKind::Clocks)?)?);
        let clocks = clocks.map_err(|error| malformed("clocks", error))?;
        if clocks.fences.len() != SHARD_COUNT {
            let shards = clocks.fences.len();
            return Err(Error::Format(format!("a snapshot of {shards} shards")));
        }
        self.set_clocks(&clocks.start_streams);
        for (group, since) in clocks.observed.iter().enumerate() {
            if let Ok(windows) = self.catalog.windows(group) {
                windows.observed_from(*since);
            }
        }
        for (index, stream) in self.catalog.streams.iter().enumerate() {
            for stripe in 0..STRIPES {
                let Some(section) = snapshot.section(SectionKind::Ids.of(stripe, index)) else {
                    continue;
                };
                let ids = checkpoint::decode_ids(all(&section)?);
                let ids = ids.map_err(|error| malformed("ids", error))?;
                stream.state.dedup.restore(stripe, ids.into_iter());
            }
        }
        let producers = whole(SectionKind::Producers)?;
        checkpoint::decode_producers(all(&producers)?, &self.producers)
            .map_err(|error| malformed("producers", error))?;
        self.attach(&snapshot)?;
        self.fences = Fences::new(clocks);
        self.snapshot = Some(snapshot);
        Ok(())
    }

    /// Streams' clocks go on from these, which are not before those they have.
    fn set_clocks(&self, clocks: &[(i64, i64)]) {
        for (stream, (newest, applied)) in self.catalog.streams.iter().zip(clocks) {
            stream.state.advance(*newest);
            stream.state.applies(*applied);
        }
    }

    /// The log was replayed: clocks are at least what they were when the snapshot was finished.
    pub(super) fn replayed(&self) {
        self.set_clocks(self.fences.clocks());
    }

    /// Hands every table its section.
    fn attach(&self, snapshot: &Arc<Snapshot>) -> Result<(), Error> {
        for shard in 0..SHARD_COUNT {
            let mut one = ShardMask::default();
            one.insert(shard);
            let mut guards = self.shards.write(one);
            for group in 0..self.catalog.groups.len() {
                let section = |kind: SectionKind| snapshot.section(kind.of(shard, group));
                let section = section(SectionKind::Rows).or_else(|| section(SectionKind::Windows));
                let table = guards.shard(shard).table_mut(group);
                let (Some(section), Some(table)) = (section, table) else {
                    let what =
                        format!("the snapshot has no table of group {group} in shard {shard}");
                    return Err(Error::Format(what));
                };
                table.attach(section)?;
            }
        }
        Ok(())
    }
}

/// The disk begins to bring everything that is read here, which lies all over the file: waited for one after the other, on a
/// disk it would be most of what a start takes.
fn bring(snapshot: &Arc<Snapshot>) {
    let is_table =
        |kind| [SectionKind::Rows, SectionKind::Windows].map(|of| of as u32).contains(&kind);
    for (tag, _) in snapshot.sections() {
        match snapshot.section(*tag) {
            Some(section) if is_table(tag.kind) => Base::will_open(&section),
            Some(section) => section.will_need(0..section.len()),
            None => {}
        }
    }
}

fn all(section: &Section) -> Result<&[u8], storage::Error> {
    section.bytes(0..section.len())
}

fn malformed(what: &str, error: stdx::cursor::OutOfBytes) -> Error {
    Error::Format(format!("{what} of the snapshot: {error}"))
}
