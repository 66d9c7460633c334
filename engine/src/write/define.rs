//! Apply definitions: plan, then one record in the log and a new catalog.

use model::definition::{Definitions, Plan};
use storage::{CommitTicket, Vfs};

use super::record_bytes_max;
use crate::{
    Database, Error,
    catalog::{Catalog, CatalogRecord},
    mutation,
};

/// What applying definitions did or would do.
#[derive(Debug)]
pub struct Applied {
    /// Every change.
    pub plan: Plan,
    /// Version of the definitions now.
    pub version: u64,
    /// Wait for this before telling anyone; `None` when nothing was changed.
    pub ticket: Option<CommitTicket>,
}

impl<V: Vfs> Database<V> {
    /// Reads `text` (called `file` in messages), plans its changes, and unless `dry_run` makes them. A plan that holds a
    /// refusal changes nothing.
    ///
    /// # Errors
    /// [`Error::Invalid`] names every mistake with file and line; [`Error::Storage`] when the log refuses.
    pub fn apply(&self, file: &str, text: &str, dry_run: bool) -> Result<Applied, Error> {
        if !dry_run {
            self.wal.reserve(record_bytes_max([file.len() + text.len()].into_iter()))?;
        }
        let mut catalog = self.catalog.write();
        let definitions = Definitions::parse(file, text, &catalog.definitions)?;
        let plan = Plan::between(&catalog.definitions, &definitions);
        if dry_run || plan.is_refused() || definitions == *catalog.definitions {
            return Ok(Applied { plan, version: catalog.version, ticket: None });
        }
        let record = CatalogRecord {
            version: catalog.version + 1,
            applied_at_ms: self.clock.wall_ms(),
            file: file.to_owned(),
            text: text.to_owned(),
        };
        let bytes = record.encode()?;
        let lsn = self.wal.append(mutation::kind::DEFINITIONS, &bytes)?;
        self.adopt(&mut catalog, definitions, record.applied_at_ms)?;
        let ticket = self.wal.ticket(lsn, None);
        Ok(Applied { plan, version: catalog.version, ticket: Some(ticket) })
    }

    /// Replaces the catalog; shared by live applies and recovery.
    pub(crate) fn adopt(
        &self,
        catalog: &mut Catalog,
        definitions: Definitions,
        applied_at_ms: i64,
    ) -> Result<(), Error> {
        let next = catalog.next(definitions, applied_at_ms);
        self.shards.adopt(&next.groups)?;
        *catalog = next;
        Ok(())
    }
}
