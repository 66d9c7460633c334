//! How one version of the definitions is spoken to: indexes, fields, and plans for reading everything.

use std::sync::Arc;

use engine::{Database, Error, ReadPlan};
use model::{
    definition::{Definitions, Field},
    packed_row::{Cell, write_row},
    value::Value,
};
use storage::fs::SimFs;

use crate::{
    operation::{Event, Given, Table},
    schema::{Stream, WINDOW_GROUPS, user_key},
};

/// See the module.
pub(crate) struct Handles {
    pub(crate) version: u64,
    definitions: Arc<Definitions>,
    profile: (usize, Vec<Field>, ReadPlan),
    /// Of each window group that is defined.
    windows: Vec<(usize, ReadPlan)>,
}

impl Handles {
    /// Of the definitions as `database` has them; `None` before the first.
    ///
    /// # Errors
    /// When something that is defined cannot be found.
    pub(crate) fn of(database: &Database<SimFs>) -> Result<Option<Self>, Error> {
        let (version, definitions) = database.definitions();
        if version == 0 {
            return Ok(None);
        }
        let profile = database.group_index("profile")?;
        let fields = definitions.groups.get(profile).map(|group| group.columns());
        let plan = database.plan_features(&["profile:*"])?;
        let mut windows = Vec::with_capacity(WINDOW_GROUPS.len());
        for group in WINDOW_GROUPS.iter().filter(|group| group.since <= version) {
            let plan = database.plan_features(&[&format!("{}:*", group.name)])?;
            windows.push((database.group_index(group.name)?, plan));
        }
        let profile = (profile, fields.unwrap_or_default(), plan);
        Ok(Some(Self { version, definitions, profile, windows }))
    }

    /// Index of the group.
    pub(crate) fn group(&self, table: Table) -> usize {
        match table {
            Table::Profile => self.profile.0,
            Table::Windows(group) => self.windows.get(group).map_or(usize::MAX, |group| group.0),
        }
    }

    /// What reads all profiles.
    pub(crate) fn profile_plan(&self) -> &ReadPlan {
        &self.profile.2
    }

    /// What reads each window group that is defined.
    pub(crate) fn window_plans(&self) -> impl Iterator<Item = &ReadPlan> {
        self.windows.iter().map(|(_, plan)| plan)
    }

    /// Index of the stream.
    pub(crate) fn stream(&self, stream: Stream) -> usize {
        self.definitions.stream(stream_name(stream)).map_or(usize::MAX, |(index, _)| index)
    }

    /// The bytes of a row of profiles.
    pub(crate) fn pack_row(&self, cells: &[Given]) -> Vec<u8> {
        pack(&self.profile.1, cells)
    }

    /// The bytes of an event of which the first `width` fields are given.
    pub(crate) fn pack_event(&self, stream: Stream, event: &Event, width: usize) -> Vec<u8> {
        let Some((_, definition)) = self.definitions.stream(stream_name(stream)) else {
            return Vec::new();
        };
        let number = |number: Option<u16>| Some(number.map(|number| Value::I64(number.into())));
        let user = Some(event.user.map(|user| Value::String(user_key(user).into())));
        let at = Some(Some(Value::Timestamp(event.time)));
        let mut cells: Vec<Given> = match stream {
            Stream::Orders => vec![
                Some(Some(Value::I64(event.id))),
                user,
                number(event.object),
                Some(event.price.map(|cents| Value::Decimal(cents, 2))),
                at,
                Some(Some(Value::String("none".into()))),
            ],
            Stream::Clicks => vec![user, number(event.object), at],
        };
        cells.truncate(width);
        pack(&definition.fields, &cells)
    }
}

fn stream_name(stream: Stream) -> &'static str {
    match stream {
        Stream::Orders => "orders",
        Stream::Clicks => "clicks",
    }
}

/// A row of the first fields; of another type than its field is none, so that the database refuses it.
fn pack(fields: &[Field], cells: &[Given]) -> Vec<u8> {
    let fields = fields.get(..cells.len()).unwrap_or(fields);
    let mut row = Vec::new();
    let cells = cells.iter().map(|given| match given {
        None => Cell::Absent,
        Some(None) => Cell::Null,
        Some(Some(value)) => Cell::Value(value.borrow()),
    });
    match write_row(&mut row, fields, cells) {
        Ok(()) => row,
        Err(_) => Vec::new(),
    }
}
