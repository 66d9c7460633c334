//! Replay: the values that reads would have given, from definitions and events alone, without a database.
//!
//! ```text
//! definitions ─► ReplayPlan ─┬─► EventIntake    an event's fields ─► what it changes in each window group, or why it is refused
//!                            └─► EntityReplay   one entity of one group: its changes in order, and between them what a read sees
//! ```
//!
//! No second implementation: definitions are compiled by the catalog, events prepared as a push prepares them, state changed and
//! read by the functions of live writes and reads. What is different is only where things are kept: one entity at a time, which
//! is forgotten when its last read is done. Whoever calls brings each entity's changes and reads together, in order.

mod entity;
mod intake;

use model::{
    column::Column,
    definition::{Definitions, GroupKind, Stream},
    key::KeyType,
};

pub use aggregate::{DirectFields, StoredEvent};
pub use entity::{EntityReplay, ReplayMoment};
pub use intake::{EventIntake, EventOrigin, TakenEvent, TakenPart, exact_float};

use crate::{Error, catalog::Catalog, read::ReadPlan};

/// A version of definitions: when it was applied, in ms, and its file's name and text.
#[derive(Debug, Clone, Copy)]
pub struct ReplayVersion<'a> {
    /// When it became valid, in ms. Window groups of streams on the wall clock are observed from then on.
    pub applied_at_ms: i64,
    /// For messages.
    pub file: &'a str,
    /// The definitions.
    pub text: &'a str,
}

/// What to compute.
#[derive(Debug, Clone, Copy)]
pub enum ReplayTarget<'a> {
    /// A service: stored features, then derived ones.
    Service(&'a str),
    /// `group:feature` and `group:*`.
    Features(&'a [&'a str]),
}

/// Definitions and a service of them, compiled.
#[derive(Debug)]
pub struct ReplayPlan {
    catalog: Catalog,
    read: ReadPlan,
}

/// Where the changes of a group come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReplaySource {
    /// A window group: events of the stream of this index.
    Stream(usize),
    /// A row group: its own rows.
    Rows,
}

/// A group that the target reads.
#[derive(Debug, Clone, Copy)]
pub struct ReplayGroup<'p> {
    /// Its index in the definitions.
    pub index: usize,
    /// Its name.
    pub name: &'p str,
    /// The place of its entity in [`ReadPlan::entities`].
    pub entity: usize,
    /// What its changes are.
    pub source: ReplaySource,
    /// Its columns that are read, by index in its definition.
    pub columns: &'p [usize],
    /// The place of each of them in [`ReadPlan::outputs`].
    pub outputs: &'p [usize],
}

impl ReplayPlan {
    /// Compiles one version of definitions, valid from the beginning of time.
    ///
    /// # Errors
    /// [`Error::Invalid`] names every mistake in the definitions, [`Error::NotFound`] the services there are.
    pub fn new(file: &str, text: &str, target: ReplayTarget<'_>) -> Result<Self, Error> {
        Self::of_versions(&[ReplayVersion { applied_at_ms: i64::MIN, file, text }], target)
    }

    /// Compiles versions as they were applied one after the other: what is defined depends on what was defined before.
    ///
    /// # Errors
    /// As [`ReplayPlan::new`].
    pub fn of_versions(
        versions: &[ReplayVersion<'_>],
        target: ReplayTarget<'_>,
    ) -> Result<Self, Error> {
        let mut catalog = Catalog::default();
        for version in versions {
            let definitions = Definitions::parse(version.file, version.text, &catalog.definitions)?;
            catalog = catalog.next(definitions, version.applied_at_ms);
        }
        let read = match target {
            ReplayTarget::Service(name) => ReadPlan::of_service(&catalog, name)?,
            ReplayTarget::Features(references) => ReadPlan::of_features(&catalog, references)?,
        };
        Ok(Self { catalog, read })
    }

    /// All that is defined.
    #[must_use]
    pub fn definitions(&self) -> &Definitions {
        &self.catalog.definitions
    }

    /// Entities, columns and request values of the target.
    #[must_use]
    pub fn read_plan(&self) -> &ReadPlan {
        &self.read
    }

    /// The groups that the target reads.
    pub fn groups(&self) -> impl Iterator<Item = ReplayGroup<'_>> {
        self.read.groups().filter_map(|read| {
            let group = self.catalog.definitions.groups.get(read.group)?;
            let source = match &group.kind {
                GroupKind::Rows(_) => ReplaySource::Rows,
                GroupKind::Windows(windows) => ReplaySource::Stream(windows.stream),
            };
            let (index, name) = (read.group, group.name.as_str());
            let (entity, columns) = (read.entity, read.columns.as_slice());
            let outputs = read.outputs.as_slice();
            Some(ReplayGroup { index, name, entity, source, columns, outputs })
        })
    }

    /// The stream `index`.
    ///
    /// # Errors
    /// [`Error::Internal`] when there is none.
    pub fn stream(&self, index: usize) -> Result<&Stream, Error> {
        Ok(self.catalog.stream(index)?.0)
    }

    /// Types of the parts of the keys of group `index`.
    ///
    /// # Errors
    /// [`Error::Internal`] when there is no such group.
    pub fn group_key(&self, index: usize) -> Result<&[KeyType], Error> {
        Ok(self.catalog.group_key(index)?.1)
    }

    /// Since when window group `index` is observed as its definition says, in ms; `None` on an event clock, where the earliest
    /// event decides.
    ///
    /// # Errors
    /// [`Error::Internal`] when there is no such window group.
    pub fn defined_at(&self, index: usize) -> Result<Option<i64>, Error> {
        let since = self.catalog.windows(index)?.observed_since();
        Ok((since != i64::MAX).then_some(since))
    }

    /// Appends derived columns to the stored ones of `rows` vectors. `request_rows` are packed, one for all or one for each.
    ///
    /// # Errors
    /// [`Error::Invalid`] when request values are missing or wrong.
    pub fn derive(
        &self,
        columns: &mut Vec<Column>,
        request_rows: &[&[u8]],
        rows: usize,
    ) -> Result<(), Error> {
        self.read.derive_onto(columns, request_rows, rows)
    }

    /// An intake of events of stream `index`.
    ///
    /// # Errors
    /// [`Error::Internal`] when there is none.
    pub fn intake(&self, index: usize) -> Result<EventIntake<'_>, Error> {
        EventIntake::new(&self.catalog, &self.read, index)
    }

    /// Entities of group `index`, one after the other.
    ///
    /// # Errors
    /// [`Error::Internal`] when the target does not read the group.
    pub fn entity(&self, index: usize) -> Result<EntityReplay<'_>, Error> {
        let read = self.read.groups().find(|read| read.group == index);
        let read = read.ok_or_else(|| Error::Internal(format!("group {index} is not read")))?;
        EntityReplay::new(&self.catalog, read)
    }
}
