//! Profiles as the model keeps them: of each feature its value and the time it is of.

use std::collections::BTreeMap;

use model::{status::Status, value::Value};

use crate::{operation::Row, schema::MAX_AGE_MS};

/// What a read answers for one value.
pub(crate) type Answer = (Status, Option<Value>);

/// What one put did to one row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Effect {
    Applied,
    /// Everything stored is newer.
    Stale,
}

/// All profiles.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Rows {
    rows: BTreeMap<u16, BTreeMap<usize, (i64, Option<Value>)>>,
}

impl Rows {
    /// What a put of `row` would do.
    pub(crate) fn effect(&self, row: &Row, time: i64) -> Effect {
        let stored = self.rows.get(&row.user);
        let known = |feature: usize| stored.and_then(|row| row.get(&feature));
        let is_newer = |feature: usize| known(feature).is_none_or(|(known, _)| *known <= time);
        let given = row.cells.iter().enumerate().filter(|(_, given)| given.is_some());
        let is_applied = given.map(|(feature, _)| feature).any(is_newer);
        if is_applied { Effect::Applied } else { Effect::Stale }
    }

    /// Puts a row: of each feature the newer time wins, and the later write when times are equal.
    pub(crate) fn put(&mut self, row: &Row, time: i64) {
        let stored = self.rows.entry(row.user).or_default();
        for (feature, given) in row.cells.iter().enumerate() {
            let Some(value) = given else { continue };
            if stored.get(&feature).is_none_or(|(known, _)| *known <= time) {
                stored.insert(feature, (time, value.clone()));
            }
        }
    }

    /// True when the row was there.
    pub(crate) fn delete(&mut self, user: u16) -> bool {
        self.rows.remove(&user).is_some()
    }

    /// What a read of `feature` at `as_of` answers, in ms; `is_past` when it asked for that time.
    pub(crate) fn read(&self, user: u16, feature: usize, as_of: i64, is_past: bool) -> Answer {
        let found = self.rows.get(&user).and_then(|row| row.get(&feature));
        let Some((time, value)) = found else { return (Status::NotFound, None) };
        let age = as_of.saturating_sub(*time);
        match value {
            _ if is_past && age < 0 => (Status::NotFound, None),
            _ if age > MAX_AGE_MS => (Status::Expired, None),
            None => (Status::Null, None),
            Some(value) => (Status::Present, Some(value.clone())),
        }
    }

    /// True when the user has a row.
    pub(crate) fn holds(&self, user: u16) -> bool {
        self.rows.contains_key(&user)
    }

    /// Users that have a row.
    pub(crate) fn users(&self) -> impl Iterator<Item = u16> + '_ {
        self.rows.keys().copied()
    }
}
