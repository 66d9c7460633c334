//! Compares what a database answers with what the model says.

use engine::{Database, Error, ReadOptions, ReadPlan, ReadRequest};
use storage::fs::SimFs;

use crate::{
    failure::{Failure, Unexpected},
    handles::Handles,
    model::{Answer, Model},
    schema::{Entity, Stream, WINDOW_GROUPS, key_bytes, profile_features},
};

/// How many entities there are.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scale {
    pub(crate) users: u16,
    pub(crate) shops: u16,
}

impl Scale {
    /// Of one kind.
    pub(crate) fn of(self, entity: Entity) -> u16 {
        match entity {
            Entity::User => self.users,
            Entity::Shop => self.shops,
        }
    }
}

/// A database, and what it should be.
pub(crate) struct Check<'a> {
    pub(crate) database: &'a Database<SimFs>,
    pub(crate) handles: &'a Handles,
    pub(crate) model: &'a Model,
    pub(crate) scale: Scale,
    pub(crate) wall_ms: i64,
}

impl Check<'_> {
    /// Every value of every entity, now.
    ///
    /// # Errors
    /// The first value that is not the model's; an error of the database.
    pub(crate) fn everything(&self) -> Result<(), Failure> {
        self.profiles(None)?;
        self.profile_keys()?;
        for index in 0..WINDOW_GROUPS.len() {
            self.windows(index, None, false)?;
        }
        Ok(())
    }

    /// All profiles at `as_of`, or now.
    pub(crate) fn profiles(&self, as_of: Option<i64>) -> Result<(), Failure> {
        let users: Vec<u16> = (0..self.scale.users).collect();
        let features = profile_features(self.handles.version);
        let moment = as_of.unwrap_or(self.wall_ms);
        let expected = |user: u16, feature: usize| {
            self.model.rows.read(user, feature, moment, as_of.is_some())
        };
        let options = ReadOptions { as_of, ..ReadOptions::default() };
        let read = Reading { entity: Entity::User, entities: &users, columns: features, options };
        self.compare("profile", self.handles.profile_plan(), &read, expected)
    }

    /// All entities of a window group at `as_of`, or now.
    pub(crate) fn windows(
        &self,
        index: usize,
        as_of: Option<i64>,
        exclusive: bool,
    ) -> Result<(), Failure> {
        let parts = WINDOW_GROUPS.get(index).zip(self.model.windows.get(index));
        let Some((group, windows)) = parts.filter(|(_, windows)| windows.is_defined) else {
            return Ok(());
        };
        let Some(plan) = self.handles.window_plans().nth(index) else {
            return Err(Failure::new(format!("group {} is not defined", group.name)));
        };
        let newest = || self.model.clock.newest.unwrap_or(0);
        let moment = as_of.unwrap_or_else(|| match group.stream {
            Stream::Orders => self.model.clock.orders_now(self.wall_ms),
            Stream::Clicks => newest(),
        });
        let x = if exclusive { moment } else { moment + 1 };
        let entities: Vec<u16> = (0..self.scale.of(group.entity)).collect();
        let (width, columns) = (group.windows.len(), group.windows.len() * group.features.len());
        let expected = |entity: u16, column: usize| {
            let window = group.windows.get(column % width).copied().flatten();
            let feature = group.features.get(column / width).copied();
            feature.map_or((model::status::Status::Error, None), |aggregate| {
                windows.read(entity, window, aggregate, x)
            })
        };
        let options = ReadOptions { as_of, exclusive, ..ReadOptions::default() };
        let read = Reading { entity: group.entity, entities: &entities, columns, options };
        self.compare(group.name, plan, &read, expected)
    }

    /// A read of orders below the floor is refused.
    pub(crate) fn below_the_floor(&self) -> Result<(), Failure> {
        let now = self.model.clock.orders_now(self.wall_ms);
        let as_of = now - crate::schema::horizon_ms(Stream::Orders) - 1;
        match self.windows(0, Some(as_of), false) {
            Err(Failure { unexpected: Unexpected::Error(Error::AsOfTooOld { .. }), .. }) => Ok(()),
            Ok(()) => {
                Err(Failure::new(format!("as-of {as_of} is below the floor and was answered")))
            }
            Err(other) => Err(other),
        }
    }

    fn compare(
        &self,
        group: &str,
        plan: &ReadPlan,
        read: &Reading<'_>,
        expected: impl Fn(u16, usize) -> Answer,
    ) -> Result<(), Failure> {
        let keys: Vec<Vec<u8>> =
            read.entities.iter().map(|entity| key_bytes(read.entity, *entity)).collect();
        let keys: Vec<&[u8]> = keys.iter().map(Vec::as_slice).collect();
        let request = ReadRequest { keys: &keys, request_rows: &[], options: read.options };
        let vectors = self.database.read(plan, &request)?;
        if vectors.columns.len() != read.columns {
            let (got, expected) = (vectors.columns.len(), read.columns);
            return Err(Failure::new(format!("{group} has {got} columns instead of {expected}")));
        }
        for (index, column) in vectors.columns.iter().enumerate() {
            for (row, entity) in read.entities.iter().enumerate() {
                let (status, value) = column.get(row).map_err(Error::from)?;
                let (should, value_should) = expected(*entity, index);
                let value = value.map(|value| value.to_owned());
                if (status, &value) != (should, &value_should) {
                    let name = plan.outputs().get(index).map_or("", |(name, _)| name.as_str());
                    return Err(Failure::new(format!(
                        "{group} {entity}: {name} is {status} {value:?}, should be {should} {value_should:?} ({:?})",
                        read.options
                    )));
                }
            }
        }
        Ok(())
    }

    /// A scan finds the users that have a profile, each once.
    fn profile_keys(&self) -> Result<(), Failure> {
        let mut found = Vec::new();
        let mut cursor = Some(engine::ScanCursor::default());
        while let Some(from) = cursor {
            let page = self.database.scan(self.handles.profile_plan(), from, usize::MAX)?;
            found.extend(page.keys);
            cursor = page.next;
        }
        found.sort_unstable();
        let users = self.model.rows.users();
        let mut expected: Vec<Box<[u8]>> =
            users.map(|user| key_bytes(Entity::User, user).into()).collect();
        expected.sort_unstable();
        if found == expected {
            return Ok(());
        }
        let (found, expected) = (found.len(), expected.len());
        Err(Failure::new(format!("a scan finds {found} profiles, there are {expected}")))
    }
}

struct Reading<'a> {
    entity: Entity,
    entities: &'a [u16],
    columns: usize,
    options: ReadOptions,
}
