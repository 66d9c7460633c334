//! Apply definitions: plan, then one record in the log and a new catalog.

use model::definition::{Definitions, Plan};
use storage::{CommitTicket, Vfs};

use super::{applying::Applying, record_bytes_max};
use crate::{Database, Error, catalog::CatalogRecord, mutation};

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
    /// refusal changes nothing. Reads go on while definitions are read and planned.
    ///
    /// # Errors
    /// [`Error::Invalid`] names every mistake with file and line; [`Error::Storage`] when the log refuses;
    /// [`Error::StalePlan`] when somebody else applied definitions meanwhile: try again. Once they are in the log nothing can fail.
    pub fn apply(&self, file: &str, text: &str, dry_run: bool) -> Result<Applied, Error> {
        let (planned, current) = self.definitions();
        let (plan, definitions) = plan_changes(file, text, &current)?;
        if dry_run || plan.is_refused() || definitions == *current {
            return Ok(Applied { plan, version: planned, ticket: None });
        }
        self.wal.reserve(record_bytes_max([file.len() + text.len()].into_iter()))?;
        let mut catalog = self.catalog.write();
        if catalog.version != planned {
            let current = catalog.version;
            return Err(Error::StalePlan { planned, current });
        }
        let record = CatalogRecord {
            version: catalog.version + 1,
            applied_at_ms: self.clock.wall_ms(),
            file: file.to_owned(),
            text: text.to_owned(),
        };
        let bytes = record.encode()?;
        let lsn = self.wal.append(mutation::kind::DEFINITIONS, &bytes)?;
        let _applying = Applying::begin(self);
        self.hold_for_history(&definitions, lsn);
        catalog.adopt(definitions, record, &self.shards);
        let ticket = self.wal.ticket(lsn, None);
        Ok(Applied { plan, version: catalog.version, ticket: Some(ticket) })
    }
}

fn plan_changes(
    file: &str,
    text: &str,
    current: &Definitions,
) -> Result<(Plan, Definitions), Error> {
    let definitions = Definitions::parse(file, text, current)?;
    Ok((Plan::between(current, &definitions), definitions))
}
